"""The weighted sum of chi2 variables: exact answers at any depth, independent methods, draws, and refusals."""

from __future__ import annotations

import time
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erfcx, ndtri_exp
from scipy.stats import binom, chi2, ncx2, norm

from nplm.stats.chebyshev_table import LogTable
from nplm.stats.contour_integral import SumOfSquares, _integral
from nplm.stats.power import signal_power
from nplm.stats.weighted_chi2 import FittedWeightedChi2Null, WeightedChi2Null, fit_weighted_chi2

# As many weights as the kernel of width 2.3 has, from a fast to a slow fall, and one that dominates.
FALLING = {
    "ten": np.exp(-0.5 * np.arange(10)),
    "steps": 1 - (np.arange(20) / 20) ** 4,
    "dominated": np.append(1.0, np.full(400, 0.01)),
}


def log_sum_of_exponentials(means: list[Decimal], t: float) -> float:
    """log P(sum of exponential variables > t), exact by partial fractions, with 80 digits as they cancel."""
    with localcontext() as context:
        context.prec = 80
        total = Decimal(0)
        for i, a in enumerate(means):
            share = Decimal(1)
            for j, b in enumerate(means):
                share *= 1 if i == j else a / (a - b)
            total += share * (-Decimal(t) / a).exp()
        return float(total.ln())


def log_even_chi2(k: int, t: float) -> float:
    """log P(chi2(k) > t) for an even k: exp(-t/2) sum_{j < k/2} (t/2)^j / j!."""
    with localcontext() as context:
        context.prec = 40
        term = total = Decimal(1)
        for j in range(1, k // 2):
            term *= Decimal(t) / 2 / j
            total += term
        return float(total.ln() - Decimal(t) / 2)


def ruben(weights: np.ndarray, t: float, terms: int) -> float:
    """P(T > t) as a series of chi2 tails, all terms positive (H. Ruben, Ann. Math. Stat. 33 (1962) 542).

    With b the least weight, T is b chi2(n + 2 K) with a random K >= 0 of P(K = j) = a_j: a_0 = prod sqrt(b / w_k),
    and j a_j = sum_{r = 1..j} g_r a_{j - r}, g_r = sum_k (1 - b / w_k)^r / 2.
    """
    b = weights.min()
    powers = np.cumprod(np.repeat((1 - b / weights)[None], terms, axis=0), axis=0).sum(axis=1) / 2
    a = np.zeros(terms + 1)
    a[0] = np.prod(np.sqrt(b / weights))
    for j in range(1, terms + 1):
        a[j] = powers[:j] @ a[j - 1 :: -1][:j] / j
    assert a.sum() <= 1 + 1e-12
    rest = 1 - a.sum()
    p = float(a @ chi2.sf(t / b, len(weights) + 2 * np.arange(terms + 1)))
    assert rest < 1e-6, "too few terms to speak of"
    assert a[-1] / (1 - a[-1] / a[-2]) < 1e-10 * p, "the terms left out could be seen"
    return p


def lugannani_rice(weights: np.ndarray, t: float) -> float:
    """P(T > t) above the mean from the saddle alone (Lugannani and Rice, Adv. Appl. Probab. 12 (1980) 475).

    With K'(s) = t, w = sqrt(2 (s t - K)) and u = s sqrt(K''): P(Normal > w) + density(w) (1/u - 1/w).
    """
    end = 1 / (2 * weights.max())
    s = float(brentq(lambda s: (weights / (1 - 2 * s * weights)).sum() - t, 0, end * (1 - 1e-9), xtol=1e-15))
    factors = 1 - 2 * s * weights
    w = np.sqrt(2 * (s * t + 0.5 * np.log(factors).sum()))
    u = s * np.sqrt(2 * ((weights / factors) ** 2).sum())
    return float(norm.pdf(w) * (np.sqrt(np.pi / 2) * erfcx(w / np.sqrt(2)) + 1 / u - 1 / w))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 13, 100, 1000])
def test_equal_weights_are_a_chi2(k: int) -> None:
    """To 1e-12 in both tails, from p = 1 - 1e-12 to p = 1e-300."""
    null = WeightedChi2Null(np.full(k, 0.7))
    p = np.array([1e-300, 1e-200, 1e-100, 1e-30, 1e-15, 2.87e-7, 1e-3, 0.1, 0.3, 0.5, 0.9, 1 - 1e-6, 1 - 1e-12])
    t = 0.7 * chi2.isf(p, k)
    # SciPy's own digits end at 2e-13 below p = 1e-100, and there the rounding of t alone moves p by 1e-13.
    np.testing.assert_allclose(null.pvalues(t), chi2.sf(t / 0.7, k), rtol=1e-12)
    lower = [np.exp(null._log_tails(float(v))[1]) for v in t[p > 0.4]]
    np.testing.assert_allclose(lower, chi2.cdf(t[p > 0.4] / 0.7, k), rtol=1e-12)
    assert (null.mean, null.sd) == (pytest.approx(0.7 * k), pytest.approx(0.7 * np.sqrt(2 * k)))
    assert null.skewness == pytest.approx(np.sqrt(8 / k))
    # A control: weights 1% wrong are seen.
    assert not np.allclose(null.pvalues(1.01 * t), chi2.sf(t / 0.7, k), rtol=1e-6)


@pytest.mark.parametrize("k", [2, 50, 2000, 10_000])
@pytest.mark.parametrize("depth", [1.5, 3.0, 30.0])
def test_the_deepest_tails_are_exact(k: int, depth: float) -> None:
    """Up to depths of Z = 400, to some roundings of log p."""
    t = float(depth * k + 100)
    exact = log_even_chi2(k, t)
    null = WeightedChi2Null(np.ones(k))
    assert null.log_pvalue(t) == pytest.approx(exact, rel=1e-15, abs=5e-13)
    assert null.z(t) == pytest.approx(-float(ndtri_exp(exact)), rel=1e-12)


@pytest.mark.parametrize(
    "weights", [[0.5, 1.0], [0.25, 1.5, 3.0], [1.0, 1.125, 1.25, 1.5], list(0.125 * np.arange(1, 13))]
)
def test_pairs_of_equal_weights_are_sums_of_exponentials(weights: list[float]) -> None:
    """Five sigma, p = 1e-15, Z = 40 and the bulk, to 1e-12: each pair is an exponential variable of mean 2 w."""
    null = WeightedChi2Null(np.repeat(weights, 2))
    means = [2 * Decimal(w) for w in weights]
    for t in [null.threshold(p) for p in (0.9, 0.5, 0.1, float(norm.sf(5)), 1e-15)] + [null.threshold_of_z(40)]:
        exact = log_sum_of_exponentials(means, t)
        assert null.log_pvalue(t) == pytest.approx(exact, abs=1e-12)
        wrong = log_sum_of_exponentials([Decimal("1.03") * m for m in means], t)
        assert abs(null.log_pvalue(t) - wrong) > 1e-3


@pytest.mark.parametrize(
    ("weights", "terms"),
    [(np.array([1.0, 0.3]), 1000), (np.exp(-0.25 * np.arange(9)), 1500), (FALLING["steps"], 2000)],
    ids=["two", "nine", "twenty"],
)
def test_an_independent_series_agrees(weights: np.ndarray, terms: int) -> None:
    """Ruben's series at p = 0.8, five sigma and p = 1e-15, to 1e-10; a weight 3% off does not agree."""
    null = WeightedChi2Null(weights)
    for p in (0.8, float(norm.sf(5)), 1e-15):
        t = null.threshold(p)
        assert ruben(weights, t, terms) == pytest.approx(p, rel=1e-10, abs=0)
        assert ruben(weights * np.where(weights == 1, 1.03, 1), t, terms) != pytest.approx(p, rel=1e-3, abs=0)


@pytest.mark.parametrize("name", FALLING)
def test_the_saddle_alone_says_the_same_within_its_accuracy(name: str) -> None:
    """Lugannani and Rice: 7% from two sigma to five where one weight dominates, and 1% where many share t."""
    null = WeightedChi2Null(FALLING[name])
    for z in (2.0, 3.0, 5.0):
        t = null.threshold_of_z(z)
        assert lugannani_rice(null.weights, t) == pytest.approx(
            null.pvalue(t), rel=0.01 if name == "steps" else 0.07, abs=0
        )
    many = WeightedChi2Null(np.linspace(0.5, 1, 300))
    for z in (2.0, 5.0, 8.0):
        t = many.threshold_of_z(z)
        assert lugannani_rice(many.weights, t) == pytest.approx(many.pvalue(t), rel=0.01, abs=0)
        assert lugannani_rice(1.03 * many.weights, t) != pytest.approx(many.pvalue(t), rel=0.05, abs=0)


def within_counting(null: WeightedChi2Null, draws: np.ndarray, smallest: float) -> bool:
    """Whether the draws beyond quantiles, in both tails, are as many as a binomial of 4 sigma allows."""
    for p in (1 - 1e-3, 0.9, 0.5, 0.1, 1e-2, 1e-3, smallest):
        beyond = int((draws >= null.threshold(p)).sum())
        if min(binom.cdf(beyond, len(draws), p), binom.sf(beyond - 1, len(draws), p)) < norm.sf(4):
            return False
    return True


def drawn(weights: np.ndarray, shift: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    t = np.zeros(size)
    for w, d in zip(weights, shift, strict=True):
        t += w * (rng.standard_normal(size) + d) ** 2
    return t


@pytest.mark.parametrize("shifted", [False, True])
def test_draws_follow_it(shifted: bool, rng: np.random.Generator) -> None:
    """500,000 draws; weights, or the shift, 3% wrong are seen."""
    weights = FALLING["ten"]
    shift = np.where(shifted, 1.5 - 0.3 * np.arange(10), 0.0)
    draws = drawn(weights, shift, 500_000, rng)
    assert within_counting(WeightedChi2Null(weights, shift), draws, 1e-4)
    assert not within_counting(WeightedChi2Null(1.03 * weights, shift), draws, 1e-4)
    assert not shifted or not within_counting(WeightedChi2Null(weights, 1.03 * shift), draws, 1e-4)


@pytest.mark.slow
def test_ten_million_draws_follow_it(rng: np.random.Generator) -> None:
    draws = drawn(FALLING["steps"], np.zeros(20), 10_000_000, rng)
    assert within_counting(WeightedChi2Null(FALLING["steps"]), draws, 1e-5)
    assert not within_counting(WeightedChi2Null(1.003 * FALLING["steps"]), draws, 1e-5)


@pytest.mark.parametrize(("k", "distance"), [(1, 0.5), (1, 5.0), (3, 2.0), (10, 30.0), (100, 3.0)])
def test_a_shift_makes_it_a_non_central_chi2(k: int, distance: float, rng: np.random.Generator) -> None:
    """Only the length of the shift counts, and SciPy's ncx2 agrees in both tails to 1e-11."""
    shift = rng.normal(size=k)
    shift *= distance / np.linalg.norm(shift)
    null = WeightedChi2Null(np.ones(k), shift)
    p = np.array([1e-12, 2.87e-7, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-6])
    t = ncx2.isf(p, k, distance**2)
    np.testing.assert_allclose(null.pvalues(t), ncx2.sf(t, k, distance**2), rtol=1e-11)
    lower = [np.exp(null._log_tails(float(v))[1]) for v in t]
    np.testing.assert_allclose(lower, ncx2.cdf(t, k, distance**2), rtol=1e-11)
    mean, variance, skewness = (float(m) for m in ncx2.stats(k, distance**2, moments="mvs"))
    assert (null.mean, null.sd, null.skewness) == pytest.approx((mean, np.sqrt(variance), skewness))
    assert "shifted by a signal" in null.describe()


@pytest.mark.parametrize("name", FALLING)
def test_quantiles_are_the_inverse_of_tails_at_any_depth(name: str) -> None:
    null = WeightedChi2Null(FALLING[name])
    for z in (-8.0, -5.0, -1.0, 0.0, 2.0, 5.0, 40.0, 200.0):
        assert null.z(null.threshold_of_z(z)) == pytest.approx(z, rel=1e-11, abs=1e-11)
    p = np.array([1e-300, 1e-15, 2.87e-7, 1e-3, 0.1, 0.4, 0.5, 0.9, 1 - 1e-7])
    t = np.array([null.threshold(float(v)) for v in p])
    assert np.all(np.diff(t) < 0)
    np.testing.assert_allclose(null.pvalues(t), p, rtol=1e-11)
    np.testing.assert_allclose(null.thresholds(p), t, rtol=1e-10)
    assert null.threshold_of_z(5.0) == pytest.approx(null.threshold(float(norm.sf(5))), rel=1e-12)
    # The extremes that a p-value can have.
    assert (null.threshold(0.0), null.threshold(1.0)) == (np.inf, 0.0)
    assert (null.pvalue(-1.0), null.pvalue(0.0), null.pvalue(np.inf)) == (1.0, 1.0, 0.0)
    assert (null.z(0.0), null.z(np.inf)) == (-np.inf, np.inf)
    assert np.isnan(null.pvalue(np.nan))


@pytest.mark.parametrize(
    "weights",
    [np.ones(1), np.array([1.0, 0.2]), FALLING["ten"], np.exp(-10 * np.linspace(0, 1, 500))],
    ids=["one", "two", "ten", "five hundred"],
)
def test_many_p_values_are_quick_and_as_good_as_one(weights: np.ndarray, rng: np.random.Generator) -> None:
    """100,000 in less than two seconds, far tails on both sides among them; 1e-10 is allowed for the table."""
    null = WeightedChi2Null(weights)
    t = np.concatenate([null.mean * rng.lognormal(0, 1, 99_999 - 3), null.mean * np.array([1e-6, 1.0, 100.0])])
    t = np.append(t, np.inf)
    began = time.process_time()
    z = null.z_scores(t)
    assert time.process_time() - began < 2
    p, log_p = null.pvalues(t), null.log_pvalues(t)
    few = np.concatenate([rng.integers(0, len(t), 100), np.arange(len(t) - 4, len(t))])
    np.testing.assert_allclose(p[few], [null.pvalue(float(v)) for v in t[few]], rtol=1e-10)
    np.testing.assert_allclose(log_p[few], [null.log_pvalue(float(v)) for v in t[few]], rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(z[few], [null.z(float(v)) for v in t[few]], rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(null.pvalues(t[:3]), [null.pvalue(float(v)) for v in t[:3]])
    assert null.pvalues(np.zeros(0)).shape == (0,)


def test_weights_are_grouped_and_invisible_ones_dropped() -> None:
    """Order, zeros and weights below 1e-16 of the largest do not count; 300 weights of 1e-3 do, as a shift of 0.3."""
    weights = np.array([0.5, 2.0, 0.5, 1.0, 2.0])
    null, padded = WeightedChi2Null(weights), WeightedChi2Null(np.concatenate([[0.0, 1e-20], weights[::-1], [0.0]]))
    form = padded._form
    np.testing.assert_array_equal(form.counts, [2, 1, 2])
    np.testing.assert_array_equal(form.ratios, [0.25, 0.5, 1.0])
    for t in (1.0, 6.0, 60.0, 600.0):
        assert padded.log_pvalue(t) == null.log_pvalue(t)
    many = WeightedChi2Null(np.append(weights, np.full(300, 1e-3)))
    assert many.threshold_of_z(3.0) == pytest.approx(null.threshold_of_z(3.0) + 0.3, abs=0.01)
    assert null.describe() == "weighted sum of 5 chi2 variables with mean 6 and standard deviation 4.359"


def test_the_scale_only_stretches_t() -> None:
    null = WeightedChi2Null(FALLING["ten"])
    for scale in (1e-99, 1e-8, 1e90):
        scaled = WeightedChi2Null(scale * FALLING["ten"])
        for z in (-3.0, 0.0, 5.0):
            assert scaled.threshold_of_z(z) == pytest.approx(scale * null.threshold_of_z(z), rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "shift", "message"),
    [
        ([1.0, -1e-18], None, "a weight of a weighted chi2 is -1e-18, and t is a sum of squares"),
        ([0.0, 0.0], None, "needs a positive weight"),
        ([], None, "needs a positive weight"),
        ([1e-200], None, "the largest weight of a weighted chi2 is 1e-200: take t in other units"),
        ([1.0, np.nan], None, "finite numbers"),
        ([1.0, np.inf], None, "finite numbers"),
        pytest.param([[1.0]], None, "a list of finite numbers", marks=pytest.mark.wrong_arrays),
        pytest.param([1.0, 2.0], [1.0], "must be 2 finite numbers", marks=pytest.mark.wrong_arrays),
        ([1.0], [np.nan], "must be 1 finite numbers"),
    ],
)
def test_what_is_no_weighted_chi2_is_refused(weights: list[float], shift: list[float] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeightedChi2Null(np.array(weights), None if shift is None else np.array(shift))


def test_a_probability_that_is_none_is_refused() -> None:
    for p in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            WeightedChi2Null(np.ones(2)).threshold(p)


def test_a_tail_that_cannot_be_computed_is_an_error_and_no_number() -> None:
    """Integrands that do not fall off or are too rough, and a function that is."""
    with pytest.raises(ArithmeticError, match="does not fall off"):
        _integral(np.ones_like)
    with pytest.raises(ArithmeticError, match="moved from"):
        _integral(lambda v: np.where(v < np.sqrt(2), 1.0, 0.0))
    # The upper tail where it is nearly one is a difference of large numbers, and never asked for.
    form = SumOfSquares.of(np.linspace(0.5, 1, 5000), np.zeros(5000))
    with pytest.raises(ArithmeticError, match="moved from"):
        form.log_tail(0.2 * form.slope(1.0), upper=True)
    with pytest.raises(ArithmeticError, match="too rough"):
        LogTable.of(lambda x: float(np.sin(1e5 * x)), 0.0, 1.0)


def test_a_scale_is_fitted_by_the_mean_and_scatters_by_its_error(rng: np.random.Generator) -> None:
    """2000 fits to 100 toys of 1.2 times the mixture: mean and standard deviation of the pulls to 4 of their errors."""
    weights = FALLING["ten"]
    null = WeightedChi2Null(weights)
    t = 1.2 * (rng.chisquare(1, (2000, 100, 10)) @ weights)
    fits = [fit_weighted_chi2(row, null) for row in t]
    pulls = np.array([(fit.scale - 1.2) / (fit.error * 1.2 / fit.scale) for fit in fits])
    assert pulls.mean() == pytest.approx(0, abs=4 / np.sqrt(2000))
    assert pulls.std() == pytest.approx(1, abs=4 * 0.02)
    assert abs(np.mean([(fit.scale - 1.2 * 1.03) / fit.error for fit in fits])) > 8 / np.sqrt(2000)
    fit = fit_weighted_chi2(np.append(t[0], np.nan), null)
    assert (fit.scale, fit.toys, fit.failed) == (fits[0].scale, 100, 1)
    assert fit.describe().endswith("fitted to 100 toys (1 failed left out)")
    for few in (np.array([1.0, 2.0, np.nan]), np.zeros(5), np.array([1.0, 2.0, np.inf])):
        with pytest.raises(ValueError, match="the scale of a weighted chi2"):
            fit_weighted_chi2(few, null)


def test_a_fitted_scale_is_that_of_the_weights_and_its_error_moves_the_p_value() -> None:
    weights = FALLING["ten"]
    fit = FittedWeightedChi2Null(WeightedChi2Null(weights), 1.1, 0.05, 400)
    low, middle, high = (WeightedChi2Null(scale * weights) for scale in (1.05, 1.1, 1.15))
    assert (fit.kind, middle.kind) == ("analytic fitted", "analytic")
    assert fit.pvalue(12.0) == pytest.approx(middle.pvalue(12.0))
    assert (fit.z(12.0), fit.log_pvalue(12.0)) == pytest.approx((middle.z(12.0), middle.log_pvalue(12.0)))
    t = np.array([0.1, 3.0, 30.0])
    np.testing.assert_allclose(fit.pvalues(t), middle.pvalues(t), rtol=1e-10)
    np.testing.assert_allclose(fit.z_scores(t), middle.z_scores(t), rtol=1e-10)
    assert fit.interval(12.0) == pytest.approx((low.pvalue(12.0), high.pvalue(12.0)))
    assert fit.threshold(0.01) == pytest.approx(middle.threshold(0.01))
    assert fit.threshold_of_z(9.0) == pytest.approx(middle.threshold_of_z(9.0))
    assert fit.threshold_interval(0.01) == pytest.approx((low.threshold(0.01), high.threshold(0.01)))
    assert middle.interval(12.0) == (middle.pvalue(12.0),) * 2
    assert middle.threshold_interval(0.01) == (middle.threshold(0.01),) * 2


def test_power_can_be_read_against_a_mixture(rng: np.random.Generator) -> None:
    """10,000 signal toys: the share beyond five sigma is what the shifted mixture says, to 4 sigma."""
    weights, shift = FALLING["ten"], np.append(5.0, np.zeros(9))
    null = WeightedChi2Null(weights)
    power = signal_power(null, drawn(weights, shift, 10_000, rng))
    expected = WeightedChi2Null(weights, shift).pvalue(null.threshold_of_z(5.0))
    assert (power.kind, power.at[-1].z) == ("analytic", 5.0)
    assert power.at[-1].power == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 10_000))
