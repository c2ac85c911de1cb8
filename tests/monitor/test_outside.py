"""Events where the reference has none: wide kernels do not see them, and a monitor does."""

from __future__ import annotations

import numpy as np

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import ControlLimits


def _monitor(window: int = 1000) -> Monitor:
    rng = np.random.default_rng(1)
    reference = Sample(np.column_stack([rng.exponential(size=40_000), rng.normal(size=40_000)]), features=["pt", "eta"])
    return Monitor(reference, KernelModel(width=2.0, centers=40), window=window, limits=ControlLimits(drift=False))


def test_a_default_value_is_an_alarm() -> None:
    rng = np.random.default_rng(2)
    windows = [np.column_stack([rng.exponential(size=1000), rng.normal(size=1000)]) for _ in range(2)]
    windows[1][:30, 0] = -999.0
    plain, found = _monitor().watch(windows)
    assert plain.status == "ok"
    assert found.alarms == ("outside",)
    assert found.p_shape is not None
    assert found.p_shape > 0.001
    assert found.message == "30 events at pt = -999, where the reference has none: a default value?"


def test_false_alarms_are_hardly_any_more() -> None:
    """None in 200 windows, of which one in a hundred thousand is expected to give one."""
    rng = np.random.default_rng(3)
    windows = (np.column_stack([rng.exponential(size=200), rng.normal(size=200)]) for _ in range(200))
    assert not any("outside" in verdict.alarms for verdict in _monitor(200).watch(windows))
