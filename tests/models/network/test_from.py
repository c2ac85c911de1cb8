"""Fits from given points: they never lose t, stay in the box, and carry what one clip has found to another."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from threading import Event

import jax
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.adam import Adam

Exponential = tuple[Sample, Sample]
# Relative to 1 + t: sums of a few thousand terms in double precision.
ROUNDING = 1e-10


def prepared(reference: Sample, **settings: object) -> PreparedNetwork:
    found = NPLMTest(reference, NetworkModel(hidden=(3,), reference_exact=True, **settings)).prepared  # type: ignore[arg-type]
    assert isinstance(found, PreparedNetwork)
    return found


def t_at(network: PreparedNetwork, parameters: np.ndarray, reference: Sample, data: Sample) -> float:
    """t of a point by its definition."""
    f, g = (network.log_ratio(parameters, s.events) for s in (reference, data))
    return float(-2 * (np.sum(reference.weights * np.expm1(f)) - np.sum(data.weights * g)))


def test_no_start_ends_below_its_t(exponential: Exponential, quick: BoxSearch, rng: np.random.Generator) -> None:
    reference, data = exponential
    network = prepared(reference, clip=4.0, optimizer=quick)
    for start in rng.uniform(-4, 4, (6, 10)) * rng.choice([0.1, 1.0], (6, 1)):
        fits = network.fit_from([data], [start[None]])
        before = t_at(network, start, reference, data)
        assert fits.t[0] >= before - ROUNDING * (1 + abs(before))
        assert fits.t[0] == pytest.approx(t_at(network, fits.parameters[0], reference, data), rel=1e-9, abs=1e-9)
        assert np.abs(fits.parameters).max() <= 4.0


def test_no_deviation_is_a_start_of_t_zero(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    assert prepared(reference, optimizer=quick).fit_from([data], [np.zeros((1, 10))]).t[0] > 0


@pytest.mark.slow
def test_a_start_on_which_coarse_climbs_lose_is_kept(exponential: Exponential, quick: BoxSearch) -> None:
    """The maximum on all events is none on three cells: without the second climb, from the start, t would fall."""
    reference, data = exponential
    best = prepared(reference, optimizer=quick).fit([data])
    lossy = replace(quick, fine_cells=3, last_iterations=1)
    again = prepared(reference, optimizer=lossy).fit_from([data], [best.parameters])
    assert again.t[0] >= best.t[0] - ROUNDING * (1 + best.t[0])
    # That climb does lose: the point it ends at, after the one step that is left, lies lower.
    network = prepared(reference, optimizer=lossy)
    rows = network._rows(data)
    with jax.enable_x64(True):
        lower, _ = network.search._refine(lossy, best.parameters, rows, network.search._full(rows))
    assert t_at(network, lower[0], reference, data) < best.t[0] - 0.1


def test_of_several_starts_the_best_end_counts(
    exponential: Exponential, quick: BoxSearch, rng: np.random.Generator
) -> None:
    reference, data = exponential
    network = prepared(reference, clip=4.0, optimizer=quick)
    starts = rng.uniform(-4, 4, (4, 10))
    alone = [network.fit_from([data], [start[None]]).t[0] for start in starts]
    together = network.fit_from([data], [starts])
    assert together.t[0] == max(alone)
    assert together.starts == 4
    assert together.starts_agreeing[0] == np.sum(np.array(alone) > max(alone) - 0.05)
    assert together.start_spread[0] == pytest.approx(max(alone) - min(alone))
    assert max(alone) - min(alone) > 0.05, "starts that all end in one maximum show nothing"


def test_a_larger_box_holds_the_solution_of_a_smaller_one(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    network = prepared(reference, clip=1.0, optimizer=quick)
    fits = network.fit([data])
    for clip in (1.5, 3.0, 9.0):
        wider = network.with_clip(clip).fit_from([data], [fits.parameters])
        assert wider.t[0] >= fits.t[0] - ROUNDING * (1 + fits.t[0])
        fits = wider
    assert fits.t[0] > network.fit([data]).t[0] + 0.5, "the clip must matter"


def test_starts_outside_the_box_are_clipped(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    wide = prepared(reference, clip=9.0, optimizer=quick)
    found = wide.fit([data]).parameters
    assert np.abs(found).max() > 2
    narrow = wide.with_clip(2.0)
    fits = narrow.fit_from([data], [found])
    assert np.abs(fits.parameters).max() <= 2.0
    before = t_at(narrow, np.clip(found[0], -2, 2), reference, data)
    assert fits.t[0] >= before - ROUNDING * (1 + abs(before))


def test_another_clip_is_as_if_prepared_with_it(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    other = prepared(reference, clip=9.0, optimizer=quick).with_clip(2.5)
    anew = prepared(reference, clip=2.5, optimizer=quick)
    a, b = other.fit([data]), anew.fit([data])
    np.testing.assert_array_equal(a.t, b.t)
    np.testing.assert_array_equal(a.parameters, b.parameters)
    assert a.t[0] != prepared(reference, clip=9.0, optimizer=quick).fit([data]).t[0]


def test_another_clip_leaves_free_biases_free(exponential: Exponential, quick: BoxSearch) -> None:
    reference, _ = exponential
    bound = prepared(reference, clip=9.0, clip_biases=False, optimizer=quick).with_clip(2.5).bound
    np.testing.assert_array_equal(bound, prepared(reference, clip=2.5, clip_biases=False, optimizer=quick).bound)
    assert {2.5, np.inf} == set(bound)


def test_samples_of_a_batch_have_starts_of_their_own(
    exponential: Exponential, quick: BoxSearch, rng: np.random.Generator
) -> None:
    reference, data = exponential
    network = prepared(reference, clip=4.0, optimizer=quick)
    samples = [data, data.select(slice(0, 300)), data.select(slice(50, None))]
    starts = list(rng.uniform(-4, 4, (3, 1, 10)))
    together = network.fit_from(samples, starts)
    for i in range(3):
        alone = network.fit_from([samples[i]], [starts[i]])
        assert together.t[i] == alone.t[0]
        np.testing.assert_array_equal(together.parameters[i], alone.parameters[0])
    with pytest.raises(ValueError, match="shorter"):
        network.fit_from(samples, starts[:2])


def test_the_published_recipe_has_a_start_of_its_own(exponential: Exponential) -> None:
    reference, data = exponential
    with pytest.raises(ValueError, match="cannot fit from others"):
        prepared(reference, optimizer=Adam(epochs=2)).fit_from([data], [np.zeros((1, 10))])


def test_a_stop_is_obeyed_before_the_next_start(exponential: Exponential, quick: BoxSearch) -> None:
    reference, data = exponential
    network = prepared(reference, optimizer=quick)
    stop = Event()
    stop.set()
    with pytest.raises(CancelledError):
        network.search._fit_from(data=network._rows(data), starts=np.zeros((1, 10)), stop=stop)
