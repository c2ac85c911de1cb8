"""Samples and searches that the network's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.multistart import SearchSettings

COMPILED = "/jax/core/compile/backend_compile_duration"
PeerToy = Callable[[int], tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def peer_toy() -> PeerToy:
    """Data and reference of a toy that other codes have fitted, by its seed (see `toys.exponential`)."""

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, 20_000])
        n = rng.poisson(2000)
        data, reference = rng.exponential(size=n), rng.exponential(size=20_000)
        return data[:, None], reference[:, None]

    return draw


@pytest.fixture
def quick() -> BoxSearch:
    """A search that is good enough for identities, where both sides run the same one."""
    return BoxSearch(
        SearchSettings(starts=2, population=8, parents=2, generations=3, iterations=40),
        cells=200,
        fine_cells=1000,
        fine_iterations=60,
        last_iterations=40,
    )


@pytest.fixture
def exponential(rng: np.random.Generator) -> tuple[Sample, Sample]:
    """A reference of 4000 events for an expected yield of 400, and data with a few events too many near 3."""
    reference = Sample(rng.exponential(size=4000), rng.uniform(0.05, 0.15, 4000), ("x",), "reference")
    data = np.concatenate([rng.exponential(size=390), rng.normal(3, 0.2, 15)])
    return reference, Sample(data, features=("x",), name="data")


@pytest.fixture
def compilations() -> Iterator[Callable[[], int]]:
    """Counts what XLA has compiled since the last look."""
    names: list[str] = []
    seen = 0

    def listener(event: str, duration: float, **details: object) -> None:
        names.append(event)

    def new() -> int:
        nonlocal seen
        before, seen = seen, names.count(COMPILED)
        return seen - before

    jax.monitoring.register_event_duration_secs_listener(listener)
    yield new
    jax.monitoring.unregister_event_duration_listener(listener)
