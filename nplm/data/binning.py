"""Bins for pictures: shared by data and reference, fine enough to show structure, losing no event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import chi2

from nplm.stats.null import ONE_SIGMA

MOST_BINS = 60
FEWEST_BINS = 10

# The axis covers these quantiles of the reference, and data beyond them up to half that range again.
_QUANTILES = (0.001, 0.999)
_REACH = 0.5
# A tail longer than this many interquartile ranges would squeeze the bulk into one bin: it goes to the outer bin.
_LONGEST_TAIL = 10.0
# Positive values whose median lies below this share of the range are shown on a logarithmic axis.
_LOG_MEDIAN = 0.05
_MOST_SORTED = 200_000
_NICE_WIDTHS = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])


@dataclass(frozen=True, eq=False)
class Binning:
    """Bin edges; the outer bins also take what lies beyond them.

    Arguments:
        edges: increasing, shape (bins + 1,).
        logarithmic: whether the bins have equal widths in log x.
        integer: whether the bins are centred on integers.
    """

    edges: Float64[np.ndarray, " edges"]
    logarithmic: bool = False
    integer: bool = False

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def centers(self) -> Float64[np.ndarray, " bins"]:
        """Middle of each bin, on the scale of the axis."""
        low, high = self.edges[:-1], self.edges[1:]
        return np.sqrt(low * high) if self.logarithmic else (low + high) / 2

    @property
    def unit(self) -> str:
        """What a bin holds, for the y axis: events / 0.2."""
        return self.per("events")

    def per(self, what: str, unit: str = "") -> str:
        """What of events a bin holds, for the y axis: events / 5 GeV; on a logarithmic axis widths differ."""
        if self.logarithmic or not np.allclose(np.diff(self.edges), self.edges[1] - self.edges[0]):
            return f"{what} / bin"
        return f"{what} / {self.edges[1] - self.edges[0]:g} {unit}".rstrip()

    def assign(self, values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """The bin of each value, shape (n,)."""
        return np.clip(np.searchsorted(self.edges, values, side="right") - 1, 0, self.count - 1)

    def beyond(self, values: Float64[np.ndarray, " n"]) -> np.ndarray:
        """Which values the outer bins take although they lie beyond the edges, shape (n,)."""
        return (values < self.edges[0]) | (values > self.edges[-1])


def common_binning(
    data: Float64[np.ndarray, " m"],
    reference: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
    effective_size: float,
    all_data: bool = False,
) -> Binning:
    """Bins for one quantity in data and reference.

    They cover the reference's 0.1% to 99.9% quantiles (weighted with |w|) and the data, except for tails that would
    hide the bulk. Their number is the square root of the data's effective size, between 10 and 60. Integer values get
    bins centred on integers; positive values spread over decades get logarithmic bins.

    Arguments:
        data: values in the data, shape (m,).
        reference: values in the reference, shape (n,).
        weights: the reference's weights, shape (n,).
        effective_size: of the data.
        all_data: keep the data's tails, however long.
    """
    used, share = reference[weights != 0], np.abs(weights[weights != 0])
    # Sorting a million values for the ends of an axis would cost more than all the sums.
    some = slice(None, None, 1 + len(used) // _MOST_SORTED)
    low, quarter, median, three_quarters, high = _weighted_quantiles(
        used[some], share[some], (_QUANTILES[0], 0.25, 0.5, 0.75, _QUANTILES[1])
    )
    data = data if len(data) else np.array([median])  # without data the reference says where the bins are
    bins = int(np.clip(np.sqrt(effective_size), FEWEST_BINS, MOST_BINS))
    smallest, largest = min(data.min(), used.min()), max(data.max(), used.max())
    integer = bool((np.rint(used) == used).all() and (np.rint(data) == data).all())

    if not (integer or all_data) and smallest > 0 and median - low < _LOG_MEDIAN * (high - low):
        reach = (high / low) ** _REACH
        first, last = min(low, max(data.min(), low / reach)), max(high, min(data.max(), high * reach))
        return Binning(np.geomspace(first, last, bins + 1), logarithmic=True)

    if all_data:
        low, high = min(low, data.min()), max(high, data.max())
    else:
        reach = _REACH * (high - low)
        low, high = min(low, max(data.min(), low - reach)), max(high, min(data.max(), high + reach))
        tail = _LONGEST_TAIL * (three_quarters - quarter) or np.inf
        low, high = max(low, quarter - tail), min(high, three_quarters + tail)
    if integer:
        return _integer_bins(max(low, smallest), min(high, largest), bins)
    if not high > low:
        # All values in range coincide: any bin around them will do.
        half = 0.5 * max(abs(low), 1.0)
        low, high = low - half, high + half
    # Two bins fewer, because aligning the edges to multiples of the width may add one at either end.
    return aligned_bins(low, high, min(bins, MOST_BINS - 2))


def poisson_interval(counts: Float64[np.ndarray, " n"] | Int64[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    """Garwood's central 68% interval for the mean of observed counts (Biometrika 28 (1936) 437).

    Returns:
        Lower and upper ends, each of shape (n,); no count gives 0 to 1.84.

    Example:
        >>> low, high = poisson_interval(np.array([0.0, 4.0]))
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([0.0, 2.09], [1.84, 7.16])
    """
    tail = (1 - ONE_SIGMA) / 2
    low = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 1)) / 2, 0.0)
    return low, np.asarray(chi2.isf(tail, 2 * (counts + 1)) / 2)


def fill(
    binning: Binning, values: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Summed weights in the bins, with error bars.

    Returns:
        Yields and the lower and upper ends of their error bars, each of shape (bins,): Garwood's interval if all
        weights are one, else plus and minus the root of the summed squared weights.
    """
    bins = binning.assign(values)
    observed = np.bincount(bins, weights=weights, minlength=binning.count).astype(np.float64)  # integers of no events
    if np.all(weights == 1):
        return observed, *poisson_interval(observed)
    error = np.sqrt(np.bincount(bins, weights=weights**2, minlength=binning.count))
    return observed, observed - error, observed + error


def _integer_bins(low: float, high: float, bins: int) -> Binning:
    first, last = np.floor(low), np.ceil(high)
    values = last - first + 1
    width = 1.0 if values <= MOST_BINS else np.ceil(_round_up(values / bins))
    return Binning(first - 0.5 + width * np.arange(np.ceil(values / width) + 1), integer=True)


def aligned_bins(low: float, high: float, bins: int) -> Binning:
    """Edges at multiples of a round width."""
    width = _round_up((high - low) / bins)
    first, last = np.floor(low / width), np.ceil(high / width)
    edges = width * np.arange(first, last + 1)
    # Values that differ only in the last digits of a large number leave no room for aligned edges.
    return Binning(edges if len(edges) > 1 and np.all(np.diff(edges) > 0) else np.array([low, high]))


def _round_up(width: float) -> float:
    """The next width with one or two round digits."""
    power = 10.0 ** np.floor(np.log10(width))
    # The tolerance keeps a width that is round already.
    return float(power * _NICE_WIDTHS[width / power * (1 - 1e-9) <= _NICE_WIDTHS][0])


def _weighted_quantiles(values: np.ndarray, weights: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    positions = np.searchsorted(cumulative, np.array(shares) * cumulative[-1])
    return [float(v) for v in values[order][np.minimum(positions, len(values) - 1)]]
