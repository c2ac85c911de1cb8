"""The network model with nuisances: t = tau - Delta."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from nplm import GaussianConstraint, NetworkModel, NPLMTest, Sample
from nplm.likelihood.fits import Fits
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.search_settings import BoxSearch
from nplm.models.network.with_nuisances import PreparedNetworkWithNuisances
from nplm.nuisance import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.adam import Adam
from nplm.optimize.multistart import SearchSettings
from tests.nuisance.problems import SIGMA, draw_reference, loss, scale, scale_and_normalization

SEARCH = BoxSearch(
    SearchSettings(starts=2, population=16, parents=4, generations=12, iterations=40),
    cells=200,
    fine_cells=1000,
    fine_iterations=100,
    last_iterations=60,
)
# Biases that are free can take up any normalization.
MODEL = NetworkModel(hidden=(2,), clip=2.0, clip_biases=False, optimizer=SEARCH, reference_exact=True)
REFERENCE = draw_reference(np.random.default_rng(1), 4000)
# A scale, and two normalizations that nothing but their own measurements can tell apart.
RATIO = SumOfLogRatios([scale(), Normalization("first"), Normalization("second")])
NUISANCES = Nuisances(RATIO, GaussianConstraint(RATIO.nuisances, SIGMA))
TRUTHS = [(0.15, 0.0, 0.1), (-0.3, 0.2, 0.0)]


def alone(reference: Sample) -> PreparedNetwork:
    prepared = NPLMTest(reference, MODEL, coordinates="raw").prepared
    assert isinstance(prepared, PreparedNetwork)
    return prepared


def prepare(nuisances: Nuisances) -> PreparedNetworkWithNuisances:
    prepared = NPLMTest(REFERENCE, MODEL, coordinates="raw", nuisances=nuisances).prepared
    assert isinstance(prepared, PreparedNetworkWithNuisances)
    return prepared


def draw(seed: int, truth: tuple[float, float, float]) -> Sample:
    """Data at a point, with auxiliary measurements that fluctuate around it."""
    rng, nu = np.random.default_rng(seed), np.array(truth)
    x = np.exp(nu[0]) * rng.exponential(size=rng.poisson(2000 * np.exp(nu[1:].sum())))
    return Sample(x, name="data").with_auxiliary(nu + SIGMA * rng.standard_normal(3))


def tau_at(
    nu: float, data: Sample, fit: Callable[[PreparedNetwork], Fits] | None = None
) -> tuple[float, PreparedNetwork]:
    """tau with the scale held at nu: t of the network against the reference moved there, and what is left.

    A normalization does nothing that the output's bias could not undo, so it is at its measured value.
    """
    log_r = -nu - np.expm1(-nu) * REFERENCE.events[:, 0]
    network = alone(Sample(REFERENCE.events, REFERENCE.weights * np.exp(log_r)))
    fits = network.fit([data]) if fit is None else fit(network)
    a, at = data.auxiliary, np.append(nu, data.auxiliary[1:])
    known = np.sum(a**2 - (a - at) ** 2) / (2 * SIGMA**2)
    moved = REFERENCE.weights @ np.expm1(log_r) - np.sum(-nu - np.expm1(-nu) * data.events[:, 0])
    return float(fits.t[0] - 2 * moved + 2 * known), network


@pytest.fixture(scope="module")
def prepared() -> PreparedNetworkWithNuisances:
    return prepare(NUISANCES)


@pytest.fixture(scope="module")
def toys() -> list[Sample]:
    return [draw(seed, truth) for seed, truth in enumerate(TRUTHS)]


@pytest.fixture(scope="module")
def fits(prepared: PreparedNetworkWithNuisances, toys: list[Sample]) -> Fits:
    return prepared.fit(toys)


def test_tau_is_the_loss_at_the_fitted_point(
    prepared: PreparedNetworkWithNuisances, toys: list[Sample], fits: Fits
) -> None:
    assert fits.delta is not None
    assert fits.nu_tau is not None
    assert fits.converged.all()
    two = scale_and_normalization()
    for data, t, delta, parameters, nu in zip(toys, fits.t, fits.delta, fits.parameters, fits.nu_tau, strict=True):
        f = tuple(prepared.log_ratio(parameters, s.events) for s in (REFERENCE, data))
        # The two normalizations act as their sum; what is known about them is added by hand.
        plain = Sample(data.events).with_auxiliary(np.array([data.auxiliary[0], 0.0]))
        total = nu[1:].sum()
        value = loss(two, REFERENCE, plain, np.array([nu[0], total]), f) - total**2 / (2 * SIGMA**2)
        value += np.sum((data.auxiliary[1:] - nu[1:]) ** 2 - data.auxiliary[1:] ** 2) / (2 * SIGMA**2)
        assert t + delta == pytest.approx(-2 * value, abs=1e-6)
        np.testing.assert_array_equal(parameters[-3:], nu)
        np.testing.assert_array_equal(prepared.named_parameters(parameters)["nu"], nu)
        weights = np.arange(prepared.network.parameters)[~prepared.network.layout.is_bias]
        assert np.abs(parameters[weights]).max() <= 2.0


def test_tau_is_the_profile_of_the_network_with_the_scale_held(
    prepared: PreparedNetworkWithNuisances, toys: list[Sample], fits: Fits
) -> None:
    assert fits.delta is not None
    assert fits.nu_delta is not None
    assert fits.nu_tau is not None
    for i, data in enumerate(toys):
        theta = fits.parameters[i, : prepared.network.parameters]

        def climb(network: PreparedNetwork, data: Sample = data, theta: np.ndarray = theta) -> Fits:
            return network.fit_from([data], [theta[None]])

        near = fits.nu_delta[i, 0]
        best = minimize_scalar(
            lambda nu, data=data, climb=climb: -tau_at(nu, data, climb)[0],
            bounds=(near - SIGMA, near + SIGMA),
            method="bounded",
            options={"xatol": 3e-3},
        )
        tau = fits.t[i] + fits.delta[i]
        assert tau == pytest.approx(-best.fun, abs=0.02)
        np.testing.assert_allclose(fits.nu_tau[i, 1:], data.auxiliary[1:], atol=0.01)
        # The scale matters: held elsewhere, it costs t.
        assert min(tau - tau_at(nu, data, climb)[0] for nu in (near - SIGMA, near + SIGMA)) > 0.5


def test_tau_is_not_below_that_of_a_search_at_the_nu_of_delta(toys: list[Sample], fits: Fits) -> None:
    assert fits.delta is not None
    assert fits.nu_delta is not None
    for data, t, delta, nu in zip(toys, fits.t, fits.delta, fits.nu_delta, strict=True):
        assert t + delta > tau_at(nu[0], data)[0] - 0.05


def test_a_nuisance_that_is_held_is_not_fitted(
    prepared: PreparedNetworkWithNuisances, toys: list[Sample], fits: Fits, compilations: Callable[[], int]
) -> None:
    """With the scale at 0, t is the search's against the reference as given, less Delta of the other nuisances."""
    compilations()
    held = prepared.fit(toys, held=("scale",))
    assert compilations() == 0
    assert held.delta is not None
    assert held.nu_tau is not None
    np.testing.assert_array_equal(held.nu_tau[:, 0], 0.0)
    for data, t, delta in zip(toys, held.t, held.delta, strict=True):
        assert t + delta == pytest.approx(tau_at(0.0, data)[0], abs=0.05)
    # The scale of the second toy is two of its standard deviations away, and so held it leaves that to t.
    assert held.t[1] > fits.t[1] + 20


@pytest.mark.slow
def test_where_nu_starts_does_not_matter(
    prepared: PreparedNetworkWithNuisances, toys: list[Sample], fits: Fits
) -> None:
    background = prepared.profile.fit(toys)
    zero = replace(background, nu=np.zeros_like(background.nu))
    assert np.abs(background.nu).max() > 0.2
    tau = prepared.search.fit(prepared._rows(toys, zero.nu, zero.delta)).t
    np.testing.assert_allclose(tau - background.delta, fits.t, atol=0.05)


def test_nothing_is_compiled_from_toy_to_toy(
    prepared: PreparedNetworkWithNuisances, fits: Fits, compilations: Callable[[], int]
) -> None:
    more = prepared.fit([draw(10 + seed, truth) for seed, truth in enumerate(TRUTHS)])
    assert compilations() == 0
    assert len({*fits.t, *more.t}) == 4
    # The count can rise.
    jax.jit(lambda x: x + 17.5)(1.0)
    assert compilations() == 1


@pytest.mark.slow
def test_nuisances_of_no_effect_change_nothing(toys: list[Sample]) -> None:
    nothing = SeparableLogRatio("nothing", lambda nu: 0.0 * nu)
    prepared = prepare(Nuisances(nothing, GaussianConstraint("nothing", 1.0)))
    data = [Sample(toy.events).with_auxiliary(np.array([0.7])) for toy in toys]
    plain = prepared.network.fit(data)
    background = prepared.profile.fit(data)
    np.testing.assert_allclose(background.delta, 0.7**2, rtol=1e-6)
    # From nu = 0 and what the network alone finds: the search over cells is the same, and costs a compilation.
    starts = [np.append(theta, 0.0)[None] for theta in plain.parameters]
    found = prepared.search.fit_from(prepared._rows(data, background.nu, background.delta), starts)
    np.testing.assert_allclose(found.t - background.delta, plain.t, atol=0.005)
    np.testing.assert_allclose(found.parameters[:, -1], 0.7, atol=1e-4)
    assert prepared.null().degrees_of_freedom == prepared.network.null().degrees_of_freedom == 7
    assert prepared.parameters == 8


def test_a_search_that_ends_below_delta_goes_on_from_there(
    prepared: PreparedNetworkWithNuisances, toys: list[Sample]
) -> None:
    """Without a single step random networks are far below; f = 0 at Delta's nu is t = 0."""
    none = replace(SEARCH, search=SearchSettings(2, 16, 4, 0, 0), fine_iterations=0, last_iterations=0)
    idle = replace(prepared, search=replace(prepared.search, optimizer=none))
    background = idle.profile.fit(toys)
    held = idle._rows(toys, background.nu, background.delta)
    found = idle.search.fit([row._replace(least=-np.inf) for row in held])
    fits = idle.fit(toys)
    assert fits.delta is not None
    assert np.all(found.t < fits.delta - 1)
    np.testing.assert_allclose(fits.t, 0.0, atol=1e-6)


def test_adam_is_refused() -> None:
    with pytest.raises(ValueError, match="use the default search"):
        NPLMTest(REFERENCE, NetworkModel(optimizer=Adam(epochs=2)), nuisances=NUISANCES)
