"""One feature of two samples at a time: chi2 of bins, and the largest distance of distribution functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from scipy.stats import chi2, kstwobign

from nplm.data.sample import Sample

# Bins hold at least so many effective events of both samples, as chi2 is asymptotic.
_LEAST = 10.0
_MOST_BINS = 40


@dataclass(frozen=True)
class FeatureNumbers:
    """How far two samples differ in one feature, whatever their yields.

    Arguments:
        feature: its name.
        chi2, degrees_of_freedom, p_chi2: of the shares of the samples in bins of about equal weight; NaN and 0 where
            they leave no two bins.
        distance, p_distance: the largest distance of their distribution functions, and its p-value by Kolmogorov's
            distribution for the effective numbers of events, which is an upper limit where values repeat (counts,
            flags).
    """

    feature: str
    chi2: float
    degrees_of_freedom: int
    p_chi2: float
    distance: float
    p_distance: float

    def corrected(self, features: int) -> float:
        """The smaller p-value, corrected for both tests of so many features (Bonferroni)."""
        known = [p for p in (self.p_chi2, self.p_distance) if not np.isnan(p)]
        return min(1.0, 2 * features * min(known, default=1.0))


def feature_numbers(a: Sample, b: Sample) -> list[FeatureNumbers]:
    """The numbers of each feature, in their order; yields make no difference."""
    return [_of_feature(name, a, b, column) for column, name in enumerate(a.features)]


def _of_feature(name: str, a: Sample, b: Sample, column: int) -> FeatureNumbers:
    values, place = np.unique(np.concatenate([a.events[:, column], b.events[:, column]]), return_inverse=True)
    samples = [(place[: len(a)], a), (place[len(a) :], b)]
    shares = [np.bincount(at, sample.weights, len(values)) / sample.total_weight for at, sample in samples]
    distance = float(np.abs(np.cumsum(shares[0] - shares[1])).max())
    size = a.effective_size * b.effective_size / (a.effective_size + b.effective_size)
    statistic, freedom = _chi2(samples, _bins(samples, len(values)))
    p = float(chi2.sf(statistic, freedom)) if freedom else float("nan")
    return FeatureNumbers(name, statistic, freedom, p, distance, float(kstwobign.sf(distance * np.sqrt(size))))


def _bins(samples: list[tuple[Int64[np.ndarray, " _"], Sample]], values: int) -> Int64[np.ndarray, " values"]:
    """The bin of each value: of about equal shares of both samples together, never dividing a value."""
    share = np.zeros(values)
    for place, sample in samples:
        weights = np.abs(sample.weights)
        share += np.bincount(place, weights, values) / (2 * weights.sum())
    smaller = min(sample.effective_size for _, sample in samples)
    count = int(np.clip(smaller / _LEAST, 2, _MOST_BINS))
    middle = np.cumsum(share) - share / 2
    bins = np.minimum((middle * count).astype(np.int64), count - 1)
    return np.unique(bins, return_inverse=True)[1]


def _chi2(
    samples: list[tuple[Int64[np.ndarray, " _"], Sample]], bins: Int64[np.ndarray, " values"]
) -> tuple[float, int]:
    """chi2 of the shares, and its degrees of freedom; for unit weights it is Pearson's of a table of two rows.

    With weights the covariance of shares S_i / W is v_i (i = j) - p_i v_j - p_j v_i + p_i p_j V, with v_i the sum of
    squared weights over W^2, V the sum of v_i, and p_i the share of both samples together.
    """
    count = int(bins.max()) + 1
    if count < 2:
        return float("nan"), 0
    sums = [np.bincount(bins[place], sample.weights, count) for place, sample in samples]
    squares = [np.bincount(bins[place], sample.weights**2, count) for place, sample in samples]
    shares = [s / sample.total_weight for s, (_, sample) in zip(sums, samples, strict=True)]
    sizes = [sample.effective_size for _, sample in samples]
    together = (shares[0] * sizes[0] + shares[1] * sizes[1]) / sum(sizes)
    covariance = np.zeros((count, count))
    for s, square, (_, sample) in zip(sums, squares, samples, strict=True):
        # What the squares are where both samples have the same share: of unit weights the share over their number.
        usual = np.divide(square, s, out=np.zeros(count), where=s > 0) * together / sample.total_weight
        v = np.where((s > 0) & (together > 0), usual, square / sample.total_weight**2)
        cross = np.outer(together, v)
        covariance += np.diag(v) - cross - cross.T + np.outer(together, together) * v.sum()
    difference = shares[0] - shares[1]
    return float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference), count - 1
