"""Upper limits by toys: p-values of q_mu are shares of toys of mu and of 0, nuisances where the data prefer them.

    p_mu = share of toys of (mu, nu^(mu)) with q_mu >= q_mu(data),    CLs = p_mu / share of toys of (0, nu^(0)) with it

(A. L. Read, J. Phys. G 28 (2002) 2693). Toys are drawn at values of mu around the asymptotic limits, and at 0. Between
them sqrt(-log CLs) is taken as linear, which it nearly is where q_mu is a parabola; CLs is 1 at 0 and below the best
value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtr

from nplm.measure.intervals import Profiler
from nplm.measure.limits import UpperLimit
from nplm.measure.toys import HeldToys, ToyMaker, held_toys

# Values of mu with toys at first, how many more each time that they do not reach far enough, and at most.
_FIRST, _MORE, _MOST = 8, 4, 24
# How far they reach beyond the asymptotic limits, as a share of what these span.
_BEYOND = 0.25
# Differences of q below this are the minimizer's.
_SAME_Q = 1e-6
# Standard deviations of data of 0 at which limits are expected.
_BANDS = np.array([-2, -1, 0, 1, 2])


@dataclass(frozen=True, eq=False)
class _Scan:
    """p-values at values of mu.

    Arguments:
        mu: shape (m,).
        shares: p_mu, CLs, and CLs of data of 0 at each of the five places, shape (m, 7).
        told: whether any toy of mu reached q, shape (m, 7); where none did, more toys would lower a share.
        error: of CLs, relative, by the number of toys, shape (m,).
    """

    mu: Float64[np.ndarray, " m"]
    shares: Float64[np.ndarray, "m 7"]
    told: Bool[np.ndarray, "m 7"]
    error: Float64[np.ndarray, " m"]

    def and_then(self, other: _Scan) -> _Scan:
        """Both, one after the other."""
        return _Scan(*(np.concatenate(both) for both in zip(vars(self).values(), vars(other).values(), strict=True)))

    def crossing(self, column: int, alpha: float, begin: float, high: float) -> tuple[float, float]:
        """Where a share falls to alpha for good, and the error of that; at `begin` and below the share is 1.

        The upper bound where it stays above; infinity where toys are too few to tell.
        """
        above = self.mu > begin
        mu = np.concatenate([[begin], self.mu[above]])
        depth = np.sqrt(-np.log(np.concatenate([[1.0], self.shares[above, column]])))
        target = np.sqrt(-np.log(alpha))
        left = int(np.flatnonzero(depth < target)[-1])
        if left == len(mu) - 1:
            return (high if mu[left] >= high and self.told[-1, column] else np.inf), np.nan
        slope = (depth[left + 1] - depth[left]) / (mu[left + 1] - mu[left])
        value = float(mu[left] + (target - depth[left]) / slope)
        return value, float(np.interp(value, self.mu, self.error) / (2 * target * slope))


def limit_by_toys(
    profiler: Profiler, maker: ToyMaker, asymptotic: UpperLimit, toys: int, seed: int
) -> tuple[UpperLimit, int]:
    """The limits that toys give, and the number of values at which they were drawn.

    Arguments:
        profiler: of the data.
        maker: draws toys of the fitted model.
        asymptotic: the limits without toys, around which they are sought.
        toys: at each value of the parameter, and at 0.
        seed: of them.
    """
    i, alpha = profiler.model.names.index(asymptotic.name), 1 - asymptotic.level
    high, best = float(profiler.model.high[i]), float(profiler.found.point[i])
    mu = _first_values(profiler, i, asymptotic)
    step = float(mu[-1] - mu[0]) / max(len(mu) - 1, 1)
    scan = _scan(profiler, maker, i, mu, toys, seed)
    while scan.mu[-1] < high and len(scan.mu) < _MOST and ((scan.shares[-1] > alpha) & scan.told[-1]).any():
        mu = np.unique(np.minimum(scan.mu[-1] + step * np.arange(1, _MORE + 1), high))
        scan = scan.and_then(_scan(profiler, maker, i, mu, toys, seed))
    plain, _ = scan.crossing(0, alpha, best, high)
    cls, error = scan.crossing(1, alpha, max(0.0, best), high)
    expected = tuple(scan.crossing(2 + n, alpha, 0.0, high)[0] for n in range(len(_BANDS)))
    limit = UpperLimit(
        asymptotic.name,
        asymptotic.level,
        plain,
        cls,
        expected,
        by_toys=True,
        error=error,
        asymptotic_cls=asymptotic.cls,
    )
    return limit, len(scan.mu) + 1


def _first_values(profiler: Profiler, i: int, asymptotic: UpperLimit) -> Float64[np.ndarray, " m"]:
    limits = np.array([asymptotic.plain, asymptotic.cls, *asymptotic.expected])
    unit = profiler.unit(i)
    limits = limits[np.isfinite(limits)] if np.isfinite(limits).any() else np.array([max(profiler.found.point[i], 0.0)])
    beyond = max(_BEYOND * float(np.ptp(limits)), unit)
    values = np.linspace(limits.min() - beyond, limits.max() + beyond, _FIRST)
    return np.unique(np.clip(values, profiler.model.low[i], profiler.model.high[i]))


def _scan(profiler: Profiler, maker: ToyMaker, i: int, mu: Float64[np.ndarray, " m"], toys: int, seed: int) -> _Scan:
    best = profiler.found.point
    held = [([i], mu[[column]]) for column in range(len(mu))]
    # Toys that failed exceed q where mu is tested, and do not where CLs is divided by them: either makes limits larger.
    at_zero = maker.at(profiler.at([i], np.zeros(1))[1])
    of_zero = _one_sided(held_toys(at_zero, held, toys, seed), i, mu, failed=0.0)
    shares, told, error = [], [], []
    for value, way, zero in zip(mu, held, of_zero.T, strict=True):
        q, point = profiler.at(*way)
        if not np.isfinite(q):
            point = np.where(np.arange(len(best)) == i, value, best)
        own = _one_sided(held_toys(maker.at(point), [way], toys, seed), i, way[1], failed=np.inf)
        # Data above what is expected at 0 have a smaller q.
        seen = q if value > best[i] else 0.0
        thresholds = np.array([seen, *np.quantile(zero, ndtr(-_BANDS), method="inverted_cdf")])
        reached = _reaching(own[:, 0], thresholds)
        by_zero = np.maximum(_reaching(zero, thresholds), 1) / toys
        # The data count as one of the toys, so that p is not too small; of what is expected an estimate is enough.
        p = np.array([1 + reached[0], *np.maximum(reached[1:], 0.5)]) / np.array([1 + toys, *([toys] * len(_BANDS))])
        shares.append(np.minimum([p[0], *(p / by_zero)], 1.0))
        told.append(reached[[0, *range(len(thresholds))]] > 0)
        error.append(np.sqrt(((1 - p[0]) / p[0] + (1 - by_zero[0]) / by_zero[0]) / toys))
    return _Scan(mu, np.array(shares), np.array(told), np.array(error))


def _one_sided(found: HeldToys, i: int, mu: Float64[np.ndarray, " m"], failed: float) -> Float64[np.ndarray, "n m"]:
    """q_mu: 0 where the best value is not below mu."""
    q = np.where(found.fitted[:, [i]] < mu, found.q, 0.0)
    q[np.isnan(found.fitted[:, i])] = failed
    return q


def _reaching(q: Float64[np.ndarray, " n"], thresholds: Float64[np.ndarray, " t"]) -> Int64[np.ndarray, " t"]:
    """How many toys reach each threshold."""
    return np.count_nonzero(q[:, None] >= thresholds - _SAME_Q, axis=0)
