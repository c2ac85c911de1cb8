"""What must not change t: how events are split, ordered, padded with zeros, or measured in units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.base import Model
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch

# The coarse search works in float32, where rounding moves a climb a little. It ends in the same maximum, and the last
# climb, in float64, stops a few thousandths below it.
TOLERANCE = {"histogram": 1e-9, "network": 2e-3}

Change = Callable[[Sample, np.random.Generator], Sample]


def split(sample: Sample, rng: np.random.Generator) -> Sample:
    """Half of the events become two of half the weight."""
    half = rng.permutation(len(sample))[: len(sample) // 2]
    weights = sample.weights.copy()
    weights[half] /= 2
    return Sample(
        np.concatenate([sample.events, sample.events[half]]),
        np.concatenate([weights, weights[half]]),
        sample.features,
    )


def permute(sample: Sample, rng: np.random.Generator) -> Sample:
    return sample.select(rng.permutation(len(sample)))


def add_zeros(sample: Sample, rng: np.random.Generator) -> Sample:
    """300 events without weight, far beyond the others too."""
    extra = rng.normal(0, 5, (300, sample.dimension))
    return Sample(
        np.concatenate([extra, sample.events]), np.concatenate([np.zeros(300), sample.weights]), sample.features
    )


def change_units(sample: Sample, rng: np.random.Generator) -> Sample:
    factor, offset = np.array([3.7, 1e-3])[: sample.dimension], np.array([-12.0, 80.0])[: sample.dimension]
    return Sample(sample.events * factor + offset, sample.weights, sample.features)


def identity(sample: Sample, rng: np.random.Generator) -> Sample:
    return sample


@pytest.fixture
def samples(rng: np.random.Generator) -> tuple[Sample, Sample]:
    reference = Sample(rng.exponential(size=(3000, 2)), rng.uniform(0.05, 0.15, 3000))
    return reference, Sample(rng.exponential(1.1, size=(300, 2)), rng.uniform(0.5, 1.5, 300))


@pytest.fixture(params=["histogram", "network"])
def model(request: pytest.FixtureRequest, quick: BoxSearch) -> Model:
    if request.param == "histogram":
        return HistogramModel(bins=9, reference_exact=True)
    return NetworkModel(clip=3.0, optimizer=quick, reference_exact=True)


def statistic(model: Model, reference: Sample, data: Sample) -> float:
    return NPLMTest(reference, model).statistic(data)


@pytest.mark.parametrize("change", [split, permute, add_zeros])
def test_t_does_not_depend_on_how_a_sample_is_written(
    change: Change, model: Model, samples: tuple[Sample, Sample], rng: np.random.Generator
) -> None:
    reference, data = samples
    t = statistic(model, reference, data)
    near = pytest.approx(t, abs=TOLERANCE[model.name])
    assert statistic(model, change(reference, rng), data) == near
    assert statistic(model, reference, change(data, rng)) == near


@pytest.mark.parametrize("change", [permute, add_zeros])
@pytest.mark.parametrize("model", [HistogramModel(bins=9), KernelModel(width=1.0, centers=30)], ids=lambda m: m.name)
def test_t_of_a_finite_reference_neither(
    change: Change, model: Model, samples: tuple[Sample, Sample], rng: np.random.Generator
) -> None:
    """But for events that are split: two events know more than one of them. Kernels stand on the same centres."""
    reference, data = samples
    test, other = NPLMTest(reference, model), NPLMTest(change(reference, rng), model)
    t = test.statistic(data)
    # In another order sums are rounded otherwise, and a fit ends elsewhere within its tolerance.
    assert test.statistic(change(data, rng)) == pytest.approx(t, rel=1e-8)
    if model.name == "histogram":
        assert other.statistic(data) == pytest.approx(t, rel=1e-9)
        assert abs(NPLMTest(split(reference, rng), model).statistic(data) - t) > 1e-2


def test_t_does_not_depend_on_units(model: Model, samples: tuple[Sample, Sample], rng: np.random.Generator) -> None:
    reference, data = samples
    t = statistic(model, reference, data)
    near = pytest.approx(t, abs=TOLERANCE[model.name])
    assert statistic(model, change_units(reference, rng), change_units(data, rng)) == near


def test_t_does_depend_on_what_the_events_are(
    model: Model, samples: tuple[Sample, Sample], rng: np.random.Generator
) -> None:
    """The comparisons above can fail: without one event of 300, or with other weights, t moves."""
    reference, data = samples
    t = statistic(model, reference, data)
    assert abs(statistic(model, reference, data.select(slice(1, None))) - t) > 1e-2
    shuffled = Sample(data.events, rng.permutation(data.weights))
    assert abs(statistic(model, reference, shuffled) - t) > 1e-2


def test_units_matter_without_standardization(quick: BoxSearch, samples: tuple[Sample, Sample]) -> None:
    reference, data = samples
    model = NetworkModel(clip=3.0, optimizer=quick)
    t, other = (
        NPLMTest(Sample(reference.events * unit, reference.weights), model, coordinates="raw").statistic(
            Sample(data.events * unit, data.weights)
        )
        for unit in (1.0, 0.01)
    )
    assert other < t - 0.5
