"""Tests of toys against a chi2: right p-values, given and fitted, in bulk, tail and width, for any number of toys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest, kstwo

from nplm.stats.chi2 import fit_chi2
from nplm.stats.ensemble_summary import summarize_toys, width_error
from nplm.stats.goodness_of_fit import Compatibility, _Grid, chi2_compatibility

# The chance that a test of uniformity fails a correct program.
SIZE = 1e-3


def p_values(found: Compatibility) -> list[float]:
    return [
        found.p_value,
        found.kolmogorov_smirnov,
        found.anderson_darling,
        found.upper_tail,
        found.width,
        *(tail.p_value for tail in found.tails),
    ]


def require_uniform(p: np.ndarray, simulations: int) -> None:
    """Columns of p-values: overall, four continuous statistics, and counts, which may only be too large."""
    steps = 1 / (1 + simulations)
    for column in p.T[1:5]:
        # A p-value is a multiple of a step: spread over the step below, it is exactly uniform.
        assert kstest(column - steps / 2, "uniform").pvalue > SIZE
    for column in p.T:
        for level in (0.05, 0.2):
            assert binom.sf((column <= level).sum() - 1, len(column), level) > SIZE


@pytest.mark.parametrize("toys", [60, 400])
def test_p_values_are_uniform_under_the_null(toys: int, rng: np.random.Generator) -> None:
    """200 ensembles of chi2(7), given and fitted; the table for a given distribution fails on the fitted ones."""
    simulations, given, fitted, naive = 99, [], [], []
    for seed in range(200):
        t = rng.chisquare(7, toys)
        given.append(p_values(chi2_compatibility(t, 7, simulations=simulations, seed=seed)))
        fit = chi2_compatibility(t, simulations=simulations, seed=seed)
        fitted.append(p_values(fit))
        naive.append(kstest(t, chi2(fit.degrees_of_freedom).cdf).pvalue)
    require_uniform(np.array(given), simulations)
    require_uniform(np.array(fitted), simulations)
    assert kstest(naive, "uniform").pvalue < 1e-6


def test_a_hundred_thousand_toys_are_quick_and_right(rng: np.random.Generator) -> None:
    """60 ensembles: uniform p-values, as above; the simulations have as many toys, so nothing is extrapolated."""
    p = np.array(
        [
            [p_values(chi2_compatibility(t, k, simulations=99, seed=seed)) for k in (13.0, None)]
            for seed in range(60)
            for t in [rng.chisquare(13, 100_000)]
        ]
    )
    require_uniform(p[:, 0], 99)
    require_uniform(p[:, 1], 99)
    t = rng.chisquare(13, 100_000)
    began = time.process_time()
    summarize_toys(t, 13)
    assert time.process_time() - began < 2
    # An error of 1% in the degrees of freedom, 8 of its standard deviations, does not escape so many toys.
    assert not chi2_compatibility(t, 13.13).accepted


@pytest.mark.parametrize("toys", [50, 1000, 100_000])
def test_statistics_on_the_grid_are_the_textbook_ones(toys: int, rng: np.random.Generator) -> None:
    """Sums over the ordered toys: D, A^2 (Anderson and Darling) and AU^2 (Sinclair, Spurr and Ahmad)."""
    grid = _Grid.of(13.0)
    t = rng.chisquare(13, toys)
    u = np.sort(chi2.cdf(t, 13))
    i = np.arange(1, toys + 1)
    d = max((i / toys - u).max(), (u - (i - 1) / toys).max())
    a2 = -toys - ((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1]))).mean()
    au2 = toys / 2 - 2 * u.sum() - ((2 - (2 * i - 1) / toys) * np.log1p(-u)).sum()
    counts = grid.count(t)[None]
    k = np.array([13.0])
    ks, ad, upper = grid.statistics(counts, k, np.ones(1), grid.beyond(counts, k, rng))[0, :3]
    # The grid misses the peak of a difference by what a Brownian bridge does within a cell of at most 1.3%.
    assert d - 0.25 / np.sqrt(toys) < ks <= d
    assert ad == pytest.approx(a2, rel=0.05, abs=0.08)
    assert upper == pytest.approx(au2, rel=0.05, abs=0.04)


def test_simulated_statistics_have_the_published_quantiles(rng: np.random.Generator) -> None:
    """20,000 ensembles: A^2 exceeds 2.492 and 3.857 in 5% and 1% (Stephens 1974, table 1A), and AU^2 has mean 1/2."""
    grid = _Grid.of(13.0)
    counts = rng.multinomial(500, grid.probabilities, size=20_000)
    k = np.full(20_000, 13.0)
    beyond = grid.beyond(counts, k, rng)
    ks, ad, upper, width = grid.statistics(counts, k, grid.widths(counts), beyond).T[:4]
    for tail, share in zip(beyond.T, (0.05, 0.01), strict=True):
        observed = np.bincount(tail, minlength=501)[:26]
        expected = 20_000 * binom.pmf(np.arange(26), 500, share)
        assert np.all(np.abs(observed - expected) < 5 * np.sqrt(expected + 1))
    for least, share in ((2.492, 0.05), (3.857, 0.01)):
        assert (ad >= least).mean() == pytest.approx(share, abs=4 * np.sqrt(share / 20_000))
    assert upper.mean() == pytest.approx(0.5, abs=4 * upper.std() / np.sqrt(20_000))
    # Kolmogorov's quantile, less what the grid misses.
    assert np.quantile(ks, 0.95) == pytest.approx(kstwo.isf(0.05, 500), rel=0.05)
    assert np.quantile(width, 0.68269) == pytest.approx(width_error(13.0, 500), rel=0.05)


def test_the_cells_have_the_moments_of_the_chi2() -> None:
    for k in (0.5, 1.0, 13.0, 400.0):
        grid = _Grid.of(k)
        assert grid.probabilities.sum() == pytest.approx(1)
        assert grid.probabilities @ grid.middles == pytest.approx(k, rel=1e-3)
        assert grid.probabilities @ grid.middles**2 == pytest.approx(k**2 + 2 * k, rel=2e-3)
        np.testing.assert_allclose(chi2.sf(grid.edges, k), grid.sf, rtol=1e-8)


def contaminated(rng: np.random.Generator) -> np.ndarray:
    """2000 toys of chi2(13), 1% of which are replaced by far ones."""
    return np.append(rng.chisquare(13, 1980), 30 + rng.chisquare(5, 20))


@pytest.mark.parametrize(
    ("draw", "k", "caught_by", "missed_by"),
    [
        (lambda rng: rng.chisquare(15, 300), 13.0, lambda c: c.kolmogorov_smirnov, None),
        (contaminated, 13.0, lambda c: c.tails[1].p_value, lambda c: c.kolmogorov_smirnov),
        (contaminated, None, lambda c: c.tails[1].p_value, None),
        (lambda rng: 1.25 * rng.chisquare(13, 1000), None, lambda c: c.width, None),
    ],
    ids=["degrees of freedom", "tail", "tail, fitted", "width, fitted"],
)
def test_what_is_wrong_is_caught(
    draw: Callable[[np.random.Generator], np.ndarray],
    k: float | None,
    caught_by: Callable[[Compatibility], float],
    missed_by: Callable[[Compatibility], float] | None,
    rng: np.random.Generator,
) -> None:
    """In 20 ensembles, tests at 5%: most are caught, overall too, though a Kolmogorov-Smirnov test misses a tail."""
    found = [chi2_compatibility(draw(rng), k, simulations=499, seed=seed) for seed in range(20)]
    assert np.mean([caught_by(c) < 0.05 for c in found]) >= 0.75
    assert np.mean([c.accepted for c in found]) <= 0.25
    if missed_by is not None:
        assert np.mean([missed_by(c) < 0.05 for c in found]) <= 0.35


def test_width_has_its_error(rng: np.random.Generator) -> None:
    """3000 ensembles of 400 toys: the standard deviation of sd^2 / (2 mean) is known to 1.3%."""
    for k in (1.0, 13.0):
        t = rng.chisquare(k, (3000, 400))
        width = t.var(axis=1, ddof=1) / (2 * t.mean(axis=1))
        assert width.mean() == pytest.approx(1, abs=0.02)
        assert width.std() == pytest.approx(width_error(k, 400), rel=0.06)


def test_summary_counts_failed_and_zero_toys_and_leaves_them_out(rng: np.random.Generator) -> None:
    t = rng.chisquare(13, 500)
    summary = summarize_toys(np.append(t, [np.nan] * 7), 13)
    assert (summary.toys, summary.failed, summary.zeros) == (507, 7, 0)
    assert summary.mean == pytest.approx(t.mean())
    assert summary.mean_error == pytest.approx(t.std(ddof=1) / np.sqrt(500))
    assert summary.width == pytest.approx(t.var(ddof=1) / (2 * t.mean()))
    clean = summarize_toys(t, 13)
    assert (summary.given, summary.fitted) == (clean.given, clean.fitted)
    assert summary.fitted is not None
    assert summary.fitted.degrees_of_freedom == fit_chi2(t).degrees_of_freedom
    assert summarize_toys(np.append(t, [0.0, -1e-12]), 13).zeros == 2
    for tail in summary.fitted.tails:
        assert tail.toys == (t >= chi2.isf(tail.probability, fit_chi2(t).degrees_of_freedom)).sum()
        assert tail.expected == pytest.approx(500 * tail.probability)


@pytest.mark.parametrize(
    "t",
    [
        np.zeros(0),
        np.full(60, np.nan),
        np.array([3.0]),
        np.arange(49.0),
        np.zeros(80),
        np.full(80, 5.0),
        1e-3 * np.ones(80),
    ],
    ids=["none", "failed", "one", "few", "zero", "equal", "tiny"],
)
def test_degenerate_ensembles_are_summarized(t: np.ndarray) -> None:
    summary = summarize_toys(t, 5, simulations=99)
    json.dumps(summary.to_dict(), allow_nan=False)
    enough = np.isfinite(t).sum() >= 50
    assert (summary.given is not None) == enough
    if summary.given is not None:
        assert not summary.given.accepted
    assert (summary.fitted is not None) == (enough and bool((t > 0).any()))


def test_too_few_toys_are_not_compared() -> None:
    with pytest.raises(ValueError, match="at least 50 of them, not 49"):
        chi2_compatibility(np.append(np.arange(49.0), np.nan), 13)


def test_the_same_seed_gives_the_same_p_values(rng: np.random.Generator) -> None:
    t = rng.chisquare(13, 200)
    assert chi2_compatibility(t) == chi2_compatibility(t.copy())
    assert p_values(chi2_compatibility(t)) != p_values(chi2_compatibility(t, seed=2))
