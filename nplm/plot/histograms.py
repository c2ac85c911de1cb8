"""Histograms of data, reference and reweighted reference as objects of the package hist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm.hypothesis_test import NPLMTest
from nplm.io.tables import Tabular, sample_like
from nplm.plot.binning import common_binning
from nplm.plot.reference import expected_weights, reference_log_ratio, reweighted
from nplm.result import Result

if TYPE_CHECKING:
    from hist import Hist
    from hist.axis import AxisProtocol


@dataclass(frozen=True, eq=False)
class MarginalHistograms:
    """Histograms of one feature with one axis; value: sum of weights; variance: sum of their squares.

    Arguments:
        data: the tested sample.
        reference: scaled to the yield it predicts; with nuisances at their fitted values.
        reweighted: the reference times e^f.
    """

    data: Hist
    reference: Hist
    reweighted: Hist


def marginal_histograms(
    test: NPLMTest,
    data: Tabular,
    result: Result,
    feature: str,
    bins: ArrayLike | AxisProtocol | None = None,
    *,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> MarginalHistograms:
    """What the picture of a feature shows, as `hist.Hist` in the units of the files.

    What lies beyond the edges is in the underflow and the overflow, while the picture adds it to the outer bins.

    Arguments:
        test: holds the reference.
        data: the tested sample.
        result: of that test.
        feature: its name.
        bins: edges, increasing, shape (bins + 1,); or an axis of hist. Default: the bins of the picture.
        log_ratio: f at each reference event, shape (n,), if it is known already.

    Raises:
        ValueError: if hist is not installed, there is no such feature, the edges do not increase, or the fit failed.
    """
    try:
        import hist
    except ImportError as error:
        raise ValueError(
            "histograms as objects need the package hist, which is not installed; run pip install hist"
        ) from error
    sample = sample_like(test.reference, data, "data")
    if feature not in sample.features:
        raise ValueError(f"there is no feature '{feature}': choose one of {', '.join(sample.features)}")
    column = sample.features.index(feature)
    x_data, x_reference = sample.events[:, column], test.reference.events[:, column]
    weights = expected_weights(test, result)
    f = reference_log_ratio(test, result) if log_ratio is None else log_ratio
    fitted = reweighted(test, result, f)
    if not np.isfinite(fitted).all():
        raise ValueError("the fit failed, or e^f of an event is beyond all numbers: there is no reweighted reference")
    if bins is None:
        bins = common_binning(x_data, x_reference, weights, sample.effective_size).edges
    known = isinstance(bins, hist.axis.AxesMixin)
    axis = cast("AxisProtocol", bins) if known else hist.axis.Variable(_edges(bins), name=feature, label=feature)

    def filled(values: np.ndarray, w: np.ndarray) -> Hist:
        histogram = hist.Hist(axis, storage=hist.storage.Weight())
        return histogram.fill(values, weight=w)

    return MarginalHistograms(filled(x_data, sample.weights), filled(x_reference, weights), filled(x_reference, fitted))


def _edges(bins: ArrayLike | AxisProtocol) -> Float64[np.ndarray, " edges"]:
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"the edges of bins must be two or more increasing numbers, not {bins!r}")
    return edges
