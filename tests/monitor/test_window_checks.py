"""What is wrong with a window is named."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.monitor.batch import Batch
from nplm.monitor.window_checks import examine

_RNG = np.random.default_rng(1)
_REFERENCE = Sample(
    np.column_stack([_RNG.normal(size=1000), (np.arange(1000) % 100 == 0).astype(float)]), features=["pt", "flag"]
)


def _window(n: int = 200) -> Batch:
    rng = np.random.default_rng(2)
    return Batch(np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)]), np.ones(n), None, "a file")


def test_a_good_window_has_no_problems() -> None:
    found = examine(_window(), _REFERENCE, 50)
    assert found.problems == ()
    assert found.sample is not None
    assert len(found.sample) == 200


def test_events_that_are_not_finite_are_left_out_and_counted() -> None:
    window = _window()
    window.events[3, 0], window.events[4, 1], window.weights[5] = np.nan, np.inf, np.nan
    found = examine(window, _REFERENCE, 50)
    assert found.not_finite == 3
    assert found.sample is not None
    assert len(found.sample) == 197
    assert found.problems == (
        "3 of 200 events are not finite ('pt' in 1, 'flag' in 1, the weight in 1) and were left out",
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (0, np.nan, "feature 'pt' is not a number in any event"),
        (0, 3.0, "feature 'pt' is constant (3)"),
        (1, 1.0, "feature 'flag' is constant (1)"),
    ],
)
def test_dead_channels(column: int, value: float, words: str) -> None:
    window = _window()
    window.events[:, column] = value
    found = examine(window, _REFERENCE, 50)
    assert found.sample is None
    assert found.problems == (words,)


def test_a_rare_flag_that_is_never_set_is_no_dead_channel() -> None:
    # 99% of the reference have flag 0: 200 events without one are 13% likely.
    window = _window()
    window.events[:, 1] = 0
    assert examine(window, _REFERENCE, 50).problems == ()


@pytest.mark.parametrize("n", [0, 1, 49])
def test_too_few_events(n: int) -> None:
    found = examine(_window(n), _REFERENCE, 50)
    assert found.sample is None
    assert found.problems == (f"too few events: {n} of at least 50",)


def test_weights_without_a_yield() -> None:
    window = _window()
    window.weights[:] = -1
    assert "add up to -200" in examine(window, _REFERENCE, 50).problems[0]
