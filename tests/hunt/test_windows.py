"""Windows of the resonant feature: where they are, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.hunt.windows import Windows


def test_they_are_a_resolution_apart_and_keep_three_from_the_ends() -> None:
    windows = Windows.scan(2.0, 6.8, 0.1)
    assert len(windows) == 43
    np.testing.assert_allclose(windows.centre, 2.3 + 0.1 * np.arange(43))
    assert windows.ends(0) == pytest.approx((2.1, 2.5))


def test_a_resolution_that_grows_makes_wider_and_fewer_windows() -> None:
    windows = Windows.scan(100.0, 1000.0, lambda m: 0.05 * m)
    np.testing.assert_allclose(windows.sigma, 0.05 * windows.centre)
    np.testing.assert_allclose(np.diff(windows.centre), windows.sigma[:-1])


def test_values_are_one_at_the_centre_and_fall_as_a_normal_density() -> None:
    windows = Windows.scan(0.0, 10.0, 1.0)
    values = windows(np.array([windows.centre[1], windows.centre[1] + 2.0]))
    assert values[0, 1] == 1
    assert values[1, 1] == pytest.approx(np.exp(-2))


def test_a_region_is_one_inside_and_zero_outside() -> None:
    windows = Windows.of_region((3.4, 3.8), 2.0, 6.0)
    np.testing.assert_array_equal(windows(np.array([3.3, 3.4, 3.6, 3.8]))[:, 0], [0, 1, 1, 0])
    assert windows.ends(0) == (3.4, 3.8)


@pytest.mark.parametrize(
    ("resolution", "message"),
    [
        (0.0, "must be a positive number, not 0"),
        (float("nan"), "must be a positive number"),
        (1.0, "no window of resolution 1 fits between 2 and 6.8"),
        (1e-4, "more than 1000 windows"),
    ],
)
def test_bad_resolutions_are_refused(resolution: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Windows.scan(2.0, 6.8, resolution)


@pytest.mark.parametrize("region", [(3.8, 3.4), (1.0, 3.0), (3.0, 7.0), (3.0, float("nan"))])
def test_bad_regions_are_refused(region: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="signal region"):
        Windows.of_region(region, 2.0, 6.0)
