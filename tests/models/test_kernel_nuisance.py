"""The kernel model with nuisances: t = tau - Delta, and its law."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import kstest

from nplm import (
    GaussianConstraint,
    KernelModel,
    Normalization,
    NPLMTest,
    Sample,
    Scaler,
    SeparableLogRatio,
    SumOfLogRatios,
)
from nplm.models import kernel_fit, kernel_loss
from nplm.models.base import Fits
from nplm.models.kernel_fit import PreparedKernel
from nplm.models.kernel_nuisance import PreparedKernelWithNuisances
from nplm.nuisance.nuisances import Nuisances
from tests.nuisance.problems import SIGMA, draw_data, draw_reference, loss, scale, scale_and_normalization

# Probability that a right program fails one of the statistical tests.
SIZE = 1e-3


def prepare(nuisances: Nuisances, reference: Sample, width: float = 2.3) -> PreparedKernelWithNuisances:
    model = KernelModel(width=width, centers=200, selection="covering")
    test = NPLMTest(reference, model, standardize=False, nuisances=nuisances)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    return test.prepared


def nuisance_fits(fits: Fits) -> tuple[np.ndarray, np.ndarray]:
    assert fits.delta is not None
    assert fits.nu_tau is not None
    return fits.delta, fits.nu_tau


def test_tau_is_the_minimum_that_a_quasi_newton_method_finds() -> None:
    rng = np.random.default_rng(2)
    nuisances, reference = scale_and_normalization(), draw_reference(rng, 3000)
    prepared = prepare(nuisances, reference)
    modes = prepared.kernel.modes
    data = draw_data(rng, 0.3, 0.1)
    phi, of_data = modes(reference.events), modes(data.events)

    def penalized(point: np.ndarray) -> float:
        b, nu = point[:-2], point[-2:]
        return loss(nuisances, reference, data, nu, (phi @ b, of_data @ b)) + modes.penalty @ b**2 / 2

    best = minimize(penalized, np.zeros(modes.count + 2), method="BFGS", options={"gtol": 1e-6, "maxiter": 1000})
    tau = -2 * (best.fun - modes.penalty @ best.x[:-2] ** 2 / 2)
    fits = prepared.fit([data])
    delta, nu_tau = nuisance_fits(fits)
    assert fits.converged.all()
    assert fits.t[0] + delta[0] == pytest.approx(tau, abs=1e-4)
    assert nu_tau[0] == pytest.approx(best.x[-2:], abs=1e-3)


def test_nuisances_of_no_effect_change_nothing() -> None:
    rng = np.random.default_rng(3)
    reference = draw_reference(rng, 3000)
    nothing = SeparableLogRatio("nothing", lambda nu: 0.0 * nu)
    prepared = prepare(Nuisances(nothing, GaussianConstraint("nothing", 1.0)), reference)
    data = [Sample(rng.exponential(size=1900)) for _ in range(3)]
    fits = prepared.fit(data)
    np.testing.assert_allclose(fits.t, prepared.kernel.fit(data).t, rtol=1e-7)
    np.testing.assert_allclose(nuisance_fits(fits)[0], 0.0, atol=1e-12)
    assert prepared.null_at(np.zeros(1)).mean == pytest.approx(prepared.kernel.null().mean, rel=1e-6)


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


def test_many_modes_and_few_have_the_same_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    reference = draw_reference(rng, 3000)
    data = [draw_data(rng, 0.3, -0.1), draw_data(rng, -0.3, 0.1)]
    exact = prepare(scale_and_normalization(), reference).fit(data)
    monkeypatch.setattr(kernel_loss, "FEW_MODES", 0)
    iterative = prepare(scale_and_normalization(), reference).fit(data)
    np.testing.assert_allclose(iterative.t, exact.t, atol=1e-4)
    np.testing.assert_allclose(nuisance_fits(iterative)[1], nuisance_fits(exact)[1], atol=1e-4)
    assert iterative.converged.all()


def test_modes_that_are_held_and_streamed_have_the_same_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    events = rng.exponential(size=(2000, 2))
    reference = Sample(events, np.full(2000, 0.5))
    data = [Sample(np.exp(0.2) * rng.exponential(size=(1000, 2)))]
    one = scale()
    # Both features scale: the sum of two exponentials' ratios.
    both = SeparableLogRatio("scale", lambda nu: one.c(nu) * jnp.array([2.0, 1.0]), lambda x: x.sum(axis=1))
    nuisances = [Nuisances(both, GaussianConstraint("scale", 0.1)) for _ in range(2)]
    held = prepare(nuisances[0], reference)
    monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    streamed = prepare(nuisances[1], reference)
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
def test_the_law_at_the_fitted_nu_is_that_of_t(moved: float) -> None:
    """500 toys two standard deviations of the scale away; the law of nu = 0 must fail there, and so must tau."""
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


def test_the_law_knows_the_fluctuation_of_the_reference() -> None:
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


def test_one_step_and_shapes_are_refused() -> None:
    reference = draw_reference(np.random.default_rng(1), 500)
    nuisances = scale_and_normalization()
    with pytest.raises(ValueError, match="nuisances need the maximum"):
        NPLMTest(reference, KernelModel(width=1.0, centers=20, solver="falkon-step"), nuisances=nuisances)
    with pytest.raises(ValueError, match="add a normalisation with a wide constraint"):
        NPLMTest(reference, KernelModel(width=1.0, centers=20), nuisances=nuisances, shape_only=True)
