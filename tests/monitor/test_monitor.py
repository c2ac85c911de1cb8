"""Windows one after another: how they are cut, what they say, and where a restart goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binomtest

from nplm import KernelModel, Monitor, Sample
from nplm.family.settings import FamilySettings
from nplm.monitor import ControlLimits, pvalue_distribution
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.monitor import Sums
from nplm.monitor.verdict import Verdict

_MODEL = KernelModel(width=1.0, centers=40)


def _reference(seed: int = 1, n: int = 40_000) -> Sample:
    return Sample(np.random.default_rng(seed).normal(size=(n, 1)), features=["pt"])


def _columns(seed: int, sizes: list[int], scale: float = 1.0, rate: float = 1.0) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    now = 0.0
    for n in sizes:
        times = now + np.cumsum(rng.exponential(1 / rate, n))
        now = times[-1]
        yield {"pt": scale * rng.normal(size=n), "time": times}


def _monitor(**settings: object) -> Monitor:
    return Monitor(_reference(), _MODEL, **settings)  # type: ignore[arg-type]


def test_windows_do_not_depend_on_how_events_arrive() -> None:
    events = np.random.default_rng(2).normal(size=2600)
    together = list(_monitor(window=500, step=200).watch([events]))
    apart = list(_monitor(window=500, step=200).watch(np.split(events, [1, 30, 777, 778, 2599])))
    assert [v.first for v in together] == list(range(0, 2200, 200))
    assert [(v.first, v.p_shape, v.drift_shape) for v in apart] == [
        (v.first, v.p_shape, v.drift_shape) for v in together
    ]


def test_events_wait_for_their_window_and_a_restart_goes_on() -> None:
    batches = [b["pt"] for b in _columns(3, [700] * 6)]
    whole = list(_monitor(window=500, step=300).watch(batches))
    first, second = _monitor(window=500, step=300), _monitor(window=500, step=300)
    half = list(first.watch(batches[:3]))
    second.resume(*first.state())
    rest = list(second.watch(batches[3:]))
    assert second.waiting == first.waiting + 2100 - 300 * len(rest)
    key = [(v.row, v.first, v.p_shape, v.drift_shape) for v in whole]
    assert [(v.row, v.first, v.p_shape, v.drift_shape) for v in half + rest] == key


def test_false_alarms_are_as_stated_and_p_values_uniform() -> None:
    # 400 windows, alpha = 8% shared by shape, rate and their drifts: 2% for each limit.
    monitor = _monitor(window=400, limits=ControlLimits(0.08), expected_rate=2.0)
    found = list(monitor.watch(_columns(4, [400] * 400, rate=2.0), time="time"))
    for name in ("shape", "rate"):
        assert binomtest(sum(name in v.alarms for v in found), 400, 0.02).pvalue > 0.01
        # Drift charts restart, so their alarms are rarer than twice what is stated, if not binomial.
        assert sum(f"{name} drift" in v.alarms for v in found) < 20
    for values in ([v.p_shape for v in found], [v.p_rate for v in found], [v.p for v in found]):
        assert pvalue_distribution(np.array(values, dtype=float)).uniform
    z = np.array([v.z_rate for v in found], dtype=float)
    assert abs(z.mean()) < 4 / np.sqrt(400)


def test_shape_and_rate_are_told_apart() -> None:
    settings = {"window": 400, "expected_rate": 2.0, "limits": ControlLimits(0.004)}
    wide = list(_monitor(**settings).watch(_columns(5, [400] * 3, scale=1.5, rate=2.0), time="time"))
    fast = list(_monitor(**settings).watch(_columns(6, [400] * 3, rate=3.0), time="time"))
    assert all("shape" in v.alarms and "rate" not in v.alarms for v in wide)
    assert all("rate" in v.alarms and "shape" not in v.alarms for v in fast)
    assert "the shape disagrees" in wide[0].message
    assert fast[0].message.startswith("more events than the ")


def test_a_small_drift_is_seen_by_the_cumulative_sum_first() -> None:
    # A scale of 5%: the sum alarms within the run length that it states for its shift of Z, times three.
    monitor = _monitor(window=400, limits=ControlLimits(0.002))
    found = list(monitor.watch(_columns(7, [400] * 60, scale=1.05)))
    drift = next(i for i, v in enumerate(found) if "shape drift" in v.alarms)
    single = next((i for i, v in enumerate(found) if "shape" in v.alarms), 60)
    shift = float(np.mean([v.z_shape for v in found]))  # type: ignore[arg-type]
    delay = monitor.limits.delay(1, 1, monitor.shape.shared_fluctuation(400), shift)
    assert drift <= 3 * delay
    assert drift < single
    # Without the chart nothing is said of drifts.
    assert not any(
        "shape drift" in v.alarms
        for v in _monitor(window=400, limits=ControlLimits(0.002, drift=False)).watch(
            _columns(7, [400] * 30, scale=1.05)
        )
    )


def test_overlapping_windows_take_turns_in_the_drift_chart() -> None:
    monitor = _monitor(window=400, step=100)
    assert monitor.stride == 4
    found = list(monitor.watch(_columns(8, [4000])))
    sums = [v.drift_shape for v in found]
    changed = [i for i in range(1, len(sums)) if sums[i] != sums[i - 1]]
    assert all(i % 4 == 0 for i in changed)
    expected = 0.0
    for v in found[::4]:
        expected = max(0.0, expected + float(v.z_shape or 0) - 0.5)
        assert v.drift_shape == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pt": np.full(400, np.nan)}, "feature 'pt' is not a number in any event"),
        ({"pt": np.full(400, 2.0)}, "feature 'pt' is constant (2)"),
        ({"pt": np.zeros(0)}, "too few events: 0"),
        ({"pt": np.ones(3)}, "too few events: 3"),
    ],
)
def test_a_bad_window_is_a_verdict(values: dict[str, np.ndarray], words: str) -> None:
    (verdict,) = _monitor().watch([values])
    assert verdict.status == "problem"
    assert words in verdict.message
    assert verdict.p is None


def test_events_that_are_nan_are_left_out_and_named() -> None:
    values = np.random.default_rng(9).normal(size=400)
    good = next(_monitor(window=400).watch([values]))
    (bad,) = _monitor().watch([np.concatenate([values, [np.nan] * 7])])
    assert bad.status == "problem"
    assert bad.not_finite == 7
    assert bad.p_shape == pytest.approx(float(good.p_shape or 0), rel=0.3)


@pytest.mark.parametrize("shape", [{"model": _MODEL}, {"family": FamilySettings(classes=("one",))}])
def test_values_and_weights_near_the_ends_of_floats_are_said_and_the_watch_goes_on(shape: dict) -> None:
    rng = np.random.default_rng(9)
    events, times, ones = rng.normal(size=400), np.sort(rng.uniform(0, 400, 400)), np.ones(400)
    monitor = Monitor(_reference(n=10_000), expected_rate=1.0, limits=ControlLimits(drift=False), **shape)
    first = np.arange(400) == 3
    no_squares = "for their squares to be numbers"
    cases = [
        *((events, np.where(first, weight, 1.0), times, no_squares) for weight in (1e300, -1e300, 1.7e308)),
        *((events, weight * ones, times, no_squares) for weight in (1e300, 1e-300, 5e-324, 1.7e308)),
        (events, np.where(first, 1e99, 1e-99), times, "more events"),
        (events, ones, np.linspace(-1, 1, 400) * 1.7e308, "the exposure of the window is inf"),
        *((events * value, ones, times, "the shape disagrees") for value in (1e300, 1e-300)),
    ]
    for values, weights, time, words in cases:
        (verdict,) = monitor.push(Batch(values[:, None], weights, time, "run7"))
        assert verdict.status in ("problem", "alarm")
        assert words in verdict.message
        assert (verdict.p is None) == (words == no_squares)
        assert Verdict.of(json.loads(verdict.to_json())).message == verdict.message
    (good,) = monitor.push(Batch(events[:, None], ones, times, "run8"))
    assert good.status == "ok"


def test_names_that_cannot_be_printed_are_escaped() -> None:
    name = os.fsdecode(b"r\xff\n.npz")
    bad, few = _monitor().watch([Unreadable(name, f"{name} is bad"), Batch(np.ones((3, 1)), np.ones(3), None, name)])
    assert bad.source == few.source == r"r\xff\n.npz"
    assert bad.message == r"r\xff\n.npz is bad"


@pytest.mark.parametrize(
    "values", [{"eta": np.ones(3)}, np.ones((3, 2)), {"pt": np.array(["a", "b"])}, {"pt": np.ones((3, 2))}, 5]
)
def test_what_does_not_fit_is_unreadable_and_the_others_go_on(values: object) -> None:
    events = np.random.default_rng(9).normal(size=400)
    first, bad, last = _monitor(window=400).watch([events, values, events])
    assert bad.status == "unreadable"
    assert "batch 1" in bad.message
    assert first.p_shape == last.p_shape
    assert (first.row, bad.row, last.row) == (0, 1, 2)


def test_the_reference_is_replaced() -> None:
    monitor = _monitor(window=400)
    events = np.random.default_rng(9).normal(size=400) + 1
    (before,) = monitor.watch([events])
    monitor.replace_reference(Sample(_reference(5).events + 1, features=["pt"]))
    (after,) = monitor.watch([events])
    assert "shape" in before.alarms
    assert after.status == "ok"
    assert before.reference != after.reference
    with pytest.raises(ValueError, match="the new reference has the features eta"):
        monitor.replace_reference(Sample(np.arange(1000.0), features=["eta"]))
    assert next(monitor.watch([events])).reference == after.reference


def test_the_same_reference_in_another_order_goes_on_and_another_one_begins_anew() -> None:
    rng = np.random.default_rng(1)
    reference = Sample(rng.normal([0, 1], size=(20_000, 2)), features=["a", "b"])
    turned = Sample(reference.events[:, ::-1], features=["b", "a"])
    moved = Sample(reference.events + 0.01, features=["a", "b"])
    events = rng.normal([0, 1], size=(1000, 2))
    model, settings = KernelModel(width=2.0, centers=30), {"window": 400, "step": 300}
    first = Monitor(reference, model, **settings)
    list(first.watch([events]))
    first.sums = Sums(shape=1.0)
    for other, goes_on in ((reference, True), (turned, True), (moved, False)):
        running, restarted = Monitor(reference, model, **settings), Monitor(other, model, **settings)
        running.resume(*first.state())
        assert running.replace_reference(other) is not goes_on
        assert restarted.resume(*first.state()) is goes_on
        assert restarted.sums == running.sums == (first.sums if goes_on else Sums())
        waiting = restarted.state()[1]
        assert waiting is not None
        assert np.array_equal(waiting.events[:, list(other.features).index("a")], events[900:, 0])


def test_sums_of_another_expected_rate_begin_anew() -> None:
    first = _monitor(expected_rate=390.0)
    list(first.watch([np.random.default_rng(9).normal(size=400)] * 3))
    assert _monitor(expected_rate=390.0).resume(*first.state())
    other = _monitor(expected_rate=400.0)
    assert not other.resume(*first.state())
    assert other.sums.rate_up == 0 < first.sums.rate_up


def test_verdicts_survive_json() -> None:
    (verdict,) = _monitor(expected_rate=400.0).watch([np.random.default_rng(9).normal(size=400)])
    assert Verdict.of(verdict.to_dict()) == verdict
    assert verdict.pvalue == verdict.p
    assert verdict.statistic == verdict.t
    assert next(_monitor().push(Unreadable("x", "gone"))).to_dict()["p"] is None


def test_times_that_stand_still_give_no_rate() -> None:
    values = {"pt": np.random.default_rng(9).normal(size=400), "time": np.zeros(400)}
    (verdict,) = _monitor(window=400, expected_rate=1.0).watch([values], time="time")
    assert verdict.p_rate is None
    assert verdict.p_shape is not None
    assert "there is no rate" in verdict.message


def test_a_sample_brings_its_features_in_any_order() -> None:
    rng = np.random.default_rng(1)
    reference = Sample(rng.normal(size=(2000, 2)), features=["a", "b"])
    monitor = Monitor(reference, KernelModel(width=2.0), limits=ControlLimits(drift=False))
    x = rng.normal([0, 1], size=(300, 2))
    one, other = monitor.watch([Sample(x, features=["a", "b"]), Sample(x[:, ::-1], features=["b", "a"])])
    assert one.p == other.p


def test_refusals() -> None:
    for settings, words in (
        ({"window": 20}, "below the 50"),
        ({"step": 20}, "give the window as well"),
        ({"window": 100, "step": 200}, "between 1 and the window"),
        ({"expected_rate": 1.0, "reference_exposure": 2.0}, "not both"),
        ({"window": 40_000}, "use a larger reference"),
    ):
        with pytest.raises(ValueError, match=words):
            _monitor(**settings)
    with pytest.raises(ValueError, match="are those of one kernel model"):
        Monitor(_reference(), coordinates="normal-scores")
    with pytest.raises(ValueError, match="name their column"):
        list(_monitor(window=400, expected_rate=1.0).watch([np.ones(3)]))
    with pytest.raises(ValueError, match="some events have times"):
        list(
            _monitor(window=400).push(
                Batch(np.ones((3, 1)), np.ones(3), np.ones(3), "a").followed_by(
                    Batch(np.ones((3, 1)), np.ones(3), None, "b")
                )
            )
        )
