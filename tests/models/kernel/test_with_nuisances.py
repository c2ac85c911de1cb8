"""The kernel model with nuisances: t = tau - Delta, and its null."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import kstest

from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample
from nplm.data import Scaler
from nplm.likelihood import log_linear
from nplm.likelihood.fits import Fits
from nplm.models.kernel import fit as kernel_fit
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance import CorrelatedGaussian, Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.toys import Campaign, PoolSampler, run_campaign, sampler_at
from tests.nuisance.problems import (
    SIGMA,
    draw_data,
    draw_reference,
    finite_loss,
    loss,
    scale,
    scale_and_normalization,
)

# Probability that a right program fails one of the statistical tests.
SIZE = 1e-3


def prepare(
    nuisances: Nuisances, reference: Sample, width: float = 2.3, exact: bool = True
) -> PreparedKernelWithNuisances:
    model = KernelModel(width=width, centers=200, selection="covering", reference_exact=exact)
    test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    return test.prepared


def nuisance_fits(fits: Fits) -> tuple[np.ndarray, np.ndarray]:
    assert fits.delta is not None
    assert fits.nu_tau is not None
    return fits.delta, fits.nu_tau


@pytest.mark.parametrize("exact", [True, False])
def test_tau_is_the_minimum_that_a_quasi_newton_method_finds(exact: bool) -> None:
    rng = np.random.default_rng(2)
    nuisances, reference = scale_and_normalization(), draw_reference(rng, 3000)
    prepared = prepare(nuisances, reference, exact=exact)
    # Penalties are relative to the second derivatives, which are 1 / (1 + w) with a finite reference.
    written_out, unit = (loss, 1.0) if exact else (finite_loss, 1 + reference.weights[0])
    modes = prepared.kernel.modes
    data = draw_data(rng, 0.3, 0.1)
    phi, of_data = modes(reference.events), modes(data.events)

    def penalized(point: np.ndarray) -> float:
        b, nu = point[:-2], point[-2:]
        return written_out(nuisances, reference, data, nu, (phi @ b, of_data @ b)) + modes.penalty @ b**2 / 2 / unit

    best = minimize(penalized, np.zeros(modes.count + 2), method="BFGS", options={"gtol": 1e-6, "maxiter": 1000})
    tau = -2 * (best.fun - modes.penalty @ best.x[:-2] ** 2 / 2 / unit)
    fits = prepared.fit([data])
    delta, nu_tau = nuisance_fits(fits)
    assert fits.converged.all()
    assert fits.t[0] + delta[0] == pytest.approx(tau, abs=1e-4)
    assert nu_tau[0] == pytest.approx(best.x[-2:], abs=1e-3)
    lowest = minimize(lambda nu: written_out(nuisances, reference, data, nu), np.zeros(2), options={"gtol": 1e-6})
    assert delta[0] == pytest.approx(-2 * lowest.fun, abs=1e-5)


@pytest.mark.parametrize(
    ("exact", "weights"),
    [
        (True, "equal"),
        (False, "signed"),
        *(pytest.param(e, w, marks=pytest.mark.slow) for e in (True, False) for w in ("equal", "varied")),
    ],
)
def test_nuisances_of_no_effect_change_nothing(exact: bool, weights: str) -> None:
    rng = np.random.default_rng(3)
    size = {"equal": 1.0, "varied": rng.lognormal(0, 0.5, 3000), "signed": np.where(rng.random(3000) < 0.05, -1, 1)}
    reference = Sample(rng.exponential(size=3000), np.full(3000, size[weights])).scaled_to(2000)
    nothing = SeparableLogRatio("nothing", lambda nu: 0.0 * nu)
    prepared = prepare(Nuisances(nothing, GaussianConstraint("nothing", 1.0)), reference, exact=exact)
    data = [Sample(rng.exponential(size=1900)) for _ in range(3)]
    fits = prepared.fit(data)
    np.testing.assert_allclose(fits.t, prepared.kernel.fit(data).t, rtol=1e-6)
    np.testing.assert_allclose(nuisance_fits(fits)[0], 0.0, atol=1e-12)
    # On a line the squares of weights are averages over cells.
    close = 1e-6 if weights == "equal" else 1e-2
    for sample, fixed, normalized in ((None, False, True), (data[0], False, False), (data[0], True, False)):
        nulls = [
            model.null(sample, normalized=normalized, fixed_reference=fixed) for model in (prepared, prepared.kernel)
        ]
        assert nulls[0].mean == pytest.approx(nulls[1].mean, rel=close)


def test_holding_a_nuisance_compiles_nothing(compilations: Callable[[], int]) -> None:
    rng = np.random.default_rng(3)
    prepared, data = prepare(scale_and_normalization(), draw_reference(rng, 3000)), [draw_data(rng, 0.1)]
    free = prepared.fit(data).t[0]
    compilations()
    held = [prepared.fit(data, held=(name,)).t[0] for name in ("scale", "normalization")]
    assert compilations() == 0
    assert len({free, *held}) == 3
    # The count can rise.
    jax.jit(lambda x: x + 18.5)(1.0)
    assert compilations() == 1


def test_two_nuisances_of_the_same_effect_are_one_with_both_uncertainties() -> None:
    rng = np.random.default_rng(4)
    reference = draw_reference(rng, 3000)
    two = SumOfLogRatios([Normalization("first"), Normalization("second")])
    one = Normalization("both")
    data = [Sample(rng.exponential(size=2400)) for _ in range(3)]
    fits = [
        prepare(Nuisances(ratio, GaussianConstraint(ratio.nuisances, sigma)), reference).fit(data)
        for ratio, sigma in ((two, 0.1), (one, 0.1 * np.sqrt(2)))
    ]
    np.testing.assert_allclose(fits[0].t, fits[1].t, rtol=1e-6)
    np.testing.assert_allclose(nuisance_fits(fits[0])[0], nuisance_fits(fits[1])[0], rtol=1e-9)
    assert fits[0].converged.all()


@pytest.mark.slow
@pytest.mark.parametrize("of_reference", [True, False])
def test_many_modes_and_few_have_the_same_minimum(monkeypatch: pytest.MonkeyPatch, of_reference: bool) -> None:
    rng = np.random.default_rng(5)
    reference = draw_reference(rng, 3000)
    data = [draw_data(rng, 0.3, -0.1), draw_data(rng, -0.3, 0.1)]
    exact = prepare(scale_and_normalization(), reference, exact=of_reference).fit(data)
    monkeypatch.setattr(log_linear, "FEW_MODES", 0)
    iterative = prepare(scale_and_normalization(), reference, exact=of_reference).fit(data)
    np.testing.assert_allclose(iterative.t, exact.t, atol=1e-4)
    np.testing.assert_allclose(nuisance_fits(iterative)[1], nuisance_fits(exact)[1], atol=1e-4)
    assert iterative.converged.all()


@pytest.mark.slow
@pytest.mark.parametrize("exact", [True, False])
def test_modes_that_are_held_and_streamed_have_the_same_minimum(monkeypatch: pytest.MonkeyPatch, exact: bool) -> None:
    rng = np.random.default_rng(6)
    events = rng.exponential(size=(2000, 2))
    reference = Sample(events, np.full(2000, 0.5))
    data = [Sample(np.exp(0.2) * rng.exponential(size=(1000, 2)))]
    one = scale()
    # Both features scale: the sum of two exponentials' ratios.
    both = SeparableLogRatio("scale", lambda nu: one.c(nu) * jnp.array([2.0, 1.0]), lambda x: x.sum(axis=1))
    nuisances = [Nuisances(both, GaussianConstraint("scale", 0.1)) for _ in range(2)]
    held = prepare(nuisances[0], reference, exact=exact)
    monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    streamed = prepare(nuisances[1], reference, exact=exact)
    assert held.blocks.centers is None
    assert streamed.blocks.centers is not None
    np.testing.assert_allclose(streamed.fit(data).t, held.fit(data).t, atol=1e-3)
    assert streamed.null_at(np.array([0.2])).mean == pytest.approx(held.null_at(np.array([0.2])).mean, rel=1e-6)


def test_t_is_at_least_the_penalty_that_the_fit_pays() -> None:
    rng = np.random.default_rng(7)
    prepared = prepare(scale_and_normalization(), draw_reference(rng, 3000))
    fits = prepared.fit([draw_data(rng, s, n) for s in (-0.3, 0.0, 0.3) for n in (-0.3, 0.0, 0.3)])
    b = fits.parameters[:, : prepared.kernel.modes.count]
    assert np.all(fits.t >= (prepared.kernel.modes.penalty * b**2).sum(axis=1) - 1e-6)


def test_a_ratio_with_steps_is_not_taken_at_points_that_stand_for_events() -> None:
    rng = np.random.default_rng(8)
    reference = draw_reference(rng, 3000)
    step = SeparableLogRatio(
        "step", lambda nu: jnp.array([0.0 * nu[0], nu[0]]), lambda x: (x[:, 0] > 1.234).astype(float)
    )
    prepared = prepare(Nuisances(step, GaussianConstraint("step", 0.1)), reference)
    assert prepared.blocks.weights.size >= len(reference)
    smooth = prepare(scale_and_normalization(), reference)
    assert smooth.blocks.weights.size < len(reference)


@pytest.mark.parametrize("moved", [-2 * SIGMA, 2 * SIGMA])
@pytest.mark.slow
def test_the_null_at_the_fitted_nu_is_that_of_t(moved: float) -> None:
    """500 toys two standard deviations of the scale away; the null of nu = 0 must fail there, and so must tau."""
    rng = np.random.default_rng(9)
    prepared = prepare(scale_and_normalization(), draw_reference(rng, 200_000))
    fits = prepared.fit([draw_data(rng, moved) for _ in range(500)])
    assert fits.nu_delta is not None
    there = np.array([prepared.null_at(nu).pvalue(t) for nu, t in zip(fits.nu_delta, fits.t, strict=True)])
    frozen = prepared.null_at(np.zeros(2))
    assert kstest(there, "uniform").pvalue > SIZE
    assert kstest([frozen.pvalue(t) for t in fits.t], "uniform").pvalue < SIZE
    tau = fits.t + nuisance_fits(fits)[0]
    assert kstest([frozen.pvalue(t) for t in tau], "uniform").pvalue < SIZE


def three_shapes() -> SumOfLogRatios:
    """A Gaussian whose mean and width move, and that is tilted by tanh x."""
    shift = SeparableLogRatio("shift", lambda nu: jnp.array([-(nu[0] ** 2) / 2, nu[0]]), lambda x: x[:, 0])
    width = SeparableLogRatio(
        "width", lambda nu: jnp.array([-nu[0], -jnp.expm1(-2 * nu[0]) / 2]), lambda x: x[:, 0] ** 2
    )
    tilt = SeparableLogRatio("tilt", lambda nu: jnp.array([0.0 * nu[0], nu[0]]), lambda x: np.tanh(x[:, 0]))
    return SumOfLogRatios([shift, width, tilt])


@pytest.mark.slow
def test_three_shape_nuisances_at_once_keep_the_size() -> None:
    """400 toys, each nuisance one and a half sigma (0.1) away, drawn from the reweighted reference."""
    rng = np.random.default_rng(12)
    nuisances = Nuisances(three_shapes(), GaussianConstraint(("shift", "width", "tilt"), 0.1))
    reference = Sample(rng.normal(size=50_000), np.full(50_000, 0.04))
    test = NPLMTest(reference, KernelModel(width=0.8, centers=60), coordinates="raw", nuisances=nuisances)
    sampler = sampler_at(PoolSampler(reference, 2000.0), nuisances, np.full(3, 0.15))
    toys = run_campaign(Campaign(test, sampler), 400)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    assert toys.nu_delta is not None
    assert toys.delta is not None
    assert toys.converged.all()
    nulls = [test.prepared.null_at(nu, fixed_reference=True) for nu in toys.nu_delta]
    assert kstest([null.pvalue(t) for null, t in zip(nulls, toys.t, strict=True)], "uniform").pvalue > SIZE
    tau = toys.t + toys.delta
    assert kstest([null.pvalue(t) for null, t in zip(nulls, tau, strict=True)], "uniform").pvalue < SIZE


@pytest.mark.slow
def test_correlated_normalizations_keep_the_size() -> None:
    """Two normalizations of 2.5%, correlated by 0.9, at 20,000 events; 1000 toys.

    A test that takes their measurements for independent fires too often.
    """
    rng = np.random.default_rng(13)
    reference = Sample(rng.random(100_000), np.full(100_000, 0.2))
    ratio = SumOfLogRatios([Normalization("first"), Normalization("second")])
    covariance = 0.025**2 * np.array([[1, 0.9], [0.9, 1]])
    data = []
    for auxiliary in rng.multivariate_normal(np.zeros(2), covariance, 1000):
        data.append(Sample(rng.random(rng.poisson(20_000))).with_auxiliary(auxiliary))
    rejected = []
    for assumed in (covariance, np.diag(np.diag(covariance))):
        nuisances = Nuisances(ratio, CorrelatedGaussian(("first", "second"), assumed))
        # Kernels so wide that f is little more than a constant: what correlations decide is a large part of t.
        test = NPLMTest(reference, KernelModel(width=5.0, centers=20), coordinates="raw", nuisances=nuisances)
        null = test.asymptotic_null()
        rejected.append(np.mean([null.pvalue(t) < 0.05 for t in test.fit(data).t]))
    error = np.sqrt(0.05 * 0.95 / len(data))
    assert abs(rejected[0] - 0.05) < 3.3 * error
    assert rejected[1] > 0.05 + 3.3 * error


@pytest.mark.slow
def test_the_null_knows_the_fluctuation_of_the_reference() -> None:
    """A reference as small as the data doubles what fluctuates; 400 pairs of both, uniform, so that no tail is bare."""
    rng = np.random.default_rng(10)
    tilt = SeparableLogRatio("tilt", lambda nu: jnp.array([0.0 * nu[0], nu[0]]), lambda x: x[:, 0] - 0.5)
    nuisances = Nuisances(
        SumOfLogRatios([tilt, Normalization("normalization")]), GaussianConstraint(("tilt", "normalization"), 0.1)
    )
    scaler, centers = Scaler.identity(1), np.linspace(0, 1, 40)[:, None]
    t, means = [], []
    for _ in range(400):
        reference = Sample(rng.random(1000))
        kernel = PreparedKernel.of(reference, scaler, centers, 0.3, 0.01)
        prepared = PreparedKernelWithNuisances.of(kernel, nuisances, reference)
        data = Sample(rng.random(rng.poisson(1000))).with_auxiliary(0.1 * rng.standard_normal(2))
        t.append(prepared.fit([data]).t[0])
        means.append(prepared.null_at(np.zeros(2)).mean)
    error = np.std(t) / np.sqrt(len(t))
    assert abs(np.mean(t) - np.mean(means)) < 3.3 * error
    fixed = prepared.null_at(np.zeros(2), fixed_reference=True).mean
    assert abs(np.mean(t) - fixed) > 10 * error


@pytest.mark.slow
def test_a_reference_as_small_as_the_data_keeps_the_size() -> None:
    """200 pairs of 500 + 500 events, both fresh, the scale one standard deviation up, down, or where it should be: the
    nominal 5% test fires in 5% +- 1.5%; with the reference taken as exact in a quarter or more."""
    nuisances, rejected = scale_and_normalization(), {}
    for exact in (False, True):
        p = []
        for key in range(200):
            rng = np.random.default_rng([key, 1])
            reference, moved = Sample(rng.exponential(size=500)), rng.choice([-SIGMA, 0, SIGMA])
            data = draw_data(rng, moved, expected=500.0)
            model = KernelModel(width=1.0, centers=100, reference_exact=exact)
            test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
            p.append(test.asymptotic_null(data).pvalue(test.statistic(data)))
        rejected[exact] = np.mean(np.array(p) < 0.05)
        assert exact or min(p) > 1e-6
    error = np.sqrt(0.05 * 0.95 / 200)
    assert abs(rejected[False] - 0.05) < 3.3 * error
    assert rejected[True] > 0.05 + 3.3 * error


def test_one_step_is_refused() -> None:
    reference = draw_reference(np.random.default_rng(1), 500)
    nuisances = scale_and_normalization()
    with pytest.raises(ValueError, match="nuisances need the maximum"):
        NPLMTest(reference, KernelModel(width=1.0, centers=20, solver="falkon-step"), nuisances=nuisances)
