"""Events beyond the range of the reference, taken to its edge."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nplm import (
    GaussianConstraint,
    HistogramModel,
    KernelModel,
    NetworkModel,
    NPLMTest,
    Nuisances,
    Sample,
)
from nplm.data import Overflow
from nplm.hypotest import kernel_widths, with_impacts
from nplm.hypotest.impact import impacts
from nplm.nuisance import Normalization
from toys import exponential

RNG = np.random.default_rng(5)
REFERENCE = exponential.draw_reference(np.random.default_rng(3), 2000, 200.0)
EDGE = float(REFERENCE.events.max())


def test_features_are_taken_to_the_range_one_by_one() -> None:
    overflow = Overflow.of(Sample([[0.0, -1.0], [2.0, 3.0], [9.0, 9.0]], [1.0, 1.0, 0.0]))
    data = Sample([[1.0, 5.0], [-1.0, 0.0], [5.0, -5.0]], [1.0, 2.0, 3.0], name="data").with_auxiliary(np.array([0.3]))
    within = overflow(data)
    np.testing.assert_array_equal(within.events, [[1.0, 3.0], [0.0, 0.0], [2.0, -1.0]])
    np.testing.assert_array_equal(within.weights, data.weights)
    assert within.name == "data"
    assert within.auxiliary is not None
    np.testing.assert_array_equal(within.auxiliary, [0.3])


def test_a_sample_within_the_range_stays_what_it_is() -> None:
    toy = REFERENCE.draw(np.arange(20))
    assert Overflow.of(REFERENCE)(toy) is toy


@pytest.mark.parametrize("model", [KernelModel(width=0.7, centers=50), HistogramModel(bins=5)])
def test_t_is_that_of_the_events_at_the_edge(model: KernelModel | HistogramModel) -> None:
    inside = np.clip(RNG.exponential(size=200), REFERENCE.events.min(), EDGE)
    data, at_edge = (Sample(np.append(inside, last), features=["x"]) for last in (EDGE + 3, EDGE))
    test = NPLMTest(REFERENCE, model, overflow=True)
    assert test.statistic(data) == pytest.approx(NPLMTest(REFERENCE, model).statistic(at_edge), rel=1e-12)


@pytest.mark.slow
def test_an_event_beyond_the_reference_no_longer_lifts_t() -> None:
    inside = RNG.exponential(size=200)
    data = Sample(np.append(inside, [EDGE + 2, EDGE + 2.1, EDGE + 2.2]), features=["x"])
    model = NetworkModel(hidden=(4,), clip=8.0, reference_exact=True)
    free, held = (NPLMTest(REFERENCE, model, coordinates="raw", overflow=o).statistic(data) for o in (False, True))
    # Three events where the reference expects nothing: f rises there to log-ratios that only the clip bounds.
    assert free > held + 20


def test_f_beyond_the_range_is_that_at_the_edge() -> None:
    test = NPLMTest(REFERENCE, KernelModel(width=0.7, centers=50), overflow=True)
    result = test.run(Sample(np.append(RNG.exponential(size=200), EDGE + 3), features=["x"]), toys=0)
    at_edge = test.log_ratio(result, np.array([[EDGE], [EDGE + 7]]))
    np.testing.assert_allclose(at_edge, result.log_ratio[-1], rtol=1e-12)


def test_impacts_are_those_of_the_events_at_the_edge() -> None:
    nuisances = Nuisances(Normalization("norm"), GaussianConstraint(("norm",), 0.1))
    test = NPLMTest(REFERENCE, KernelModel(width=0.7, centers=50), nuisances=nuisances, overflow=True)
    events = np.random.default_rng(12).exponential(size=230)
    data = Sample(np.append(events, [EDGE + 30] * 8), features=["x"])
    result = test.run(data, toys=0)
    again = with_impacts(test, data, result)
    assert result.nuisances is not None
    assert again.nuisances is not None
    np.testing.assert_allclose(again.nuisances.impact, result.nuisances.impact, rtol=1e-6)
    # The fits with a nuisance held would not see the same events as that of t.
    assert test.prepared.profiled is not None
    unclipped = impacts(test.prepared.profiled, data, result.t)
    assert abs(unclipped[0] - again.nuisances.impact[0]) > 1e-3


def test_the_setting_travels_and_is_written_down() -> None:
    test = NPLMTest(REFERENCE, KernelModel(width=0.7, centers=50), overflow=True)
    assert test.configuration()["overflow"] is True
    for other in (test.with_reference(REFERENCE), pickle.loads(pickle.dumps(test))):
        assert other.overflow is not None
    assert "overflow" not in NPLMTest(REFERENCE, test.model).configuration()
    assert all(one.overflow for one in kernel_widths(REFERENCE, [0.7, 2.0], test.model, overflow=True))


def test_an_angle_has_no_edge() -> None:
    reference = Sample([[0.0, 0.1], [2.0, 6.2]], features=["x", "phi"])
    data = Sample([[3.0, -1.0], [1.0, 7.0]], features=["x", "phi"])
    np.testing.assert_array_equal(Overflow.of(reference, ["phi"])(data).events, [[2.0, -1.0], [1.0, 7.0]])
    test = NPLMTest(Sample(RNG.uniform(0, 360, 500), features=["phi"]), "histogram", circular=["phi"], overflow=True)
    turns = [Sample([30.0 + turn, 200.0 - turn], features=["phi"]) for turn in (0, 360)]
    assert test.statistic(turns[0]) == pytest.approx(test.statistic(turns[1]), rel=1e-9)


def test_normal_scores_take_events_to_the_edge_as_well() -> None:
    data = Sample(np.append(RNG.exponential(size=200), [EDGE + 3] * 3), features=["x"])
    model = KernelModel(width=0.7, centers=50)
    free, held = (
        NPLMTest(REFERENCE, model, coordinates="normal-scores", overflow=o).statistic(data) for o in (False, True)
    )
    assert free == pytest.approx(held, rel=1e-12)
    standardized = NPLMTest(REFERENCE, model).statistic(data)
    assert abs(standardized - NPLMTest(REFERENCE, model, overflow=True).statistic(data)) > 1e-5


def test_what_was_taken_to_the_edge_is_told_of() -> None:
    """Default values far out are named and counted, wherever the model sees them."""
    rng = np.random.default_rng(11)
    reference, data = rng.normal(size=(4000, 2)), rng.normal(size=(1000, 2))
    data[:30, 0] = -999.0
    test = NPLMTest(reference, HistogramModel(bins=5), shape_only=True, overflow=True)
    result = test.run(data, 0)
    assert [found.events for found in result.outside] == [30]
    assert "-999" in result.outside[0].words
