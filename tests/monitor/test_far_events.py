"""Events far beyond the reference are named, however few they are and however the shape is tested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.data.support import Support
from nplm.family.settings import FamilySettings
from nplm.monitor import ControlLimits
from nplm.monitor.far_events import far_events
from nplm.monitor.headline import headline, message_of, wants_a_look
from nplm.monitor.verdict import Verdict

_KERNEL = KernelModel(width=1.0, centers=40)


def _events(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.exponential(size=n), rng.normal(size=n)])


def _reference() -> Sample:
    return Sample(_events(1, 20_000), features=["pt", "eta"])


def _window(far: int, value: float = -999.0) -> np.ndarray:
    events = _events(2, 500)
    events[:far, 0] = value
    return events


@pytest.mark.parametrize(
    "settings",
    [
        {"family": FamilySettings(classes=("one",))},
        {"model": _KERNEL},
        {"model": _KERNEL, "overflow": True},
        {"model": _KERNEL, "coordinates": "normal-scores"},
    ],
)
@pytest.mark.parametrize("far", [1, 3, 40])
def test_a_verdict_names_default_values_in_every_case(settings: dict[str, Any], far: int) -> None:
    monitor = Monitor(_reference(), window=500, limits=ControlLimits(drift=False), **settings)
    (verdict,) = monitor.watch([_window(far)])
    assert verdict.far == far
    assert verdict.message.count("-999") == 1
    assert ("outside" in verdict.alarms) == (far == 40)


def test_few_events_far_out_hide_no_agreement_and_are_on_the_page() -> None:
    monitor = Monitor(_reference(), _KERNEL, window=500, limits=ControlLimits(drift=False), overflow=True)
    clean, far = monitor.watch([_window(0), _window(1)])
    assert (clean.far, clean.message) == (0, "agrees with the reference")
    assert far.status == "ok"
    assert far.message.startswith("agrees with the reference; 1 event has pt = -999, beyond the range of the reference")
    assert not wants_a_look(clean, 0.001)
    assert wants_a_look(far, 0.001)
    assert headline([clean, far], 0.001).sentence.endswith(
        " Window 1 (batch 1) has 1 event far beyond the range of the reference, such as default values."
    )
    assert "2 windows have events far beyond" in headline([far, far], 0.001).sentence
    assert Verdict.of(far.to_dict()) == far


def test_a_window_that_is_too_small_for_a_test_names_them_too() -> None:
    monitor = Monitor(_reference(), _KERNEL, limits=ControlLimits(drift=False))
    (verdict,) = monitor.watch([_window(2)[:20]])
    assert (verdict.status, verdict.far) == ("problem", 2)
    assert "too few events" in verdict.message
    assert "2 events at pt = -999" in verdict.message


def test_a_borderline_window_keeps_what_is_far() -> None:
    verdict = Verdict(
        row=0,
        time="",
        source="run",
        status="ok",
        message="agrees with the reference; 1 event has pt = -999, beyond",
        p_shape=0.002,
        far=1,
    )
    said = message_of(verdict, 0.001)
    assert said == (
        "borderline: the shape has p = 0.002, and below 0.001 it is an alarm; 1 event has pt = -999, beyond"
    )


@pytest.mark.parametrize("draw", [lambda rng, n: rng.exponential(size=n), lambda rng, n: rng.normal(size=n)])
def test_fluctuations_of_tails_are_not_far(draw: Callable[[np.random.Generator, int], np.ndarray]) -> None:
    """In 200 windows of one distribution none."""
    rng = np.random.default_rng(3)
    support = Support.of(Sample(draw(rng, 5000)[:, None], features=["x"]))
    assert not any(far_events(support, draw(rng, 1000)[:, None], np.ones(1000)).events for _ in range(200))


def test_events_without_weight_and_values_that_are_no_numbers_are_not_far() -> None:
    support = Support.of(_reference())
    events = _window(2)
    events[2, 0] = np.nan
    weights = np.ones(len(events))
    weights[0] = 0
    assert far_events(support, events, weights).events == 1
    both = np.array([[1e6, -1e6]])
    found = far_events(support, both, np.ones(1))
    assert (found.events, len(found.words)) == (1, 2)


def test_overflow_takes_windows_to_the_edge_and_is_no_option_of_a_family() -> None:
    edge = _reference().events[:, 0].max()
    settings: dict[str, Any] = {"window": 500, "limits": ControlLimits(drift=False)}
    plain, clipped = (Monitor(_reference(), _KERNEL, **settings, overflow=on) for on in (False, True))
    at_edge, beyond = _window(3, edge), _window(3, 1e4)
    assert next(clipped.watch([beyond])).t == next(plain.watch([at_edge])).t
    assert next(plain.watch([beyond])).t != next(plain.watch([at_edge])).t
    with pytest.raises(ValueError, match="a family compares ranks in the reference"):
        Monitor(_reference(), overflow=True)
