"""Thresholds and limits by toys, against sums of Poisson probabilities and chi2 mixtures, and what they cover."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, chi2, poisson

from nplm.data.sample import Sample
from nplm.measure import Measurement, Parameters
from nplm.measure.intervals import Profiler
from nplm.measure.neyman import Construction
from nplm.measure.toys import ToyMaker
from nplm.nuisance import GaussianConstraint, JaxLogRatio, Normalization, Nuisances
from toys.exponential_nuisances import scale_ratio


def _count(background: float, count: int, bounds: tuple[float, float]) -> tuple[Measurement, Sample]:
    """n events where b + mu are expected; the features say nothing, and the reference does not fluctuate."""
    ratio = JaxLogRatio("mu", lambda x, mu: jnp.log1p(mu[0] / background) + 0 * x[:, 0])
    reference = Sample(np.linspace(0, 1, 8), np.full(8, background / 8), ["x"])
    measurement = Measurement(reference, Parameters(ratio, bounds={"mu": bounds}), expected_yield=background)
    return measurement, Sample(np.full(count, 0.5), features=["x"], name="data")


def _construction(measurement: Measurement, data: Sample, toys: int, seed: int) -> Construction:
    model, observed, found = measurement.fit(data)
    profiler = Profiler(model, observed, found, np.linalg.inv(found.hessian))
    return Construction(profiler, ToyMaker(model, measurement.reference, found.point), toys, seed)


def _poisson_q(n: np.ndarray, mu: float, background: float) -> np.ndarray:
    """q of a count with mu >= 0."""
    best = np.maximum(n, background)
    return 2 * (mu + background - best + n * np.log(best / (mu + background)))


def test_an_interval_at_a_bound_is_that_of_feldman_and_cousins() -> None:
    """19 events where 30 are expected without a signal, at 90%: the ends of the sums of Poisson probabilities.

    250 toys at a point tell the threshold to 11% and the end to .4 events; Wilks's end is more than 1 event higher.
    """
    background, count, level = 30.0, 19, 0.9
    measurement, data = _count(background, count, (0.0, 100.0))
    n = np.arange(200)

    def inside(mu: float) -> bool:
        q = _poisson_q(n, mu, background)
        order = np.argsort(q, kind="stable")
        total = np.cumsum(poisson.pmf(n, mu + background)[order])
        return bool(q[count] <= q[order[np.searchsorted(total, level)]])

    exact = max(mu for mu in np.linspace(0, 20, 2001) if inside(mu))
    found = measurement.run(data, levels=[level], toys=250, goodness_of_fit=False, seed=4)
    interval = found.intervals[0]
    assert interval.low == 0.0
    assert interval.high == pytest.approx(exact, abs=0.9)
    assert measurement.run(data, levels=[level], goodness_of_fit=False).intervals[0].high > exact + 1
    assert interval.ends is not None
    assert interval.ends[0] < interval.ends[1] == interval.threshold
    assert found.toy_points == 6


def test_limits_of_few_events_are_those_of_poisson_sums() -> None:
    """CLs = P(n <= count | b + mu) / P(n <= count | b) with b = 3, and as that for the median count; 200 toys."""
    background, count, alpha = 3.0, 4, 0.05
    measurement, data = _count(background, count, (0.0, 40.0))

    def exact(n: int) -> float:
        return brentq(lambda mu: poisson.cdf(n, background + mu) - alpha * poisson.cdf(n, background), 0.01, 30)

    limit = measurement.run(data, limits=["mu"], levels=[0.9], toys=200, goodness_of_fit=False, seed=5).limits[0]
    assert limit.by_toys
    assert 0.05 < limit.error < 0.8
    assert limit.cls == pytest.approx(exact(count), abs=3 * limit.error + 0.1)
    assert limit.expected[2] == pytest.approx(exact(int(poisson.median(background))), abs=3 * limit.error + 0.1)
    plain = brentq(lambda mu: poisson.cdf(count, background + mu) - alpha, 0.01, 30)
    assert limit.plain == pytest.approx(plain, abs=3 * limit.error + 0.1)
    assert list(limit.expected[1:]) == sorted(limit.expected[1:])
    without = measurement.run(data, limits=["mu"], goodness_of_fit=False).limits[0]
    assert limit.asymptotic_cls == without.cls
    assert not without.by_toys


def _means(bounds: dict[str, tuple[float, float]], shift: float = -0.05) -> tuple[Measurement, Sample]:
    """Means of two Gaussians whose data have so large means, beside a yield that is known to 10%."""
    rng = np.random.default_rng(3)
    reference = Sample(rng.normal(size=(4000, 2)), np.full(4000, 100 / 4000), ["x", "y"])
    parts = [
        JaxLogRatio(name, lambda x, t, column=column: x[:, column] * t[0] - t[0] ** 2 / 2)
        for column, name in enumerate(("a", "b"))
    ]
    nuisances = Nuisances(Normalization("lumi"), GaussianConstraint("lumi", 0.1))
    x = rng.normal(size=(100, 2))
    data = Sample(x - x.mean(axis=0) + shift, features=["x", "y"], name="data")
    return Measurement(reference, Parameters(parts, bounds=bounds), nuisances), data


def test_thresholds_at_a_corner_are_those_of_a_mixture_of_chi2() -> None:
    """At 0 of two bounded means q is 0, chi2_1 and chi2_2 with shares 1/4, 1/2, 1/4, and of one alone 0 or chi2_1.

    H. Chernoff, Ann. Math. Stat. 25 (1954) 573. Shares of 400 toys, within 3.5 of their errors; without bounds the same
    thresholds are exceeded more often.
    """

    def tail(c: float) -> float:
        return 0.5 * chi2.sf(c, 1) + 0.25 * chi2.sf(c, 2) - 0.1

    exact = brentq(tail, 0.1, 10)
    measurement, data = _means({"a": (0.0, 2.0), "b": (0.0, 2.0)})
    construction = _construction(measurement, data, 400, seed=6)
    at_zero = construction.profiler.found.point
    np.testing.assert_allclose(at_zero[:2], 0.0)
    both = construction.thresholds([0, 1], np.zeros(2), [0.9])
    one = construction.thresholds([0], np.zeros(1), [0.8])
    assert both is not None
    assert one is not None
    # From a threshold back to the share that exceeds it: exact quantiles would give .1 and .2.
    error = 3.5 * np.sqrt(0.1 * 0.9 / 400)
    assert tail(both[0]) == pytest.approx(0.0, abs=error)
    assert exact == pytest.approx(both[0], rel=0.3)
    assert 0.5 * chi2.sf(one[0], 1) == pytest.approx(0.2, abs=3.5 * np.sqrt(0.2 * 0.8 / 400))
    free = _construction(_means({})[0], data, 400, seed=6).thresholds([0, 1], np.zeros(2), [0.9])
    assert free is not None
    assert chi2.sf(free[0], 2) == pytest.approx(0.1, abs=error)
    assert tail(free[0]) < -error / 2


def test_a_contour_at_a_bound_goes_along_it_to_both_sides() -> None:
    """a is 0, its bound: there b reaches sqrt(c / n) to either side, c of chi2_2."""
    measurement, data = _means({"a": (0.0, 2.0)})
    found = measurement.run(data, levels=[0.95], contours=[("a", "b")], goodness_of_fit=False)
    points = found.contours[0].points
    along = points[points[:, 0] == 0.0, 1] - found["b"]
    c = chi2.ppf(0.95, 2)
    assert found["a"] == 0.0
    assert along.max() == pytest.approx(np.sqrt(c / 100), rel=0.1)
    assert along.min() == pytest.approx(-np.sqrt(c / 100), rel=0.1)


def test_contours_of_toys_are_circles_where_wilks_holds() -> None:
    """Means of two Gaussians: radius sqrt(c / n), c of chi2_2 at 68%; 40 toys at 9 points tell it to 12% at each."""
    measurement, data = _means({})
    found = measurement.run(data, levels=[0.6827], toys=40, contours=[("a", "b")], goodness_of_fit=False, seed=2)
    line = found.contours[0]
    assert line.by_toys
    radius = np.hypot(*(line.points - found.values[:2]).T)
    assert radius.mean() == pytest.approx(np.sqrt(chi2.ppf(0.6827, 2) / 100), rel=0.15)
    np.testing.assert_array_equal(line.points[0], line.points[-1])
    assert found.toy_points == 1 + 2 * 9 + 9
    assert found.to_dict()["toys"] == {"count": 40, "failed": 0, "points": 28}
    assert "by 40 toys at each of 28 points" in repr(found)


@pytest.mark.slow
def test_intervals_by_toys_cover_at_a_bound() -> None:
    """An exponential's scale >= 0 that is 0, 60 events: 60% intervals by toys cover it so, Wilks's cover 80%.

    100 samples, within 3 binomial errors; 24 toys at each point give the level exactly.
    """
    rng = np.random.default_rng(9)
    inside, wilks, samples, level = 0, 0, 100, 0.6
    parameters = Parameters(scale_ratio(), bounds={"scale": (0.0, 2.0)})
    for number in range(samples):
        reference = Sample(rng.exponential(size=500), np.full(500, 0.12), ["x"])
        data = Sample(rng.exponential(size=rng.poisson(60)), features=["x"], name="data")
        construction = _construction(Measurement(reference, parameters), data, 24, seed=number)
        (interval,), _ = construction.intervals(0, [level])
        inside += interval.low <= 0
        wilks += construction.profiler.interval(0, level)[0] <= 0
    low, high = binom.ppf([0.0013, 0.9987], samples, level)
    assert low <= inside <= high
    assert wilks >= inside + 0.1 * samples
