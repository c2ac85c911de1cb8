"""Two samples in the bins of one feature, as shares of them or as yields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from nplm.data.binning import MOST_BINS, Binning, aligned_bins, common_binning, fill
from nplm.data.sample import Sample

# An interval narrower than this share of the axis gets a picture of its surroundings, so many times as wide.
_NARROW, _SURROUNDINGS = 0.06, 12.0
# Bins without events of B get a point where at least so many are expected.
_WORTH_A_POINT = 0.5
# Bins in an interval that is enlarged.
_BINS_INSIDE = 4


@dataclass(frozen=True)
class Process:
    """A part of sample A: so many of its events, in their order.

    Arguments:
        name: what to call it.
        events: how many.
    """

    name: str
    events: int


@dataclass(frozen=True, eq=False)
class TwoSampleBins:
    """Both samples in bins; every array has shape (bins,).

    Arguments:
        binning: the bins; the outer ones hold what lies beyond, unless the picture is enlarged.
        enlarged: whether only the surroundings of an interval are shown.
        a, error_a: sample A, and its standard deviation.
        b, low_b, high_b: sample B, and the ends of its error bars.
        tilted: A after the fit, A times e^f with the sum of B; None where the fit is not to be shown.
        stack: the processes of A, in order.
        beyond: what the outer bins took of A and B, below and above.
        filled: where B has events, or A says that some are expected.
    """

    binning: Binning
    enlarged: bool
    a: Float64[np.ndarray, " bins"]
    error_a: Float64[np.ndarray, " bins"]
    b: Float64[np.ndarray, " bins"]
    low_b: Float64[np.ndarray, " bins"]
    high_b: Float64[np.ndarray, " bins"]
    tilted: Float64[np.ndarray, " bins"] | None
    stack: tuple[tuple[str, Float64[np.ndarray, " bins"]], ...]
    beyond: tuple[tuple[float, float], tuple[float, float]]
    filled: Bool[np.ndarray, " bins"]


def fill_two_samples(
    a: Sample,
    b: Sample,
    feature: str,
    log_ratio_a: Float64[np.ndarray, " n_a"] | None = None,
    *,
    fitted: Float64[np.ndarray, " n_a"] | None = None,
    yields: bool = False,
    interval: tuple[float, float] | None = None,
    enlarge: bool = True,
    processes: Sequence[Process] = (),
) -> TwoSampleBins:
    """Sums both samples in bins of one feature.

    Arguments:
        a, b: the samples that were compared.
        feature: its name.
        log_ratio_a: f at the events of A, to show what the fit makes of it; None for no fit.
        fitted: weights of A's events after a fit of yields and shape, to be shown as they are; in place of f.
        yields: show sums of weights, not shares of the samples.
        interval: what must be seen.
        enlarge: show only the surroundings of an interval that is narrow.
        processes: parts of A.

    Raises:
        ValueError: if there is no such feature.
    """
    if feature not in a.features:
        raise ValueError(f"there is no feature '{feature}': choose one of {', '.join(a.features)}")
    column = a.features.index(feature)
    x_a, x_b = a.events[:, column], b.events[:, column]
    usual = common_binning(x_b, x_a, a.weights, min(a.effective_size, b.effective_size))
    binning, enlarged = (usual, False) if interval is None else _showing(usual, interval, x_a, x_b, enlarge)
    scale_a, scale_b = (1.0, 1.0) if yields else (1 / a.total_weight, 1 / b.total_weight)
    seen_a, seen_b = (~binning.beyond(x) if enlarged else np.ones(len(x), dtype=bool) for x in (x_a, x_b))
    bins_a = binning.assign(x_a)

    def total(weights: np.ndarray, rows: np.ndarray = seen_a) -> np.ndarray:
        return np.bincount(bins_a[rows], weights=weights[rows], minlength=binning.count) * scale_a

    found_b, low_b, high_b = (each * scale_b for each in fill(binning, x_b[seen_b], b.weights[seen_b]))
    tilted = None if fitted is None else total(fitted)
    if log_ratio_a is not None:
        # f is about shapes, and that of an interval leaves the rest as it is: the yield is that of B in any case.
        moved = a.weights * np.exp(log_ratio_a)
        whole = float(moved.sum())
        moved *= (b.total_weight if yields else 1.0) / scale_a / (whole if whole > 0 else a.total_weight)
        tilted = total(moved)
    stack, first = [], 0
    for process in processes:
        rows = np.zeros(len(a), dtype=bool)
        rows[first : first + process.events] = True
        stack.append((process.name, total(a.weights, rows & seen_a)))
        first += process.events

    def beyond(x: np.ndarray, weights: np.ndarray, scale: float) -> tuple[float, float]:
        if enlarged:
            return 0.0, 0.0
        below, above = x < binning.edges[0], x > binning.edges[-1]
        return float(weights[below].sum() * scale), float(weights[above].sum() * scale)

    outside = [beyond(x, s.weights, scale) for x, s, scale in ((x_a, a, scale_a), (x_b, b, scale_b))]
    of_a = total(a.weights)
    return TwoSampleBins(
        binning,
        enlarged,
        of_a,
        np.sqrt(total(a.weights**2) * scale_a),
        found_b,
        low_b,
        high_b,
        tilted,
        tuple(stack),
        (outside[0], outside[1]),
        (found_b != 0) | ((high_b > low_b) & (of_a / scale_b >= _WORTH_A_POINT)),
    )


def _showing(
    usual: Binning, interval: tuple[float, float], x_a: np.ndarray, x_b: np.ndarray, enlarge: bool
) -> tuple[Binning, bool]:
    """Bins in which an interval is seen, and whether they show its surroundings only."""
    low, high = interval
    first, last = float(usual.edges[0]), float(usual.edges[-1])
    if usual.integer:
        return usual, False
    smallest, largest = float(min(x_a.min(), x_b.min())), float(max(x_a.max(), x_b.max()))
    width = (high - low) or (last - first) / usual.count
    logarithmic = usual.logarithmic and low > 0
    share = np.log(high / low) / np.log(last / first) if logarithmic else width / (last - first)
    if enlarge and share < _NARROW:
        middle, half = (low + high) / 2, _SURROUNDINGS / 2 * width
        begin, end = max(middle - half, smallest), min(middle + half, largest)
        bins = int(np.ceil(_BINS_INSIDE * (end - begin) / width))
        return aligned_bins(begin, end, min(bins, MOST_BINS - 2)), True
    if first <= low and high <= last:
        return usual, False
    # A bin or two beyond the interval tell it from the outer bin, which holds all the rest.
    margin = max(width / 2, 2 * (last - first) / usual.count)
    begin = first if first <= low else max(low - margin, smallest)
    end = last if high <= last else min(high + margin, largest)
    if logarithmic:
        return Binning(np.geomspace(max(begin, smallest), end, usual.count + 1), logarithmic=True), False
    return aligned_bins(begin, end, min(usual.count, MOST_BINS - 2)), False


def overlapping(bins: TwoSampleBins, interval: tuple[float, float] | None) -> Bool[np.ndarray, " bins"]:
    """Which bins the interval overlaps, without outer ones that hold what lies beyond; none without an interval."""
    edges = bins.binning.edges
    if interval is None:
        return np.zeros(bins.binning.count, dtype=bool)
    inside = (edges[1:] > interval[0]) & (edges[:-1] <= interval[1])
    (below_a, above_a), (below_b, above_b) = bins.beyond
    inside[0] &= not (below_a or below_b)
    inside[-1] &= not (above_a or above_b)
    return inside
