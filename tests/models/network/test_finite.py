"""The network against a reference that is a finite sample: its likelihood, its limits, and what no event can gain."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from nplm.data.averaged_weights import event_weight
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.finite import of_data
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.loss import expand, network_loss
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from nplm.models.network.with_nuisances import PreparedNetworkWithNuisances
from nplm.nuisance.ratios.base import log_ratio
from tests.nuisance.problems import SIGMA, draw_data, draw_reference, scale_and_normalization

Exponential = tuple[Sample, Sample]


def prepared(reference: Sample, search: BoxSearch, exact: bool = False, clip: float = 3.0) -> PreparedNetwork:
    found = NPLMTest(reference, NetworkModel((3,), clip, optimizer=search, reference_exact=exact)).prepared
    assert isinstance(found, PreparedNetwork)
    return found


def written_out(reference: Sample, data: Sample, f: np.ndarray, g: np.ndarray) -> float:
    """v0 { sum_{R,D} m log((1 + rho e^f)/(1 + rho)) - sum_D m f }, by NumPy."""
    w, v = reference.weights, data.weights
    w0, v0 = np.sum(w**2) / np.sum(w), np.sum(v**2) / np.sum(v)
    rho = w0 / v0
    both = [np.sum(m * np.log((1 + rho * np.exp(f)) / (1 + rho))) for m, f in ((w / w0, f), (v / v0, g))]
    return float(v0 * (sum(both) - np.sum(v / v0 * g)))


@pytest.fixture
def weighted(exponential: Exponential, rng: np.random.Generator) -> Exponential:
    """Both samples with varied weights."""
    reference, data = exponential
    return reference, Sample(data.events, rng.uniform(0.5, 1.5, len(data)), ("x",), "data")


def test_t_is_the_likelihood_of_two_finite_samples(weighted: Exponential, quick: BoxSearch) -> None:
    """At the fitted point, where no optimizer from SciPy climbs on, and where an exact reference has another t."""
    reference, data = weighted
    network = prepared(reference, quick)
    fits = network.fit([data])
    f, g = (network.log_ratio(fits.parameters[0], s.events) for s in (reference, data))
    assert fits.t[0] == pytest.approx(-2 * written_out(reference, data, f, g), rel=1e-9)
    assert fits.converged[0]
    exact = -2 * (reference.weights @ np.expm1(f) - data.weights @ g)
    assert abs(exact - fits.t[0]) > 0.5

    def loss(theta: np.ndarray) -> float:
        return written_out(reference, data, *(network.log_ratio(theta, s.events) for s in (reference, data)))

    box = [(-3.0, 3.0)] * network.parameters
    end = minimize(loss, fits.parameters[0], method="L-BFGS-B", bounds=box, options={"maxiter": 3})
    assert -2 * end.fun == pytest.approx(fits.t[0], abs=0.01)


def test_the_gradient_is_that_of_differences(weighted: Exponential, quick: BoxSearch, rng: np.random.Generator) -> None:
    reference, data = weighted
    network = prepared(reference, quick)
    theta = rng.normal(size=network.parameters)
    with jax.enable_x64(True):
        points, full = network.search._full(network._rows(data)), network.search.full
        at = expand(network.layout, jnp.asarray(theta), full, points)
        f, jacobian = map(np.asarray, network.layout.value_and_jacobian(jnp.asarray(theta), full.x[0]))
        rho, weights = np.exp(np.asarray(points.log_rho)), np.asarray(full.weights[0])

    def loss(p: np.ndarray) -> float:
        return written_out(reference, data, *(network.log_ratio(p, s.events) for s in (reference, data)))

    np.testing.assert_allclose(at.gradient, approx_fprime(theta, loss, 1e-7), rtol=1e-4, atol=1e-4)
    assert float(at.loss) == pytest.approx(loss(theta), rel=1e-9)
    share = weights * np.exp(f) / (1 + rho * np.exp(f))
    np.testing.assert_allclose(at.curvature, (jacobian * share) @ jacobian.T, rtol=1e-9, atol=1e-9)


def test_a_reference_of_very_many_events_is_exact(
    exponential: Exponential, quick: BoxSearch, rng: np.random.Generator
) -> None:
    """As rho tends to 0, at any f; and linearly so."""
    reference, data = exponential
    network = prepared(reference, quick)
    drawn, layout = rng.normal(size=network.parameters), network.layout
    with jax.enable_x64(True):
        theta = jnp.asarray(drawn)
        points, full = network.search._full(network._rows(data)), network.search.full
        exact = float(network_loss(layout, theta, full, points._replace(log_rho=None)))
        off = [
            float(network_loss(layout, theta, full, points._replace(log_rho=jnp.log(rho)))) - exact
            for rho in (1e-3, 1e-4, 1e-9)
        ]
    assert off[0] == pytest.approx(10 * off[1], rel=0.02)
    assert abs(off[1]) > 1e-4
    assert abs(off[2]) < 1e-7


def test_an_event_far_from_all_others_gains_no_more_than_its_share() -> None:
    """log((1 + w)/w) for one event, however far f rises there; with an exact reference it gains f."""
    with jax.enable_x64(True):
        one, log_rho = jnp.ones(1), jnp.log(jnp.asarray(0.1))
        gains = [float(of_data(f * one, one, log_rho)) for f in (1.0, 10.0, 1e4)]
        assert float(of_data(1e4 * one, one, None)) == 1e4
    assert gains[0] < gains[1] < gains[2] == pytest.approx(np.log(1.1 / 0.1), rel=1e-9)


def test_t_scales_with_the_weights_of_both_samples(exponential: Exponential, quick: BoxSearch) -> None:
    """L is homogeneous: the unit that yields are counted in does not matter. A power of two rounds in the same way."""
    reference, data = exponential
    t = prepared(reference, quick).fit([data]).t[0]
    four = [Sample(s.events, 4 * s.weights, ("x",)) for s in (reference, data)]
    assert prepared(four[0], quick).fit([four[1]]).t[0] == pytest.approx(4 * t, rel=1e-6)
    # Not so if only one of them is scaled.
    assert abs(prepared(reference, quick).fit([four[1]]).t[0] - 4 * t) > 10


def test_toys_without_events_have_a_t(exponential: Exponential, quick: BoxSearch) -> None:
    """At most 2 N(R) log(1 + w0) / w0, with f = -infinity everywhere; the clip keeps it from that."""
    reference, data = exponential
    fits = prepared(reference, quick).fit([data.select(slice(0, 0))])
    w0 = event_weight(reference.weights)
    assert 0 < fits.t[0] < 2 * reference.total_weight / w0 * np.log1p(w0)


def test_signed_weights_are_averaged(quick: BoxSearch, rng: np.random.Generator) -> None:
    """What every bin of the reference expects stays, and w0 is that of the weights as they came."""
    x = rng.exponential(size=5000)
    weights = np.where(rng.random(5000) < 0.2, -0.2, 0.2)
    reference, data = Sample(x, weights), Sample(rng.exponential(size=600))
    network = prepared(reference, quick)
    assert network.weights.min() > 0
    assert network.weights.sum() == pytest.approx(weights.sum(), rel=1e-12)
    assert network.event_weight == pytest.approx(5000 * 0.04 / weights.sum(), rel=1e-12)
    fits = network.fit([data])
    assert fits.converged[0]
    assert 0 < fits.t[0] < 40
    # Those of an exact reference stay as they are.
    assert prepared(reference, quick, exact=True).weights.min() < 0


@pytest.mark.slow
def test_with_nuisances_both_likelihoods_are_those_of_finite_samples(quick: BoxSearch) -> None:
    """Delta is SciPy's minimum over nu; tau is the likelihood at the fitted f and nu."""
    nuisances = scale_and_normalization()
    reference, data = draw_reference(np.random.default_rng(1), 4000), draw_data(np.random.default_rng(2), 0.2, -0.1)
    model = NetworkModel((2,), 2.0, optimizer=quick)
    network = NPLMTest(reference, model, nuisances=nuisances).prepared
    assert isinstance(network, PreparedNetworkWithNuisances)
    fits = network.fit([data])
    assert fits.delta is not None
    assert fits.nu_delta is not None
    assert fits.nu_tau is not None

    def loss(nu: np.ndarray, f: tuple[np.ndarray, np.ndarray] | tuple[float, float] = (0.0, 0.0)) -> float:
        log_r = (np.asarray(log_ratio(nuisances.ratio, s.events, nu)) for s in (reference, data))
        of_reference, of_data = (r + more for r, more in zip(log_r, f, strict=True))
        assert data.auxiliary is not None
        known = ((data.auxiliary - nu) ** 2 - data.auxiliary**2) / (2 * SIGMA**2)
        return written_out(reference, data, of_reference, of_data) + known.sum()

    end = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-3})
    assert fits.delta[0] == pytest.approx(-2 * end.fun, abs=1e-5)
    np.testing.assert_allclose(fits.nu_delta[0], end.x, atol=1e-4)
    # An exact reference has another Delta.
    exact = replace(network.profile, event_weight=0.0).fit([data])
    assert abs(exact.delta[0] - fits.delta[0]) > 0.1
    f = tuple(network.log_ratio(fits.parameters[0], s.events) for s in (reference, data))
    assert fits.t[0] + fits.delta[0] == pytest.approx(-2 * loss(fits.nu_tau[0], f), abs=1e-6)
    assert fits.t[0] > 0


def test_stored_toys_of_an_exact_reference_keep_their_configuration() -> None:
    exact, finite = (NetworkModel(reference_exact=exact).configuration(1) for exact in (True, False))
    assert "loss" not in exact
    assert finite == {**exact, "loss": "finite reference"}
