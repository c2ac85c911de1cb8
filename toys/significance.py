"""The ideal significance: what a test that knows the signal would find."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.fft import irfft, next_fast_len, rfft
from scipy.stats import norm

# Reach of the lattice on either side of the statistic's mean, in standard deviations.
_REACH = 12.0
# Share of the statistic's variance that splitting events between lattice points may add, at most.
_ADDED_VARIANCE = 1e-4


def median_expected_z(log_ratio: Float64[np.ndarray, " cells"], expected: Float64[np.ndarray, " cells"]) -> float:
    """Median Z-score, under signal plus background, of the Neyman-Pearson test that knows the signal.

    Events fall in cells; those of cell i carry y_i = log[n(x|S+B) / n(x|B)]. With N(S+B) and N(B) the expected
    numbers of events, the most powerful statistic is the log-likelihood ratio

        T = sum_D y - [N(S+B) - N(B)],

    a compound Poisson variable. Its distribution under S+B follows by Fourier transform on a lattice, each y being
    split between its two neighbours so that its mean is kept. As P(T|B) = exp(-T) P(T|S+B), the same numbers give the
    p-value of the median without the rounding error that a transform under B would leave at small p:

        p = sum over T >= median of exp(-T) P(T|S+B),    Z = Phi^-1(1 - p).

    Arguments:
        log_ratio: y_i of each cell, shape (cells,). Make cells so small that y hardly varies within one.
        expected: number of S+B events expected in each cell, shape (cells,).

    Returns:
        The Z-score: to better than 0.001 for a statistic spread over many values; a statistic of few values (a
        counting experiment) has the p-value of the least value with cumulative probability of at least one half.

    Raises:
        ValueError: if the shapes differ, a value is not finite, an expectation is negative, or log_ratio is zero
            wherever events are expected (there is no signal).
    """
    y, mu = np.asarray(log_ratio, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if y.ndim != 1 or y.shape != mu.shape:
        raise ValueError(f"log_ratio and expected must have one and the same shape (cells,), not {y.shape}, {mu.shape}")
    if not (np.isfinite(y).all() and np.isfinite(mu).all() and (mu >= 0).all()):
        raise ValueError("log_ratio must be finite, and expected finite and not negative, in every cell")
    deviation = float(np.sqrt(mu @ y**2))
    if deviation == 0:
        raise ValueError("log_ratio is zero wherever events are expected: there is no signal to test")

    step, size = _lattice(y, mu, deviation)
    position = np.floor(y / step).astype(np.int64)
    upper_share = y / step - position
    # Negative positions, and sums, live at the end of the circle.
    intensity = np.bincount(position % size, weights=mu * (1 - upper_share), minlength=size)
    intensity += np.bincount((position + 1) % size, weights=mu * upper_share, minlength=size)
    probability = irfft(np.exp(rfft(intensity) - intensity.sum()), n=size)

    first = round(float(mu @ y) / step) - size // 2
    lattice = first + np.arange(size)
    probability = probability[lattice % size]
    median = int(np.searchsorted(np.cumsum(probability), 0.5))
    # N(S+B) - N(B) of the process on the lattice, for which exp(-T) is then the exact ratio of probabilities.
    jumps = (position, 1 - upper_share), (position + 1, upper_share)
    excess = sum(float(-(mu * share) @ np.expm1(-step * k)) for k, share in jumps)
    tail = slice(median, None)
    return float(norm.isf(probability[tail] @ np.exp(excess - step * lattice[tail])))


def _lattice(
    y: Float64[np.ndarray, " cells"], mu: Float64[np.ndarray, " cells"], deviation: float
) -> tuple[float, int]:
    """Spacing and number of points.

    Splitting adds at most step^2/4 of variance an event. The largest |y| is a multiple of the step, so that the
    statistic of a counting experiment keeps to its own values.
    """
    largest = float(np.abs(y[mu > 0]).max())
    finest = 2 * deviation * np.sqrt(_ADDED_VARIANCE / mu.sum())
    step = largest / np.ceil(largest / finest)
    reach = max(_REACH * deviation, 2 * largest)
    return step, next_fast_len(int(np.ceil(2 * reach / step)), real=True)
