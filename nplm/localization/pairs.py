"""Two features at a time: data, reference and what the fit makes of it in the bins of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.binning import Binning, common_binning, poisson_interval
from nplm.localization.comparison import Comparison
from nplm.localization.peeling import log_likelihood_gain


@dataclass(frozen=True, eq=False)
class PairMap:
    """Yields in the bins of two features; every array has shape (bins of the first, bins of the second).

    Arguments:
        features: names of the two.
        binnings: of the two; outer bins hold what lies beyond.
        data: summed weights of the data.
        reference, reference_error: summed weights of the reference, and the root of their summed squares.
        fitted: sum of w e^f.
        pull: (data - reference) / error. The error is that of the data, towards the reference (Garwood's 68% interval
            for unit weights, else the root of the summed squares, or of what the reference expects for them if that is
            larger), with that of the reference in quadrature. NaN where neither has events.
    """

    features: tuple[str, str]
    binnings: tuple[Binning, Binning]
    data: Float64[np.ndarray, "a b"]
    reference: Float64[np.ndarray, "a b"]
    reference_error: Float64[np.ndarray, "a b"]
    fitted: Float64[np.ndarray, "a b"]
    pull: Float64[np.ndarray, "a b"]

    @property
    def difference(self) -> Float64[np.ndarray, "a b"]:
        """sum_R w (e^f - 1) in each bin: the events that the fit adds to the reference."""
        return self.fitted - self.reference


def fill_pair(comparison: Comparison, first: str, second: str) -> PairMap:
    """Sums data, reference and reference x e^f in bins of two features, in the units of the files.

    In more dimensions these are marginals of the whole samples.

    Raises:
        ValueError: if there is no such feature, or both are the same.
    """
    require_pair(comparison.features, first, second)
    columns = [comparison.features.index(name) for name in (first, second)]
    data, reference = comparison.data, comparison.reference
    a, b = (_binning(comparison, column) for column in columns)
    shape = a.count, b.count

    def total(events: np.ndarray, values: np.ndarray) -> np.ndarray:
        flat = a.assign(events[:, columns[0]]) * b.count + b.assign(events[:, columns[1]])
        sums = np.bincount(flat, weights=values, minlength=a.count * b.count)
        return sums.reshape(shape).astype(np.float64)  # those of no events are integers

    observed, squared = (total(data.events, v) for v in (data.weights, data.weights**2))
    expected, noise = (total(reference.events, w) for w in (reference.weights, reference.weights**2))
    variance = _variance(observed, squared, expected, data.is_weighted) + noise
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where((squared > 0) | (noise > 0), (observed - expected) / np.sqrt(variance), np.nan)
    fitted = total(reference.events, comparison.fitted)
    return PairMap((first, second), (a, b), observed, expected, np.sqrt(noise), fitted, pull)


def rank_pairs(comparison: Comparison) -> list[tuple[tuple[str, str], float]]:
    """All pairs of features, that first in which the fit shows most, with what it shows.

    That is 2 sum over bins of n log(n/b) - n + b, with n = sum w e^f and b = sum w in the bin: what t of the bins would
    be if the data followed the fit without fluctuating. Bins whose b is not positive do not count.
    """
    d = len(comparison.features)
    binnings = [_binning(comparison, column) for column in range(d)]
    bins: list[Int64[np.ndarray, " n"]] = [
        b.assign(x) for b, x in zip(binnings, comparison.reference.events.T, strict=True)
    ]
    weights, fitted = comparison.reference.weights, comparison.fitted
    found = []
    for i, j in combinations(range(d), 2):
        flat, count = bins[i] * binnings[j].count + bins[j], binnings[i].count * binnings[j].count
        b, n = (np.bincount(flat, weights=w, minlength=count) for w in (weights, fitted))
        good = (b > 0) & (n >= 0)
        shown = 2 * float(log_likelihood_gain(n[good], b[good]).sum())
        found.append(((comparison.features[i], comparison.features[j]), shown))
    return sorted(found, key=lambda pair: -pair[1])


def require_pair(features: Sequence[str], first: str, second: str) -> None:
    """Two different features of these.

    Raises:
        ValueError: if one does not exist, or both are the same.
    """
    for name in (first, second):
        if name not in features:
            raise ValueError(f"there is no feature '{name}': choose two of {', '.join(features)}")
    if first == second:
        raise ValueError(f"a pair needs two features, not '{first}' twice")


def pair_binning(
    x_data: Float64[np.ndarray, " n"],
    x_reference: Float64[np.ndarray, " m"],
    weights: Float64[np.ndarray, " m"],
    size: float,
) -> Binning:
    """Bins whose squares hold about as many of `size` events as their number in a row: its third root of them."""
    return common_binning(x_data, x_reference, weights, max(size, 1.0) ** (2 / 3))


def _binning(comparison: Comparison, column: int) -> Binning:
    data, reference = comparison.data, comparison.reference
    x_data, x_reference = data.events[:, column], reference.events[:, column]
    return pair_binning(x_data, x_reference, reference.weights, data.effective_size)


def _variance(observed: np.ndarray, squared: np.ndarray, expected: np.ndarray, weighted: bool) -> np.ndarray:
    if not weighted:
        low, high = poisson_interval(observed.ravel())
        low, high = low.reshape(observed.shape), high.reshape(observed.shape)
        return np.where(observed >= expected, observed - low, high - observed) ** 2
    # An empty bin says nothing about the weights it might have held: those of all events stand for them.
    typical = squared.sum() / observed.sum()
    return np.maximum(squared, typical * np.maximum(expected, 0))
