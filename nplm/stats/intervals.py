"""Binomial intervals: for a probability that was counted, and for a quantile between ordered values."""

from __future__ import annotations

from scipy.stats import beta, binom

from nplm.stats.null import ONE_SIGMA


def clopper_pearson(successes: int, trials: int, level: float = ONE_SIGMA) -> tuple[float, float]:
    """Central interval for a binomial probability with coverage of at least `level`, whatever the probability.

    The tail of (1 - level) / 2 above is kept where no success leaves none below, and likewise for no failure: a limit
    at the full level there would cover too rarely (57% instead of 68% for about 1.15 expected successes). Source:
    Clopper and Pearson, Biometrika 26 (1934) 404.

    Example:
        >>> low, high = clopper_pearson(0, 100)
        >>> low, round(high, 4)
        (0.0, 0.0182)
    """
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.isf(tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


def quantile_ranks(n: int, q: float, level: float = ONE_SIGMA) -> tuple[int, int]:
    """Ranks of the ordered values of a sample between which the true q-quantile lies, with at least this probability.

    The number of values below the true quantile is Binomial(n, q), whatever the distribution: with a and b its
    quantiles at (1 - level)/2 and (1 + level)/2, x_(a) <= quantile <= x_(b+1). Source: David and Nagaraja, Order
    Statistics (2003), 7.1.

    Returns:
        The two ranks, counted from 1; rank 0 or n + 1 means that the sample does not bound the quantile on that side.
    """
    tail = (1 - level) / 2
    return int(binom.ppf(tail, n, q)), int(binom.ppf(1 - tail, n, q)) + 1
