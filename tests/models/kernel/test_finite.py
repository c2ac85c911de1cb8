"""Kernels against a reference that is a finite sample: the likelihood, limits, null, and what no event gains."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom

from nplm.data.averaged_weights import AveragedWeights, averaged, event_weight
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.finite import curvature, data_slope, data_value, reference_slope, reference_value
from nplm.models.base import Model
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel import fit as kernel_fit
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.store import read_prepared, write_prepared
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance.nuisances import Nuisances
from tests.models.kernel.kernel_problems import prepare
from tests.nuisance.problems import draw_reference, scale_and_normalization

WIDTH, PENALTY = 1.0, 0.5


def written_out(reference: Sample, data: Sample, f: np.ndarray, g: np.ndarray) -> float:
    """v0 { sum_{R,D} m log((1 + rho e^f)/(1 + rho)) - sum_D m f }, by NumPy."""
    w, v = reference.weights, data.weights
    w0, v0 = np.sum(w**2) / np.sum(w), np.sum(v**2) / np.sum(v)
    rho = w0 / v0
    both = [np.sum(m * np.log((1 + rho * np.exp(f)) / (1 + rho))) for m, f in ((w / w0, f), (v / v0, g))]
    return float(v0 * (sum(both) - np.sum(v / v0 * g)))


def samples(rng: np.random.Generator, dimension: int) -> tuple[Sample, Sample]:
    """Both samples with varied weights."""
    reference = Sample(rng.normal(size=(2000, dimension)), rng.uniform(0.05, 0.25, 2000))
    return reference, Sample(rng.normal(0.2, 1.1, size=(320, dimension)), rng.uniform(0.5, 1.5, 320))


def finite(reference: Sample, centers: np.ndarray) -> PreparedKernel:
    return prepare(reference, centers, WIDTH, PENALTY, reference_exact=False)


@pytest.mark.parametrize(("dimension", "held"), [(1, True), (3, True), (3, False)])
def test_the_fit_is_the_minimum_of_the_penalized_loss(
    dimension: int, held: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L + sum_i p_i b_i^2 / (2 (1 + rho)), which SciPy minimizes event by event; an exact reference has another t."""
    if not held:
        monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    reference, data = samples(rng, dimension)
    prepared = finite(reference, reference.events[:12])
    fits = prepared.fit([data])
    phi, psi = (prepared.modes(s.events) for s in (reference, data))
    rho = event_weight(reference.weights) / event_weight(data.weights)
    penalty = prepared.modes.penalty / (1 + rho)

    def loss(b: np.ndarray) -> float:
        return written_out(reference, data, phi @ b, psi @ b) + penalty @ b**2 / 2

    b = fits.parameters[0]
    best = minimize(loss, np.zeros(len(b)), method="BFGS", options={"gtol": 1e-6})
    assert loss(b) <= best.fun + 1e-7
    np.testing.assert_allclose(b, best.x, atol=1e-3)
    assert fits.t[0] == pytest.approx(-2 * written_out(reference, data, phi @ b, psi @ b), abs=1e-6)
    assert fits.converged[0]
    exact = prepare(reference, reference.events[:12], WIDTH, PENALTY).fit([data])
    assert abs(exact.t[0] - fits.t[0]) > 0.5


def test_the_terms_have_the_derivatives_and_the_limit_that_they_should() -> None:
    with jax.enable_x64(True):
        f = jnp.linspace(-30.0, 30.0, 241)
        for rho in (1e-3, 0.2, 1.0, 5.0):
            r = jnp.full(len(f), rho)
            for value, slope, share in ((reference_value, reference_slope, 1.0), (data_value, data_slope, rho)):
                of = jax.vmap(jax.grad(value), (0, 0))
                np.testing.assert_allclose(of(f, r), slope(f, r), rtol=1e-9, atol=1e-12)
                bend = jax.vmap(jax.grad(slope), (0, 0))(f, r)
                np.testing.assert_allclose(bend, share * curvature(f, r), rtol=1e-8, atol=1e-12)
        # With a reference of very many events it is exact, and what is left falls as rho does.
        near = jnp.linspace(-3.0, 3.0, 31)
        off = [np.asarray(reference_value(near, jnp.asarray(rho)) - jnp.expm1(near)) for rho in (1e-4, 1e-5)]
        np.testing.assert_allclose(off[0], 10 * off[1], rtol=5e-3, atol=1e-12)
        assert np.abs(off[0]).max() > 1e-3
        np.testing.assert_allclose(data_value(near, jnp.asarray(1e-9)), -near, atol=1e-7)
        # However far f rises, an event of the data gains log((1 + rho) / rho), in units of 1 + rho.
        assert -data_value(jnp.asarray(700.0), jnp.asarray(0.1)) / 1.1 == pytest.approx(np.log(11.0), rel=1e-12)


def test_an_event_far_from_all_others_gains_no_more_than_its_share(rng: np.random.Generator) -> None:
    """2 log((1 + w)/w) of t, 4.8 here, and hardly any penalty; an exact reference gives it several times as much."""
    reference = Sample(np.append(rng.normal(size=(1999, 2)), [[9.0, 9.0]], axis=0), np.full(2000, 0.1))
    data = rng.normal(size=(200, 2))
    alone = np.append(data, [[9.0, 9.0]], axis=0)
    gain = {}
    for exact in (False, True):
        # The reference has one event there, of weight 1e-3 where all others have 0.1.
        rare = Sample(reference.events, np.append(np.full(1999, 0.1), 1e-3))
        kernel = prepare(rare, rare.events[-40:], WIDTH, 1e-6, reference_exact=exact)
        t = kernel.fit([Sample(data), Sample(alone)]).t
        gain[exact] = t[1] - t[0]
    assert 3 < gain[False] < 2 * np.log(1.1 / 0.1)
    assert gain[True] > 10


@pytest.mark.slow
def test_batches_pools_and_held_or_streamed_references_agree(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = Sample(rng.normal(size=(3000, 3)), np.full(3000, 0.1))
    data = [Sample(rng.normal(0.1 * i, 1, size=(250 + 60 * i, 3))) for i in range(3)]
    held = prepare(reference, reference.events[:160], 2.0, 2.0, reference_exact=False)
    t = held.fit(data).t
    np.testing.assert_allclose([held.fit([d]).t[0] for d in data], t, rtol=1e-8)
    # In calls of one sample each.
    monkeypatch.setattr("nplm.likelihood.data_blocks._CALL_BYTES", 0)
    np.testing.assert_allclose(held.fit(data).t, t, rtol=1e-8)
    monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    streamed = prepare(reference, reference.events[:160], 2.0, 2.0, reference_exact=False)
    assert held.blocks.centers is None
    assert streamed.blocks.centers is not None
    np.testing.assert_allclose(streamed.fit(data).t, t, rtol=1e-6)
    # Toys of the reference are rows of what is held of it.
    rows = rng.integers(0, 3000, 800)
    drawn = reference.draw(rows)
    assert held.fit([drawn]).t[0] == pytest.approx(held.fit([Sample(drawn.events)]).t[0], rel=1e-8)


def test_t_scales_with_the_weights_of_both_samples(rng: np.random.Generator) -> None:
    """L is homogeneous: the unit that yields are counted in does not matter, if the penalty's is the same."""
    reference, data = samples(rng, 2)
    centers = reference.events[:20]
    t = finite(reference, centers).fit([data]).t[0]
    three = [Sample(s.events, 3 * s.weights) for s in (reference, data)]
    scaled = prepare(three[0], centers, WIDTH, 3 * PENALTY, reference_exact=False)
    assert scaled.fit([three[1]]).t[0] == pytest.approx(3 * t, rel=1e-6)


def test_the_null_does_not_widen_as_the_reference_fluctuates(rng: np.random.Generator) -> None:
    """For equal weights it is sum_i c_i z_i^2, but for the number of reference events, which does not fluctuate."""
    reference = Sample(rng.normal(size=(2000, 2)), np.full(2000, 0.5))
    kernel = finite(reference, reference.events[:40])
    c = kernel.modes.shrinkage
    np.testing.assert_allclose(kernel.null(fixed_reference=True).weights, np.sort(c)[::-1] / 1.5, rtol=1e-6)
    asymptotic = kernel.null()
    assert c.sum() - 1 / 1.5 < asymptotic.mean < c.sum()
    # Data pooled with the reference, that they agree with, change next to nothing.
    assert kernel.null(Sample(reference.events[::2])).mean == pytest.approx(asymptotic.mean, rel=0.01)
    # A signal where the reference has nothing raises the information there, and no part of the null above 1.
    data = np.append(reference.events[::2], np.full((300, 2), 3.5), axis=0)
    found = kernel.null(Sample(data)).weights
    assert found.max() < 1 + 1e-9
    phi, p = kernel.modes(data), np.diag(kernel.modes.penalty)
    hessian = (np.eye(len(p)) + 0.5 * phi.T @ phi) / 1.5
    spread = 1.5 * hessian - np.outer(kernel.expected, kernel.expected) / 2000
    inverse = np.linalg.inv(hessian + p)
    expected = np.linalg.eigvals(inverse @ (hessian + 2 * p) @ inverse @ spread).real / 1.5
    np.testing.assert_allclose(found, np.sort(expected)[::-1], atol=1e-8)


@pytest.mark.slow
def test_the_size_is_right_with_as_many_reference_events_as_data() -> None:
    """Fresh samples of 200 events each in three dimensions, 40 trials of a nominal 5%.

    The null leaves a size of up to 8% there, which fires 9 times or more with a probability of 5e-3 (once seen, the
    seed is fixed); an exact reference fires in most trials.
    """
    trials, fires = 40, {False: 0, True: 0}
    rng = np.random.default_rng(3)
    for _ in range(trials):
        reference, data = Sample(rng.normal(size=(200, 3))), Sample(rng.normal(size=(rng.poisson(200), 3)))
        for exact in fires:
            test = NPLMTest(reference, KernelModel(width=3.0, centers=48, penalty=1e-5, reference_exact=exact))
            fires[exact] += test.asymptotic_null(data).pvalue(test.statistic(data)) < 0.05
    assert fires[False] <= binom.ppf(0.995, trials, 0.08)
    assert fires[True] > trials / 2


def test_signed_weights_are_averaged(rng: np.random.Generator) -> None:
    """None is negative, sums stay, w0 is that of the weights as they came, and the null has their fluctuation in it."""
    x, weights = rng.normal(size=(4000, 2)), np.where(rng.random(4000) < 0.2, -0.2, 0.2)
    reference = Sample(x, weights)
    kernel = finite(reference, x[:30])
    assert not kernel.signed
    assert np.asarray(kernel.blocks.weights).sum() == pytest.approx(weights.sum(), rel=1e-12)
    assert kernel.event_weight == pytest.approx(4000 * 0.04 / weights.sum(), rel=1e-12)
    fits = kernel.fit([Sample(rng.normal(size=(480, 2)))])
    assert fits.converged[0]
    assert kernel.null().pvalue(fits.t[0]) > 1e-3
    # Those of an exact reference stay as they are.
    assert prepare(reference, x[:30], WIDTH, PENALTY).signed


def test_averaged_masses_are_positive_and_keep_their_sum() -> None:
    rng = np.random.default_rng(4)
    z, masses = rng.normal(size=(2000, 2)), np.where(rng.random(2000) < 0.2, -1.0, 1.0)
    shared = averaged(z, masses)
    assert shared.min() > 0
    assert shared.sum() == pytest.approx(masses.sum())
    # A half of the plane keeps its sum to what a cell that straddles its edge may move.
    assert shared[z[:, 0] > 0].sum() == pytest.approx(masses[z[:, 0] > 0].sum(), rel=0.1)
    # Every cell keeps its own.
    cells = AveragedWeights.of(z, masses)
    np.testing.assert_allclose(np.bincount(cells.cell, shared), np.bincount(cells.cell, masses), atol=1e-9)
    assert cells.cells > 20
    assert averaged(z, abs(masses)) is not shared
    np.testing.assert_array_equal(averaged(z, abs(masses)), abs(masses))


def test_an_event_counts_as_one_of_equal_ones_that_fluctuate_as_much() -> None:
    assert event_weight(np.full(7, 0.3)) == pytest.approx(0.3)
    assert event_weight(np.array([1.0, 2.0])) == pytest.approx(5 / 3)
    assert event_weight(np.array([1.0, -2.0])) == pytest.approx(5 / 3)
    assert event_weight(np.zeros(0)) == 1.0


def test_a_stored_model_has_the_same_t(tmp_path: Path, rng: np.random.Generator) -> None:
    reference, data = samples(rng, 2)
    kernel = finite(reference, reference.events[:20])
    write_prepared(tmp_path / "kernel.npz", kernel, {})
    _, again = read_prepared(tmp_path / "kernel.npz")
    assert again.event_weight == kernel.event_weight > 0
    assert again.fit([data]).t[0] == kernel.fit([data]).t[0]


def test_counts_and_flags_have_as_many_centres_as_values(rng: np.random.Generator) -> None:
    """Unless more were asked for."""
    reference, data = (np.column_stack([rng.poisson(3, n), rng.integers(0, 2, n)]).astype(float) for n in (5000, 500))
    test = NPLMTest(reference, KernelModel(), expected_yield=500)
    assert isinstance(test.prepared, PreparedKernel)
    assert len(test.prepared.modes.centers) == len(np.unique(reference, axis=0)) < 100
    assert test.fit([Sample(data)]).converged[0]
    with pytest.raises(ValueError, match="100 centres were asked for"):
        NPLMTest(reference, KernelModel(centers=100))


def test_the_result_says_which_loss_it_had() -> None:
    """Stored toys of an exact reference keep their configuration."""
    exact, likelihood = (KernelModel(reference_exact=exact).configuration(1) for exact in (True, False))
    assert "loss" not in exact
    assert likelihood == {**exact, "loss": "finite reference"}
    assert "loss" not in KernelModel(solver="falkon-step").configuration(1)
    reference = draw_reference(np.random.default_rng(1), 1000)
    for reference_exact in (False, True):
        model = KernelModel(width=1.0, centers=20, reference_exact=reference_exact)
        test = NPLMTest(reference, model, nuisances=scale_and_normalization())
        assert test.configuration()["model"].get("loss") == (None if reference_exact else "finite reference")
        assert test.reference_exact == reference_exact
        assert isinstance(test.prepared, PreparedKernelWithNuisances)
        assert (test.prepared.kernel.event_weight == 0) == reference_exact


@pytest.mark.parametrize(
    ("nuisances", "sizes"), [(None, (3996, 4004)), (scale_and_normalization(), (64, 68))], ids=["without", "with"]
)
@pytest.mark.parametrize("model", [KernelModel(width=1.0, centers=20), HistogramModel(3)], ids=["kernel", "histogram"])
def test_a_large_reference_is_taken_as_exact(model: Model, nuisances: Nuisances | None, sizes: tuple[int, int]) -> None:
    """Of more than 1000 times the 4 events that are expected, with nuisances of more than 16 times."""
    for events, exact in zip(sizes, (False, True), strict=True):
        reference = Sample(np.random.default_rng(1).exponential(size=events)).scaled_to(4.0)
        test = NPLMTest(reference, model, nuisances=nuisances)
        assert test.reference_exact == exact
        assert (test.configuration()["model"].get("loss") == "exact reference") == exact


def test_the_step_of_falkon_takes_any_reference_as_exact() -> None:
    x = np.random.default_rng(1).normal(size=(500, 1))
    kernels = [
        KernelModel(width=1.0, centers=30, solver="falkon-step", reference_exact=exact).prepare(
            Sample(x), Scaler.identity(1)
        )
        for exact in (True, False)
    ]
    data = Sample(x[::2] + 0.1)
    assert kernels[0].fit([data]).t[0] == kernels[1].fit([data]).t[0]
    assert kernels[1].event_weight == 0
