"""Significances of given statistics: what a test that knows the signal, or thinks that it does, would find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.fft import irfft, next_fast_len, rfft
from scipy.optimize import brentq
from scipy.stats import norm

# Sizes of jumps, and their rates.
Jumps = list[tuple[Int64[np.ndarray, " cells"], Float64[np.ndarray, " cells"]]]

# Reach of the lattice on either side of the statistic's mean, in standard deviations.
_REACH = 12.0
# Share of the statistic's variance that splitting events between lattice points may add, at most.
_ADDED_VARIANCE = 1e-4
# Beyond this tilt exp(theta y) of a cell is no number.
_LARGEST_EXPONENT = 300.0


def median_expected_z(
    log_ratio: Float64[np.ndarray, " cells"], expected: Float64[np.ndarray, " cells"], *, fixed_number: bool = False
) -> float:
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
        fixed_number: the number of events is not Poisson but always sum(expected), rounded, and y the logarithm of the
            ratio of the normalized densities; T is then a sum of so many independent y.

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

    lattice = Lattice.of(y, mu, deviation, round(float(mu.sum())) if fixed_number else None)
    k, probability = lattice.distribution(mu)
    median = int(np.searchsorted(np.cumsum(probability), 0.5))
    # N(S+B) - N(B) of the process on the lattice, for which exp(-T) is then the exact ratio of probabilities.
    excess = -lattice.cumulant(lattice.jumps(mu), -1.0)
    tail = slice(median, None)
    return float(norm.isf(probability[tail] @ np.exp(excess - lattice.step * k[tail])))


def median_z_of(
    statistic: Float64[np.ndarray, " cells"],
    background: Float64[np.ndarray, " cells"],
    signal: Float64[np.ndarray, " cells"],
    *,
    fixed_number: bool = False,
) -> float:
    """Median Z-score, under signal plus background, of the test that sums a given statistic over the events.

    As `median_expected_z`, but for any y(x), such as the estimate of a log-ratio, so that the distribution of
    T = sum_D y under the background is needed too. It is computed for a background that is tilted by exp(theta y), with
    theta such that its mean is the median under S+B, where P(T|B) = exp(K - theta T) P_theta(T) with
    K = sum (exp(theta y) - 1) b; so small p keep their digits.

    Arguments:
        statistic: y_i of each cell, shape (cells,).
        background, signal: numbers of events expected in each cell, shape (cells,).
        fixed_number: the number of events is always sum(background), rounded; the signal's take the place of others.

    Raises:
        ValueError: if the shapes differ, a value is not finite, an expectation is negative, the statistic is zero
            wherever events are expected, or there is no room for the signal in a fixed number.
    """
    y, b, s = (np.asarray(v, dtype=np.float64) for v in (statistic, background, signal))
    if y.ndim != 1 or not y.shape == b.shape == s.shape:
        raise ValueError(
            f"statistic, background and signal need one shape (cells,), not {y.shape}, {b.shape}, {s.shape}"
        )
    share = float(s.sum() / b.sum()) if fixed_number else 0.0
    mu = (1 - share) * b + s
    if not share < 1:
        raise ValueError(f"a signal of {s.sum():g} events has no room in a fixed number of {b.sum():g}")
    if not (np.isfinite(y).all() and np.isfinite(mu).all() and (b >= 0).all() and (s >= 0).all()):
        raise ValueError("the statistic must be finite, and expectations finite and not negative, in every cell")
    deviation = float(np.sqrt(mu @ y**2))
    if deviation == 0:
        raise ValueError("the statistic is zero wherever events are expected: there is no signal to test")
    lattice = Lattice.of(y, mu, deviation, round(float(b.sum())) if fixed_number else None)
    k, probability = lattice.distribution(mu)
    median = int(k[np.searchsorted(np.cumsum(probability), 0.5)])
    theta = _tilt(y, b, median * lattice.step, fixed_number)
    tilted = [(position, rate * np.exp(theta * lattice.step * position)) for position, rate in lattice.jumps(b)]
    k, probability = lattice.distribution_of(tilted, median)
    normal = lattice.cumulant(lattice.jumps(b), theta)
    tail = k >= median
    return float(norm.isf(probability[tail] @ np.exp(normal - theta * lattice.step * k[tail])))


def _tilt(
    y: Float64[np.ndarray, " cells"], b: Float64[np.ndarray, " cells"], value: float, fixed_number: bool
) -> float:
    """theta >= 0 at which the mean of the tilted background, sum y exp(theta y) b, is a value."""

    def missing(theta: float) -> float:
        tilted = b * np.exp(theta * y)
        return float(tilted @ y) * (b.sum() / tilted.sum() if fixed_number else 1.0) - value

    high = 1.0
    if missing(0.0) >= 0 or not (b @ (y > 0)) > 0:
        return 0.0
    while missing(high) < 0 and high * y.max() < _LARGEST_EXPONENT:
        high *= 2
    return high if missing(high) < 0 else float(brentq(missing, 0.0, high))


@dataclass(frozen=True)
class Lattice:
    """Equally spaced values of a compound Poisson variable, or of a sum of a fixed number of jumps.

    Arguments:
        step: their spacing.
        size: their number, on a circle.
        position: the values below y of each cell, in steps, shape (cells,).
        upper_share: share of a cell's events that goes to the next value, so that the mean is kept, shape (cells,).
        number: of jumps; None if it is Poisson.
    """

    step: float
    size: int
    position: Int64[np.ndarray, " cells"]
    upper_share: Float64[np.ndarray, " cells"]
    number: int | None = None

    @classmethod
    def of(
        cls,
        y: Float64[np.ndarray, " cells"],
        mu: Float64[np.ndarray, " cells"],
        deviation: float,
        number: int | None = None,
    ) -> Lattice:
        """Splitting adds at most step^2/4 of variance an event.

        The largest |y| is a multiple of the step, so that the statistic of a counting experiment keeps to its own
        values.
        """
        largest = float(np.abs(y[mu > 0]).max())
        finest = 2 * deviation * np.sqrt(_ADDED_VARIANCE / mu.sum())
        step = largest / np.ceil(largest / finest)
        reach = max(_REACH * deviation, 2 * largest)
        position = np.floor(y / step).astype(np.int64)
        size = next_fast_len(int(np.ceil(2 * reach / step)), real=True)
        return cls(step, size, position, y / step - position, number)

    def jumps(self, mu: Float64[np.ndarray, " cells"]) -> Jumps:
        """Each size of a jump in steps, with its rate."""
        return [(self.position, mu * (1 - self.upper_share)), (self.position + 1, mu * self.upper_share)]

    def distribution(self, mu: Float64[np.ndarray, " cells"]) -> tuple[np.ndarray, np.ndarray]:
        """The values of the sum in steps, increasing, and their probabilities; centred on its mean."""
        jumps = self.jumps(mu)
        return self.distribution_of(jumps, round(sum(float(rate @ position) for position, rate in jumps)))

    def distribution_of(self, jumps: Jumps, centre: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of any jumps, about a value in steps."""
        # Negative positions, and sums, live at the end of the circle.
        intensity = np.zeros(self.size)
        for position, rate in jumps:
            intensity += np.bincount(position % self.size, weights=rate, minlength=self.size)
        total = intensity.sum()
        transform = rfft(intensity)
        of_sum = np.exp(transform - total) if self.number is None else (transform / total) ** self.number
        probability = irfft(of_sum, n=self.size)
        k = centre - self.size // 2 + np.arange(self.size)
        return k, probability[k % self.size]

    def cumulant(self, jumps: Jumps, theta: float) -> float:
        """log E exp(theta T) of the sum of jumps."""
        moved = sum(float(rate @ np.expm1(theta * self.step * position)) for position, rate in jumps)
        if self.number is None:
            return moved
        return self.number * float(np.log1p(moved / sum(float(rate.sum()) for _, rate in jumps)))
