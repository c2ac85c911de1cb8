"""The tilt under which a sum of weighted squares has a given mean."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.stats.saddle import saddle


@pytest.mark.parametrize("t", [5.0, 50.0, 1e4])
def test_of_equal_weights_it_is_known(t: float) -> None:
    """n w / (1 - 2 theta w) = t."""
    w, n = 0.7, 3
    assert saddle(np.full(n, w), t) == pytest.approx((1 / w - n / t) / 2)


def test_the_tilted_mean_is_t_and_below_the_mean_nothing_is_tilted() -> None:
    weights = np.array([2.0, 1.0, 0.3, 0.0])
    theta = saddle(weights, 9.0)
    assert (weights / (1 - 2 * theta * weights)).sum() == pytest.approx(9.0)
    assert saddle(weights, 3.3) == 0
    assert saddle(weights, 1.0) == 0
