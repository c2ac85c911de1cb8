"""Compiled once for all toys, in float64, and without a trace in JAX's settings."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.adam import Adam


@pytest.mark.parametrize("shape_only", [False, True])
def test_nothing_is_compiled_from_toy_to_toy(
    shape_only: bool,
    exponential: tuple[Sample, Sample],
    quick: BoxSearch,
    compilations: Callable[[], int],
    rng: np.random.Generator,
) -> None:
    reference, data = exponential
    jax.clear_caches()
    test = NPLMTest(reference, NetworkModel(hidden=(3,), optimizer=quick), shape_only=shape_only)
    campaign = test.campaign(data)
    campaign.run([0])
    campaign.run([1])
    if not shape_only:
        assert compilations() > 0
    compilations()
    toys = [campaign.run([i]) for i in range(2, 7)]
    assert compilations() == 0
    assert len({float(t.t[0]) for t in toys}) == 5
    # The count can rise: a network of another size is compiled.
    NPLMTest(reference, NetworkModel(hidden=(2,) if shape_only else (1,), optimizer=quick)).statistic(data)
    assert compilations() > 0


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("name", ["histogram", "network", "adam"])
def test_answers_are_float64_and_the_setting_of_jax_stays(
    flag: bool, name: str, exponential: tuple[Sample, Sample], quick: BoxSearch
) -> None:
    reference, data = exponential
    models = {
        "histogram": HistogramModel(bins=5),
        "network": NetworkModel(optimizer=quick),
        "adam": NetworkModel(optimizer=Adam(epochs=300, learning_rate=0.01)),
    }
    with jax.enable_x64(flag):
        test = NPLMTest(reference, models[name])
        assert isinstance(test.statistic(data), float)
        result = test.run(data, toys=2)
        f = test.log_ratio(result, data)
        fits = test.fit([data])
        assert jax.config.jax_enable_x64 == flag
    columns = [f, result.log_ratio, result.parameter_vector, result.toys.t, fits.t, fits.parameters, fits.remaining]
    for array in [*columns, *result.parameters.values()]:
        assert type(array) is np.ndarray
        assert array.dtype == np.float64
    # The same to the last bit whatever the setting was: nothing fell back to float32.
    with jax.enable_x64(not flag):
        assert NPLMTest(reference, models[name]).statistic(data) == fits.t[0]
