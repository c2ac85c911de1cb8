"""Tests of toys against a weighted chi2: right p-values, as computed and after a fitted scale, and power."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest

from nplm.stats.goodness_of_fit import _Grid, chi2_compatibility
from nplm.stats.goodness_of_fit_weighted_chi2 import (
    ScaledMixtures,
    WeightedChi2Compatibility,
    weighted_chi2_compatibility,
)
from nplm.stats.weighted_chi2 import WeightedChi2Null, fit_weighted_chi2

WEIGHTS = np.exp(-0.5 * np.arange(10))
NULL = WeightedChi2Null(WEIGHTS)
# The chance that a test of uniformity fails a correct program.
SIZE = 1e-3


def toys(rng: np.random.Generator, size: int, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    return rng.chisquare(1, (size, len(weights))) @ weights


def p_values(found: WeightedChi2Compatibility) -> list[float]:
    tests = [found.kolmogorov_smirnov, found.anderson_darling, found.upper_tail, found.width]
    return [found.p_value, *tests, *(tail.p_value for tail in found.tails)]


def require_uniform(p: np.ndarray, simulations: int) -> None:
    """Columns of p-values: overall, four continuous statistics, and counts, which may only be too large."""
    for column in p.T[1:5]:
        # A p-value is a multiple of a step: spread over the step below, it is exactly uniform.
        assert kstest(column - 0.5 / (1 + simulations), "uniform").pvalue > SIZE
    for column in p.T:
        for level in (0.05, 0.2):
            assert binom.sf((column <= level).sum() - 1, len(column), level) > SIZE


@pytest.fixture
def tabulated_once(monkeypatch: pytest.MonkeyPatch) -> ScaledMixtures:
    """The mixture's table, which takes longer than the rest, is made once for many ensembles of toys."""
    distribution = ScaledMixtures.of(NULL)
    monkeypatch.setattr(ScaledMixtures, "of", lambda null: distribution)
    return distribution


@pytest.mark.parametrize("n", [60, 1000])
def test_p_values_are_uniform_under_the_null(n: int, tabulated_once: ScaledMixtures, rng: np.random.Generator) -> None:
    """120 ensembles, as computed and 1.3 times that, fitted; the table for a given null fails on the fitted ones."""
    simulations, given, fitted, naive = 99, [], [], []
    for seed in range(120):
        t = toys(rng, n)
        given.append(p_values(weighted_chi2_compatibility(t, NULL, simulations=simulations, seed=seed)))
        fit = weighted_chi2_compatibility(1.3 * t, NULL, scaled=True, simulations=simulations, seed=seed)
        fitted.append(p_values(fit))
        naive.append(kstest(tabulated_once.sf(1.3 * t, np.array([[fit.scale]]))[0], "uniform").pvalue)
    require_uniform(np.array(given), simulations)
    require_uniform(np.array(fitted), simulations)
    assert kstest(naive, "uniform").pvalue < 1e-4


@pytest.mark.usefixtures("tabulated_once")
def test_a_hundred_thousand_toys_are_judged_right(rng: np.random.Generator) -> None:
    """15 ensembles; a scale 1% off, four of its standard deviations, does not escape so many toys."""
    p = np.array(
        [
            [p_values(weighted_chi2_compatibility(t, NULL, scaled=s, simulations=99, seed=seed)) for s in (False, True)]
            for seed in range(15)
            for t in [toys(rng, 100_000)]
        ]
    )
    require_uniform(p[:, 0], 99)
    require_uniform(p[:, 1], 99)
    t = 1.01 * toys(rng, 100_000)
    assert not weighted_chi2_compatibility(t, NULL).accepted
    assert weighted_chi2_compatibility(t, NULL, scaled=True).scale == fit_weighted_chi2(t, NULL).scale


WRONG = {
    "weights 3% larger": (20_000, False, 1.03 * WEIGHTS),
    "one weight more": (2000, False, np.append(WEIGHTS, 0.3)),
    "another fall, scaled": (2000, True, np.exp(-0.3 * np.arange(10))),
    "a chi2 of the same mean, scaled": (1000, True, np.full(10, WEIGHTS.sum() / 10)),
}


@pytest.mark.usefixtures("tabulated_once")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_null_is_rejected(name: str, rng: np.random.Generator) -> None:
    """20 ensembles, tests at 5%: three of four are rejected at least."""
    n, scaled, weights = WRONG[name]
    found = [
        weighted_chi2_compatibility(toys(rng, n, weights), NULL, scaled=scaled, simulations=199, seed=seed)
        for seed in range(20)
    ]
    assert np.mean([not c.accepted for c in found]) >= 0.75


@pytest.mark.usefixtures("tabulated_once")
def test_a_heavy_tail_is_seen_where_the_bulk_agrees(rng: np.random.Generator) -> None:
    """1% of 1000 toys replaced by far ones, 40 ensembles: the count beyond 99% tells, with and without a scale."""
    for scaled in (False, True):
        found = []
        for seed in range(40):
            t = np.append(toys(rng, 990), 9 + rng.chisquare(2, 10))
            found.append(weighted_chi2_compatibility(t, NULL, scaled=scaled, simulations=199, seed=seed))
        assert np.mean([c.tails[1].p_value < 0.05 for c in found]) >= 0.5
        assert np.mean([c.kolmogorov_smirnov < 0.05 for c in found]) <= 0.35


def test_a_mixture_of_equal_weights_is_compared_as_its_chi2(rng: np.random.Generator) -> None:
    """The same cells and the same simulated ensembles: the same p-values as `chi2_compatibility`."""
    t = rng.chisquare(7, 500)
    by_chi2, found = chi2_compatibility(t, 7), weighted_chi2_compatibility(t, WeightedChi2Null(np.ones(7)))
    assert (found.kind, found.scale, found.error) == ("analytic", 1.0, 0.0)
    for name in ("p_value", "kolmogorov_smirnov", "anderson_darling", "upper_tail", "width"):
        assert getattr(found, name) == pytest.approx(getattr(by_chi2, name), abs=2e-3)
    assert [tail.toys for tail in found.tails] == [tail.toys for tail in by_chi2.tails]
    assert found.tails[0].threshold == pytest.approx(chi2.isf(0.05, 7))


@pytest.mark.parametrize("weights", [np.ones(1), WEIGHTS, np.exp(-10 * np.linspace(0, 1, 300))], ids=len)
def test_the_cells_are_those_of_the_mixture(weights: np.ndarray) -> None:
    """Moments of the cells and, for a scale off by 7%, P(T >= edge) to 1e-7 from both tails' 1e-5 to the middle."""
    null = WeightedChi2Null(weights)
    distribution = ScaledMixtures.of(null)
    grid = _Grid.of(1.3, distribution)
    assert grid.probabilities @ grid.middles == pytest.approx(1.3 * null.mean, rel=1e-4)
    assert grid.probabilities @ grid.middles**2 == pytest.approx(1.69 * (null.mean**2 + null.sd**2), rel=1e-3)
    np.testing.assert_allclose(null.pvalues(grid.edges / 1.3), grid.sf, rtol=1e-9)
    sf = distribution.sf(grid.edges, np.array([[1.4]]))[0]
    inner = (sf > 1e-5) & (sf < 1 - 1e-5)
    np.testing.assert_allclose(sf[inner], null.pvalues(grid.edges / 1.4)[inner], rtol=1e-7)
    assert distribution.width(np.array([1.4])) == pytest.approx(1.4 * null.sd**2 / (2 * null.mean))


def test_what_was_compared_is_told(rng: np.random.Generator) -> None:
    t = 1.2 * toys(rng, 300)
    found = weighted_chi2_compatibility(np.append(t, [np.nan] * 5), NULL, scaled=True, simulations=99)
    fit = fit_weighted_chi2(t, NULL)
    assert (found.kind, found.scale, found.error) == ("analytic fitted", fit.scale, fit.error)
    for tail in found.tails:
        assert tail.threshold == pytest.approx(fit.threshold(tail.probability))
        assert tail.toys == (t >= tail.threshold).sum()
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["scale"] == fit.scale
    assert document["accepted"] == found.accepted
    assert found == weighted_chi2_compatibility(t, NULL, scaled=True, simulations=99)
    assert p_values(found) != p_values(weighted_chi2_compatibility(t, NULL, scaled=True, simulations=99, seed=2))


def test_toys_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 50 of them, not 49"):
        weighted_chi2_compatibility(np.append(np.arange(49.0), np.nan), NULL)
    with pytest.raises(ValueError, match="cannot be fitted to toys whose mean t is 0"):
        weighted_chi2_compatibility(np.zeros(80), NULL, scaled=True)
    for odd in (np.zeros(80), np.full(80, 5.0), np.full(80, -1.0)):
        assert not weighted_chi2_compatibility(odd, NULL, simulations=99).accepted
