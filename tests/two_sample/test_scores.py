"""The statistic: one step and maximum against direct computation, and the identities that it must satisfy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from nplm import Sample
from nplm.two_sample.logistic_fit import _fit, fit_labels
from nplm.two_sample.modes import Basis, KernelTest
from nplm.two_sample.pooled import Pool
from nplm.two_sample.scores import Scores
from nplm.two_sample.test import TwoSampleTest
from tests.two_sample.samples import gaussians, signed


def _basis(a: Sample, b: Sample, expected_ratio: float | None = None) -> Basis:
    return Basis.of(Pool.of(a, b, expected_ratio=expected_ratio), [0.8, 2.5], [1e-2, 1e-3], 40)


def _loss(basis: Basis, test: KernelTest, theta: np.ndarray) -> float:
    """The penalized cross-entropy, written down from its definition; theta holds the constant and b."""
    pool = basis.pool
    f = theta[0] + basis(pool.events)[:, test.columns] @ theta[1:]
    share = pool.share
    chance = share * np.exp(f) / (1 - share + share * np.exp(f))
    entropy = -np.sum(pool.masses * np.where(pool.in_b, np.log(chance / share), np.log((1 - chance) / (1 - share))))
    return float(entropy + pool.unit * np.sum(test.ratios * theta[1:] ** 2) / 2)


def test_one_step_is_that_of_newton_on_the_cross_entropy(rng) -> None:
    """Derivatives at f = 0 by differences; t is twice what the expansion gains, the penalty left out."""
    a, b = gaussians(rng, 60), gaussians(rng, 45, shift=0.5)
    basis = _basis(a, b)
    test = basis.tests[-2]
    r, h = len(test.ratios) + 1, 1e-3
    unit = np.eye(r) * h

    def loss(theta: np.ndarray) -> float:
        return _loss(basis, test, theta)

    zero = loss(np.zeros(r))
    gradient = np.array([(loss(e) - loss(-e)) / (2 * h) for e in unit])
    hessian = np.array(
        [[(loss(d + e) - loss(d - e) - loss(e - d) + loss(-d - e)) / (4 * h * h) for d in unit] for e in unit]
    )
    step = -np.linalg.solve(hessian, gradient)
    penalty = basis.pool.unit * np.sum(test.ratios * step[1:] ** 2)
    t = -2 * gradient @ step - step @ hessian @ step + penalty
    assert zero == pytest.approx(0, abs=1e-10)
    found = (Scores.observed(basis).modes[0, test.columns] ** 2) @ (1 - (test.ratios / (1 + test.ratios)) ** 2)
    assert found == pytest.approx(t, rel=2e-5)
    # What is cut off is less than it may be.
    assert Scores.observed(basis).statistics(basis)[0, -2] == pytest.approx(t, rel=5e-3)


def test_converged_is_the_minimum_that_scipy_finds(rng) -> None:
    a, b = gaussians(rng, 80), gaussians(rng, 50, shift=0.7)
    basis = _basis(a, b)
    test = basis.tests[-1]
    fits = fit_labels(basis, test, basis.pool.in_b[None])
    used = test.shrinkage > 0
    start = np.zeros(1 + int(used.sum()))

    def spread(theta: np.ndarray) -> np.ndarray:
        full = np.zeros(1 + len(used))
        full[0], full[1:][used] = theta[0], theta[1:]
        return full

    best = minimize(lambda theta: _loss(basis, test, spread(theta)), start, method="BFGS", options={"gtol": 1e-8})
    theta = spread(best.x)
    penalty = basis.pool.unit * np.sum(test.ratios * theta[1:] ** 2)
    assert fits.converged[0]
    assert fits.t[0] == pytest.approx(-2 * best.fun + penalty, rel=1e-6)
    np.testing.assert_allclose(np.append(fits.constant, fits.coefficients), theta, atol=1e-5)


def test_fits_of_other_samples_share_compilations(rng) -> None:
    sizes, compiled = set(), _fit._cache_size()
    for n in range(60, 100, 5):
        a, b = gaussians(rng, n), gaussians(rng, n - 10, shift=0.5)
        basis = _basis(a, b)
        fits = fit_labels(basis, basis.tests[0], basis.pool.in_b[None])
        assert fits.coefficients.shape[1] == len(basis.tests[0].ratios)
        sizes.add((len(basis.pool), int((basis.tests[0].shrinkage > 0).sum())))
    assert len(sizes) == 8
    assert len({modes for _, modes in sizes}) > 1
    assert _fit._cache_size() <= compiled + 4


@pytest.mark.parametrize("statistic", ["one-step", "converged"])
@pytest.mark.parametrize("ratio", [None, 0.7])
def test_exchange_of_the_samples_changes_nothing_but_the_sign_of_f(rng, statistic, ratio) -> None:
    a, b = gaussians(rng, 200), signed(rng, 150, shift=0.3)
    several = statistic == "one-step"
    settings = {"statistic": statistic, "widths": [0.7, 2.0] if several else [1.0], "centers": 50}
    settings |= {"penalties": [1e-2, 1e-3] if several else [1e-2]}
    there = TwoSampleTest(a, b, expected_ratio=ratio, **settings)
    back = TwoSampleTest(b, a, expected_ratio=None if ratio is None else 1 / ratio, **settings)
    np.testing.assert_allclose(back.t, there.t, rtol=1e-10)
    one, two = (test.run("asymptotic", draws=2000) for test in (there, back))
    assert one.p_value == pytest.approx(two.p_value, rel=1e-10)
    np.testing.assert_allclose(one.log_ratio_a, -two.log_ratio_b, atol=1e-8)
    if statistic == "one-step":
        assert there.run("bootstrap", 99).p_value == back.run("bootstrap", 99).p_value


@pytest.mark.parametrize("ratio", [None, 0.7])
@pytest.mark.parametrize("sizes", [(200, 150), (150, 200), (150, 150)])
def test_permutations_do_not_know_which_sample_is_called_a(rng, ratio, sizes) -> None:
    a, b = gaussians(rng, sizes[0]), gaussians(rng, sizes[1], shift=0.1)
    there = TwoSampleTest(a, b, expected_ratio=ratio).resampled("permutation", 50)
    back = TwoSampleTest(b, a, expected_ratio=None if ratio is None else 1 / ratio).resampled("permutation", 50)
    np.testing.assert_allclose(there, back, rtol=1e-9, atol=1e-9)


def test_order_of_events_does_not_matter(rng) -> None:
    a, b = gaussians(rng, 200), signed(rng, 150)
    shuffled = TwoSampleTest(a.select(rng.permutation(200)), b.select(rng.permutation(150)))
    np.testing.assert_allclose(shuffled.t, TwoSampleTest(a, b).t, rtol=1e-10)


def test_units_of_features_and_weights_do_not_matter(rng) -> None:
    a, b = gaussians(rng, 200), signed(rng, 150)
    other = Sample(3 * a.events - 7, 0.01 * a.weights), Sample(3 * b.events - 7, 50 * b.weights)
    np.testing.assert_allclose(TwoSampleTest(*other).t, TwoSampleTest(a, b).t, rtol=1e-5)


def test_features_are_centred_and_white(rng) -> None:
    """Sum m phi = 0 and sum m^2 phi phi^T = N within a width, signed weights included."""
    basis = _basis(gaussians(rng, 200), signed(rng, 150))
    masses = basis.pool.masses
    for kernel in basis.kernels:
        phi = kernel(basis.pool.events)
        np.testing.assert_allclose(masses @ phi, 0, atol=1e-7)
        np.testing.assert_allclose(
            (phi * masses[:, None] ** 2).T @ phi / basis.pool.total, np.eye(kernel.count), atol=1e-7
        )


def test_much_larger_a_gives_nplms_t(rng) -> None:
    """With N_A >> N_B the maximum is that of sum_B f - N_B <e^f - 1>_A, found here by scipy."""
    large = gaussians(rng, 4000, dimension=1)
    b = gaussians(rng, 40, dimension=1, shift=0.4)
    a = Sample(np.repeat(large.events, 25, axis=0))
    basis = Basis.of(Pool.of(a, b), [2.0], [1e-2], 30)
    test = basis.tests[0]
    fits = fit_labels(basis, test, basis.pool.in_b[None])
    used = test.shrinkage > 0
    phi, in_b = basis(basis.pool.events)[:, test.columns][:, used], basis.pool.in_b

    def loss(theta: np.ndarray) -> float:
        f = theta[0] + phi @ theta[1:]
        return float(
            len(b) * np.expm1(f[~in_b]).mean() - f[in_b].sum() + len(b) * test.ratios[used] @ theta[1:] ** 2 / 2
        )

    best = minimize(loss, np.zeros(1 + int(used.sum())), method="BFGS")
    t = -2 * best.fun + len(b) * test.ratios[used] @ best.x[1:] ** 2
    assert fits.t[0] == pytest.approx(t, rel=5e-3)


def test_yields_have_the_binomial_ratio(rng) -> None:
    """For unit weights t of the yields is the deviance of n_B of n at the expected share, or its square."""
    a, b = gaussians(rng, 210), gaussians(rng, 130)
    share = 0.5 / 1.5
    step = TwoSampleTest(a, b, expected_ratio=0.5).t[-1]
    maximum = TwoSampleTest(a, b, expected_ratio=0.5, statistic="converged", widths=[2.0], penalties=[1e-2]).t[-1]
    assert step == pytest.approx((130 - 340 * share) ** 2 / (340 * share * (1 - share)))
    assert maximum == pytest.approx(2 * (130 * np.log(130 / (340 * share)) + 210 * np.log(210 / (340 * (1 - share)))))
