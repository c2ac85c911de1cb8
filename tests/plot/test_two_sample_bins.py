"""Bins of two samples: the interval that leads is seen, sums add up, and ratios that matter are in range."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.plot.style import ratio_range
from nplm.plot.two_sample_bins import Process, fill_two_samples, overlapping


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[Sample, Sample]:
    """A narrow peak with a tail beyond the usual axis."""
    x = np.concatenate([rng.normal(90, 2, 8000), rng.uniform(40, 600, 2000)])
    a, b = Sample(x, np.full(len(x), 0.1), ["m"]), Sample(x[::10] + 0.01, features=["m"])
    return a, b


def test_an_interval_beyond_the_usual_axis_is_seen_apart_from_the_outer_bin(case) -> None:
    a, b = case
    usual = fill_two_samples(a, b, "m")
    interval = (usual.binning.edges[-1] + 20.0, usual.binning.edges[-1] + 60.0)
    assert not overlapping(usual, interval).any()
    seen = fill_two_samples(a, b, "m", interval=interval, enlarge=False)
    assert overlapping(seen, interval).sum() >= 2
    assert seen.binning.edges[-1] > interval[1]
    # The outer bins take the rest, and say so.
    assert seen.a.sum() == pytest.approx(1)
    assert seen.beyond[0][1] > 0


def test_a_narrow_interval_is_enlarged_and_nothing_from_elsewhere_is_in_the_picture(case) -> None:
    a, b = case
    found = fill_two_samples(a, b, "m", interval=(89.0, 90.0), yields=True)
    assert found.enlarged
    low, high = found.binning.edges[[0, -1]]
    assert 80 < low < 89 < 90 < high < 100
    inside = (a.events[:, 0] >= low) & (a.events[:, 0] <= high)
    assert found.a.sum() == pytest.approx(a.weights[inside].sum())
    assert found.beyond == ((0.0, 0.0), (0.0, 0.0))


def test_processes_add_up_to_the_reference(case) -> None:
    a, b = case
    parts = [Process("peak", 8000), Process("flat", 2000)]
    found = fill_two_samples(a, b, "m", yields=True, processes=parts)
    assert [name for name, _ in found.stack] == ["peak", "flat"]
    assert found.stack[0][1].sum() == pytest.approx(800)
    np.testing.assert_allclose(sum(values for _, values in found.stack), found.a)
    assert found.b.sum() == len(b)
    np.testing.assert_allclose(found.error_a**2, found.a * 0.1)


@pytest.mark.parametrize("yields", [False, True])
def test_the_fit_has_the_yield_of_b_also_if_it_speaks_of_an_interval_only(case, yields: bool) -> None:
    a, b = case
    f = np.where(a.events[:, 0] > 300, np.log(3.0), 0.0)
    found = fill_two_samples(a, b, "m", f, yields=yields)
    assert found.tilted is not None
    assert found.tilted.sum() == pytest.approx(found.b.sum())
    assert fill_two_samples(a, b, "m").tilted is None


def test_the_range_of_ratios_shows_what_differs_and_not_what_is_unknown() -> None:
    ratio = np.array([1.0, 1.05, 3.0, 2.5])
    low, high = np.array([0.95, 0.95, 2.5, 0.5]), np.array([1.05, 1.2, 3.6, 6.0])
    # The third is four errors from one; the fourth is hardly known.
    assert ratio_range(ratio, low, high)[1] == pytest.approx(1 + 1.1 * 2.6)
    assert ratio_range(ratio[[0, 1, 3]], low[[0, 1, 3]], high[[0, 1, 3]])[1] < 1.3
    # Where the samples differ most each point is shown.
    leading = np.array([False, False, True])
    assert ratio_range(ratio[[0, 1, 3]], low[[0, 1, 3]], high[[0, 1, 3]], leading)[1] > 6
