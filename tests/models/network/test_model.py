"""The network model: the best known maxima, the clip, and the same answer every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.network.mlp import Layout
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.adam import Adam

# SHA-256 of data and reference, and the best t that anybody found, for each of the two peer toys.
PEERS = {
    0: ("1100559baf125bf4", 11.598),
    1: ("ba1667197f37cdf8", 8.884),
}

Exponential = tuple[Sample, Sample]


@pytest.mark.parametrize("seed", PEERS)
@pytest.mark.slow
def test_default_search_reaches_the_best_known_t(
    seed: int, peer_toy: Callable[[int], tuple[np.ndarray, np.ndarray]]
) -> None:
    data, reference = peer_toy(seed)
    digest, best_known = PEERS[seed]
    assert data.shape[1:] == (1,)
    assert hashlib.sha256(data.tobytes() + reference.tobytes()).hexdigest().startswith(digest)
    model = NetworkModel(hidden=(4,), clip=9.0, reference_exact=True)
    test = NPLMTest(reference, model, expected_yield=2000, coordinates="raw")
    fits, again = (test.fit([Sample(data)]) for _ in range(2))
    # Nobody's maximum is a bound, but a much larger t would be an error of the likelihood.
    assert fits.t[0] == pytest.approx(best_known, abs=0.05)
    np.testing.assert_array_equal(fits.t, again.t)
    np.testing.assert_array_equal(fits.parameters, again.parameters)
    assert fits.parameters.shape == (1, 13)
    assert np.abs(fits.parameters).max() == 9.0
    assert fits.converged[0]
    assert 1 <= fits.starts_agreeing[0] <= fits.starts
    assert fits.start_spread[0] >= 0
    assert 0 <= fits.remaining[0] < 0.01


def test_t_is_the_likelihood_ratio_of_the_fitted_network(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    test = NPLMTest(reference, NetworkModel(optimizer=quick, reference_exact=True))
    fits = test.fit([data])
    f, g = (test.prepared.log_ratio(fits.parameters[0], s.events) for s in (reference, data))
    direct = -2 * (np.sum(reference.weights * (np.exp(f) - 1)) - np.sum(g))
    assert fits.t[0] == pytest.approx(direct, rel=1e-9)
    # At a maximum the fit expects as many events as there are: the output's bias is free to see to it.
    assert np.sum(reference.weights * np.exp(f)) == pytest.approx(len(data), rel=1e-3)


def test_fits_of_a_batch_are_those_of_its_samples(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    test = NPLMTest(reference, NetworkModel(optimizer=quick))
    others = [data, data.select(slice(0, 300)), data.select(slice(50, None))]
    together = test.fit(others)
    for i in (0, 1, 2):
        np.testing.assert_array_equal(test.fit([others[i]]).t, together.t[i : i + 1])
    assert len(set(together.t)) == 3
    assert together.parameters.shape == (3, 13)


def test_t_grows_with_the_clip_and_parameters_stay_inside(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    t = {}
    for clip in (1.0, 3.0, 9.0):
        fits = NPLMTest(reference, NetworkModel(clip=clip, optimizer=quick)).fit([data])
        assert np.abs(fits.parameters).max() <= clip
        t[clip] = fits.t[0]
    assert 0 < t[1.0] < t[3.0] - 0.1
    assert t[3.0] < t[9.0] - 0.1


def test_biases_may_be_left_free(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    clipped, free = (
        NPLMTest(reference, NetworkModel(clip=2.0, clip_biases=clip, optimizer=quick)) for clip in (True, False)
    )
    fits, is_bias = free.fit([data]), free.prepared.layout.is_bias
    assert np.abs(fits.parameters[0, ~is_bias]).max() <= 2.0
    assert np.abs(fits.parameters[0, is_bias]).max() > 2.0
    assert fits.t[0] > clipped.fit([data]).t[0]
    named = free.prepared.named_parameters(fits.parameters[0])
    assert {k: v.shape for k, v in named.items()} == {
        "hidden_1.weights": (4, 1),
        "hidden_1.biases": (4,),
        "output.weights": (1, 4),
        "output.biases": (1,),
    }
    biases = np.concatenate([named["hidden_1.biases"], named["output.biases"]])
    np.testing.assert_array_equal(biases, fits.parameters[0, is_bias])


def test_a_signal_raises_t(exponential: Exponential, quick: BoxSearch, rng: np.random.Generator) -> None:
    reference, data = exponential
    test = NPLMTest(reference, NetworkModel(optimizer=quick))
    signal = Sample(np.concatenate([data.events, rng.normal(6, 0.2, (40, 1))]), features=("x",))
    t = test.fit([data, signal]).t
    assert t[1] > t[0] + 100
    f = test.prepared.log_ratio(test.fit([signal]).parameters[0], np.array([[1.0], [6.0]]))
    assert abs(f[0]) < 0.5
    assert f[1] > 2


def test_data_equal_to_the_reference_have_t_zero(exponential: Exponential, quick: BoxSearch) -> None:
    reference, _ = exponential
    assert NPLMTest(reference, NetworkModel(optimizer=quick)).statistic(reference) == pytest.approx(0, abs=1e-6)


def test_weights_that_cancel_at_each_point_do_not_change_t(exponential: Exponential, quick: BoxSearch) -> None:
    """An event of weight w as two of 3 w / 2 and -w / 2."""
    reference, data = exponential
    signed = Sample(
        np.concatenate([reference.events, reference.events]),
        np.concatenate([1.5 * reference.weights, -0.5 * reference.weights]),
        ("x",),
        "signed",
    )
    model = NetworkModel(optimizer=quick, reference_exact=True)
    plain, cancelling = (NPLMTest(r, model).statistic(data) for r in (reference, signed))
    assert cancelling == pytest.approx(plain, abs=1e-6)


def test_signed_weights_fit_like_the_density_they_stand_for(
    exponential: Exponential, quick: BoxSearch, rng: np.random.Generator
) -> None:
    """Mixed signs at a rate that leaves every region a positive yield; a smooth network, so no spike fits a weight."""
    reference, data = exponential
    signs = np.where(rng.random(len(reference)) < 0.1, -1.0, 1.0)
    signed = Sample(reference.events, reference.weights * signs, ("x",)).scaled_to(reference.total_weight)
    model = NetworkModel(clip=1.0, optimizer=quick)
    fits = NPLMTest(signed, model).fit([data])
    assert fits.converged[0]
    assert 0 < fits.t[0] < 40
    assert fits.t[0] != NPLMTest(reference, model).statistic(data)


def test_an_unbounded_likelihood_gives_no_t(quick: BoxSearch, rng: np.random.Generator) -> None:
    """Where the reference's weights are negative, L falls without limit as f grows there."""
    x = rng.exponential(size=4000)
    weights = np.where((x > 5) | (rng.random(4000) < 0.2), -0.1, 0.1)
    reference, data = Sample(x, weights), Sample(rng.exponential(size=200))
    exact, finite = (NetworkModel(optimizer=quick, reference_exact=exact) for exact in (True, False))
    assert np.isnan(NPLMTest(reference, exact).fit([data]).t[0])
    # Weights that are averaged with their neighbours leave no such place.
    assert 0 < NPLMTest(reference, finite).fit([data]).t[0] < 1000


def test_shape_only_does_not_see_the_yield(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    # A power of two rounds in the same way, so the search takes the same turns.
    scaled = Sample(reference.events, 8 * reference.weights, ("x",))
    model = NetworkModel(clip=3.0, optimizer=quick)
    plain, other = (NPLMTest(r, model, shape_only=True).statistic(data) for r in (reference, scaled))
    assert other == pytest.approx(plain, rel=1e-6)
    assert NPLMTest(scaled, model).statistic(data) > plain + 100


def test_shape_only_is_the_test_against_the_reference_scaled_to_the_data(
    exponential: Exponential,
) -> None:
    reference, data = exponential
    # Sums that are rounded otherwise make a short search take other turns: the usual one finds the maximum by either.
    model = NetworkModel(clip=3.0)
    shape = NPLMTest(reference, model, shape_only=True).statistic(data)
    assert shape == pytest.approx(NPLMTest(reference, model, expected_yield=len(data)).statistic(data), rel=1e-4)


@pytest.mark.slow
def test_two_features_and_two_layers(quick: BoxSearch, rng: np.random.Generator) -> None:
    reference = Sample(rng.normal(size=(3000, 2)), np.full(3000, 0.1))
    data = Sample(np.concatenate([rng.normal(size=(290, 2)), rng.normal(2, 0.1, size=(20, 2))]))
    test = NPLMTest(reference, NetworkModel(hidden=(3, 2), clip=5.0, optimizer=replace(quick, fine_cells=None)))
    fits = test.fit([data])
    assert fits.parameters.shape == (1, 3 * 3 + 2 * 4 + 3)
    assert test.degrees_of_freedom == 20
    assert fits.t[0] > 20
    f = test.prepared.log_ratio(fits.parameters[0], np.array([[2.0, 2.0], [-0.5, -0.5]]))
    assert f[0] > f[1] + 1


def test_adam_is_the_published_recipe(exponential: Exponential) -> None:
    reference, data = exponential
    short, long = (
        NPLMTest(reference, NetworkModel(optimizer=Adam(epochs=epochs, learning_rate=0.01))).prepared.fit([data])
        for epochs in (1, 300)
    )
    assert short.starts == long.starts == 1
    assert not long.converged[0]
    assert short.t[0] < long.t[0]
    other = NPLMTest(reference, NetworkModel(optimizer=Adam(epochs=1, learning_rate=0.01, seed=1))).prepared.fit([data])
    assert np.abs(other.parameters - short.parameters).max() > 0.1
    # One step of Adam moves each parameter by the learning rate, and the start has biases of zero.
    biases = short.parameters[0, Layout((1, 4, 1)).is_bias]
    np.testing.assert_allclose(np.abs(biases), 0.01, rtol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": ()}, "hidden layers of one neuron or more"),
        ({"hidden": (4, 0)}, "hidden layers of one neuron or more"),
        ({"hidden": 4}, r"such as \(4,\), not 4"),
        ({"clip": 0.0}, "clip must be a positive number, not 0"),
        ({"clip": -1.0}, "clip must be a positive number"),
        ({"clip": np.inf}, "clip must be a positive number"),
        ({"clip": np.nan}, "clip must be a positive number"),
    ],
)
def test_bad_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkModel(**settings)


def test_configuration_holds_every_setting(quick: BoxSearch) -> None:
    one, two = (NetworkModel().configuration(dimension)["optimizer"] for dimension in (1, 2))
    assert one["name"] == two["name"] == "BoxSearch"
    assert (one["fine_cells"], two["fine_cells"]) == (4000, None)
    configuration = NetworkModel((3, 2), 2.5, False, quick).configuration(1)
    assert (configuration["hidden"], configuration["clip"], configuration["clip_biases"]) == ([3, 2], 2.5, False)
    assert configuration["optimizer"]["search"]["population"] == quick.search.population
    assert NetworkModel(optimizer=Adam(epochs=7)).configuration(1)["optimizer"]["epochs"] == 7


def test_fits_stop_between_climbs_when_told_to(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    prepared = NPLMTest(reference, NetworkModel(optimizer=quick)).prepared
    stop = Event()
    stop.set()
    with pytest.raises(CancelledError):
        prepared.search._fit_one(data=prepared._rows(data), stop=stop)


def test_projected_time_grows_with_the_number_of_fits(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    prepared = NPLMTest(reference, NetworkModel(optimizer=quick)).prepared
    assert 0 < prepared.projected_seconds(data, 1) < prepared.projected_seconds(data, 1000)


def test_a_network_that_no_memory_holds_is_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match="100000x100000 neurons have 10,000,100,000 weights"):
        NetworkModel((100_000, 100_000))
