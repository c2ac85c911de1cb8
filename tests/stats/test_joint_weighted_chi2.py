"""The joint distribution of quadratic forms: draws against its moments, tail and global p-values against exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm

from nplm.stats.combination import Combination
from nplm.stats.global_pvalue import JointGlobalNull, ToyGlobalNull, log_ranks
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.stats.weighted_chi2 import WeightedChi2Null

K, MODES = 4, 3


@pytest.fixture(scope="module")
def independent() -> JointNull:
    """K independent chi2(MODES)."""
    return JointNull.of(np.eye(K * MODES), [MODES] * K)


@pytest.fixture
def correlated(rng: np.random.Generator) -> tuple[np.ndarray, JointNull]:
    root = rng.normal(size=(7, 5))
    return root @ root.T, JointNull.of(root @ root.T, [2, 4, 1])


def test_draws_have_the_moments_of_the_distribution(correlated: tuple[np.ndarray, JointNull]) -> None:
    covariance, joint = correlated
    t = joint.draw(200_000, seed=3)
    blocks = np.split(np.arange(7), [2, 6])
    for m, rows in enumerate(blocks):
        weights = np.linalg.eigvalsh(covariance[np.ix_(rows, rows)])
        assert joint.marginals[m].mean == pytest.approx(weights.sum())
        assert joint.marginals[m].sd == pytest.approx(np.sqrt(2 * (weights**2).sum()))
        assert t[:, m].mean() == pytest.approx(weights.sum(), rel=0.01)
        for other, columns in enumerate(blocks):
            expected = 2 * (covariance[np.ix_(rows, columns)] ** 2).sum()
            assert joint.covariance[m, other] == pytest.approx(expected)
    np.testing.assert_allclose(np.corrcoef(t.T), _correlation(joint.covariance), atol=0.02)


def test_the_same_seed_gives_the_same_draws(independent: JointNull) -> None:
    np.testing.assert_array_equal(independent.draw(100, seed=1), independent.draw(100, seed=1))
    assert (independent.draw(100, seed=1) != independent.draw(100, seed=2)).all()


@pytest.mark.parametrize("p", [1e-2, 1e-12, 1e-200])
def test_the_smallest_of_independent_p_values_far_out(independent: JointNull, p: float) -> None:
    """Within four standard deviations of 1 - (1 - p)^K, and not of p itself."""
    t = np.array([independent.marginals[0].threshold(p), 3, 2, 1])
    found = JointGlobalNull(independent, Combination("min-p"), draws=50_000).global_p(t)
    exact = -np.expm1(K * np.log1p(-p))
    sigma = (found.p_interval[1] - found.p_interval[0]) / 2
    assert abs(found.p_value - exact) < 4 * sigma
    assert sigma < 0.2 * exact
    assert abs(found.p_value - p) > 5 * sigma
    assert found.tail == (p < 1e-3)
    assert found.z == pytest.approx(norm.isf(found.p_value), rel=1e-6)
    assert found.z_interval[0] < found.z < found.z_interval[1]


@pytest.mark.parametrize("p", [(1e-5, 0.02, 0.3, 0.5), (1e-3, 1e-3, 1e-3, 1e-4)])
def test_the_product_of_independent_p_values(independent: JointNull, p: tuple[float, ...]) -> None:
    """One test alone, or all together: within four standard deviations of chi2(2 K)."""
    found = JointGlobalNull(independent, Combination("product"), draws=50_000).global_p(chi2.isf(p, MODES))
    exact = chi2.sf(2 * found.statistic, 2 * K)
    sigma = (found.p_interval[1] - found.p_interval[0]) / 2
    assert found.tail
    assert abs(found.p_value - exact) < 4 * sigma
    assert sigma < 0.15 * exact


def test_what_no_draw_reaches_is_a_limit(independent: JointNull) -> None:
    """A small mean of many independent p-values takes all of them at once, which hardly a tilted draw brings about."""
    found = JointGlobalNull(independent, Combination("average"), draws=1000).global_p(chi2.isf([1e-9] * K, MODES))
    assert not found.tail
    assert found.p_value == pytest.approx(1 / 1001)
    assert found.p_interval[0] == 0
    assert found.z_interval[1] == np.inf


@pytest.mark.parametrize("p", [0.3, 1e-8])
@pytest.mark.parametrize("name", ["min-p", "product", "average", "smooth-max"])
def test_a_test_and_its_copies_have_the_p_value_of_one(name, p: float) -> None:
    modes = np.diag([2.0, 1.0, 0.5])
    three = JointNull.of(np.tile(modes, (3, 3)), [3, 3, 3])
    t = WeightedChi2Null(np.diag(modes)).threshold(p)
    found = JointGlobalNull(three, Combination(name), draws=20_000).global_p(np.full(3, t))
    sigma = (found.p_interval[1] - found.p_interval[0]) / 2
    # Copies differ by rounding, so a draw may be on either side.
    assert abs(found.p_value - p) < 4 * sigma + 1e-6 * p


def two_tests(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """t of two correlated tests: chi2(1), and chi2(2) with that variable in it."""
    z = rng.normal(size=(*shape, 2)) ** 2
    return np.stack([z[..., 0], z.sum(axis=-1)], axis=-1)


def test_ranks_of_toys_are_never_too_small_and_ties_cost_little(rng: np.random.Generator) -> None:
    """400 data samples, each with 99 toys of its own; one-sided binomial errors of 3.1 sigma, size 1e-3."""
    p = np.array(
        [ToyGlobalNull(t[1:], Combination("min-p")).global_p(t[0]).p_value for t in two_tests(rng, (400, 100))]
    )
    for level in (0.05, 0.3):
        assert 0.5 * level < (p <= level).mean() < level + 3.1 * np.sqrt(level * (1 - level) / 400)


@pytest.mark.parametrize("wrong", [1.0, 1.5], ids=["right", "wrong"])
def test_toys_make_wrong_marginals_right(rng: np.random.Generator, wrong: float) -> None:
    """4000 toys and 2000 data samples: P(p <= level) within 4 sigma of level, though one of them is off by half."""
    marginals = [WeightedChi2Null(np.array([wrong])), WeightedChi2Null(np.ones(2))]
    null = ToyGlobalNull(two_tests(rng, (4000,)), Combination("min-p"), marginals)
    p = np.array([null.global_p(t).p_value for t in two_tests(rng, (2000,))])
    for level in (0.05, 0.3):
        assert abs((p <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) * (1 / 2000 + 1 / 4000))


def test_failed_toys_exceed_any_data() -> None:
    t = np.array([[1.0, 1.0], [np.nan, 0.1], [0.2, 0.3], [0.3, np.nan]])
    for marginals in (None, [WeightedChi2Null(np.ones(1))] * 2):
        found = ToyGlobalNull(t, Combination("min-p"), marginals).global_p(np.array([50.0, 50.0]))
        assert (found.kind, found.exceeding, found.draws) == ("empirical", 2, 4)
        assert found.p_value == 3 / 5
        assert "2 failed fits counted as exceeding" in found.null


def test_ranks_count_ties_in_full() -> None:
    ranks = np.exp(log_ranks(np.array([[3.0], [1.0], [3.0], [2.0]])))[:, 0]
    np.testing.assert_allclose(ranks, [0.5, 1.0, 0.5, 0.75])


def _correlation(covariance: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)
