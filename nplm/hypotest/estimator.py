"""The fitted log-ratio as an estimator with the methods of scikit-learn, which it does not need."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm.data.coordinates import CoordinateKind
from nplm.data.periods import Circular
from nplm.data.sample import Sample, require_same_features
from nplm.hypotest.test import NPLMTest
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.models.base import Model
from nplm.statistic import FitError


class LogRatioEstimator:
    """Learns f(x) = log [n(x|data) / n(x|reference)] by the extended likelihood, and predicts it for any events.

    Arguments:
        model: see `NPLMTest`.
        shape_only: learn the ratio of the densities; otherwise that of the densities times the yields.
        coordinates, circular: see `NPLMTest`.

    Attributes:
        test_, parameters_, t_: the prepared test, the fitted parameters, shape (P,), and t, once it is fitted.
    """

    def __init__(
        self,
        model: str | Model = "kernel",
        *,
        shape_only: bool = False,
        coordinates: CoordinateKind = "standardized",
        circular: Circular = (),
    ) -> None:
        self.model = model
        self.shape_only = shape_only
        self.coordinates = coordinates
        self.circular = circular

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments it was made with."""
        return {
            "model": self.model,
            "shape_only": self.shape_only,
            "coordinates": self.coordinates,
            "circular": self.circular,
        }

    def set_params(self, **params: Any) -> Self:
        """Changes arguments; a name that is none is refused with a ValueError."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"there is no parameter '{name}': choose one of {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    def fit(self, X: Tabular, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fits events with y = 1 (data) and y = 0 (reference).

        Arguments:
            X: events of both, an array of shape (n, d) or a table.
            y: which is which, shape (n,).
            sample_weight: weights, shape (n,); a reference of weight N(R)/n_R predicts N(R) events. Default: ones.

        Raises:
            ValueError: for bad input, or if y has other values than 0 and 1.
            FitError: if the fit gives no t.
        """
        reference, data = _parts(as_sample(X, sample_weight, name="X"), y)
        settings = {name: value for name, value in self.get_params().items() if name != "model"}
        test = NPLMTest(reference, self.model, **settings)
        fits = test.fit([data.require_yield()])
        if not np.isfinite(fits.t[0]):
            raise FitError(f"the fit failed: there is no log-ratio ({fits.failure[0]})")
        self.test_, self.parameters_, self.t_ = test, fits.parameters[0], float(fits.t[0])
        return self

    def predict_log_ratio(self, X: Tabular) -> Float64[np.ndarray, " n"]:
        """f(x) of events, shape (n,)."""
        if not hasattr(self, "test_"):
            raise ValueError("the estimator is not fitted yet: call fit first")
        sample = sample_like(self.test_.reference, X, "X")
        require_same_features(self.test_.reference, sample)
        return self.test_.prepared.log_ratio(self.parameters_, sample.events)

    decision_function = predict_log_ratio

    def score(self, X: Tabular, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The extended log-likelihood ratio sum_D w f - sum_R w (e^f - 1) of any events.

        Of those that were fitted it is t / 2, if the model takes the reference as exact.
        """
        reference, data = _parts(as_sample(X, sample_weight, name="X"), y)
        scale = data.total_weight / reference.total_weight if self.shape_only else 1.0
        lost = scale * reference.weights @ np.expm1(self.predict_log_ratio(reference))
        return float(data.weights @ self.predict_log_ratio(data) - lost)


def _parts(sample: Sample, y: ArrayLike) -> tuple[Sample, Sample]:
    """The reference (y = 0) and the data (y = 1)."""
    labels = np.asarray(y)
    if labels.shape != (len(sample),) or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"y must be 0 (reference) or 1 (data) for each of the {len(sample)} events")
    return sample.select(labels == 0), sample.select(labels == 1)
