"""Histograms of data, reference and reweighted reference as objects of the package hist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm.data.binning import Binning, common_binning
from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import expected_weights, reference_log_ratio, reweighted
from nplm.io.tables import Tabular, sample_like
from nplm.localization.pairs import pair_binning, require_pair
from nplm.statistic import LikelihoodRatio

if TYPE_CHECKING:
    from hist import Hist
    from hist.axis import AxisProtocol


@dataclass(frozen=True, eq=False)
class MarginalHistograms:
    """Histograms of one feature, or of two, one axis each; value: sum of weights; variance: sum of their squares.

    Arguments:
        data: the tested sample.
        reference: scaled to the yield it predicts; with nuisances at their fitted values.
        reweighted: the reference times e^f.
    """

    data: Hist
    reference: Hist
    reweighted: Hist


def marginal_histograms(
    test: LikelihoodRatio,
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
    _require_hist()
    sample = sample_like(test.reference, data, "data")
    if feature not in sample.features:
        raise ValueError(f"there is no feature '{feature}': choose one of {', '.join(sample.features)}")

    def usual(x_data: np.ndarray, x_reference: np.ndarray, weights: np.ndarray) -> Binning:
        return common_binning(x_data, x_reference, weights, sample.effective_size)

    return _filled(test, sample, result, (feature,), (bins,), usual, log_ratio)


def pair_histograms(
    test: LikelihoodRatio,
    data: Tabular,
    result: Result,
    first: str,
    second: str,
    bins: tuple[ArrayLike | AxisProtocol | None, ArrayLike | AxisProtocol | None] = (None, None),
    *,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> MarginalHistograms:
    """The same of two features: what the picture of a pair shows, as `hist.Hist` with two axes.

    What lies beyond the edges is in the underflow and the overflow of its axis, while the picture adds it to the outer
    bins. The sum over one axis, its flow included, is the marginal histogram of the other in the same bins.

    Arguments:
        test: holds the reference.
        data: the tested sample.
        result: of that test.
        first, second: names of the features, in the order of the axes.
        bins: of each, edges, increasing, shape (bins + 1,); or an axis of hist. Default: the bins of the picture.
        log_ratio: f at each reference event, shape (n,), if it is known already.

    Raises:
        ValueError: if hist is not installed, there is no such feature, both are the same, the edges do not increase, or
            the fit failed.
    """
    _require_hist()
    sample = sample_like(test.reference, data, "data")
    require_pair(sample.features, first, second)
    if not isinstance(bins, tuple) or len(bins) != 2:
        raise ValueError(f"the bins of a pair must be a tuple of two, one for each feature, not {bins!r}")

    def usual(x_data: np.ndarray, x_reference: np.ndarray, weights: np.ndarray) -> Binning:
        return pair_binning(x_data, x_reference, weights, sample.effective_size)

    return _filled(test, sample, result, (first, second), bins, usual, log_ratio)


def _require_hist() -> None:
    try:
        import hist  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "histograms as objects need the package hist, which is not installed; run pip install hist"
        ) from error


def _filled(
    test: LikelihoodRatio,
    sample: Sample,
    result: Result,
    features: tuple[str, ...],
    bins: tuple[ArrayLike | AxisProtocol | None, ...],
    usual: Callable[[np.ndarray, np.ndarray, np.ndarray], Binning],
    log_ratio: Float64[np.ndarray, " n"] | None,
) -> MarginalHistograms:
    """Histograms with an axis for each feature; `usual` gives the bins of one from data, reference and its weights."""
    import hist

    columns = [sample.features.index(feature) for feature in features]
    x_data, x_reference = sample.events[:, columns].T, test.reference.events[:, columns].T
    weights = expected_weights(test, result)
    f = reference_log_ratio(test, result) if log_ratio is None else log_ratio
    fitted = reweighted(test, result, f)
    if not np.isfinite(fitted).all():
        raise ValueError("the fit failed, or e^f of an event is beyond all numbers: there is no reweighted reference")
    axes = []
    for feature, given, x, y in zip(features, bins, x_data, x_reference, strict=True):
        edges = usual(x, y, weights).edges if given is None else given
        known = isinstance(edges, hist.axis.AxesMixin)
        axes.append(
            cast("AxisProtocol", edges) if known else hist.axis.Variable(_edges(edges), name=feature, label=feature)
        )

    def filled(values: np.ndarray, w: np.ndarray) -> Hist:
        histogram = hist.Hist(*axes, storage=hist.storage.Weight())
        return histogram.fill(*values, weight=w)

    return MarginalHistograms(filled(x_data, sample.weights), filled(x_reference, weights), filled(x_reference, fitted))


def _edges(bins: ArrayLike | AxisProtocol) -> Float64[np.ndarray, " edges"]:
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"the edges of bins must be two or more increasing numbers, not {bins!r}")
    return edges
