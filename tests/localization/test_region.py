"""The regions of excess and deficit, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.localization.comparison import Comparison
from nplm.localization.peeling import LEAST_EVENTS, find_box
from nplm.localization.region import local_regions


def grid(rng: np.random.Generator, f: np.ndarray, n: int = 8000, features: int = 3) -> Comparison:
    """f constant in the cells of a grid in the first two of some uniform features, with expectation 1000."""

    def at(x: np.ndarray) -> np.ndarray:
        first, second = (np.clip((x[:, j] * len(f)).astype(int), 0, len(f) - 1) for j in (0, 1))
        return np.asarray(f[first, second])

    x, y = rng.random((n, features)), rng.random((700, features))
    return Comparison(Sample(y), at(y), Sample(x, rng.exponential(1000 / n, n)), at(x))


def test_the_region_is_the_bin_and_counts_add_up(rng: np.random.Generator) -> None:
    """In steps of f the best box ends where they are: between the last event inside and the first outside."""
    f = np.zeros((4, 4))
    f[2, 1], f[0, 3] = 0.8, -1.1
    comparison = grid(rng, f)
    excess, deficit = local_regions(comparison)
    for region, cell, value in ((excess, (2, 1), 0.8), (deficit, (0, 3), -1.1)):
        assert region is not None
        inside = {}
        for name in ("data", "reference"):
            sample = getattr(comparison, name)
            index = (sample.events[:, :2] * 4).astype(int)
            inside[name] = np.all(index == cell, axis=1)
        np.testing.assert_array_equal(region.box.holds(comparison.reference.events), inside["reference"])
        w = comparison.reference.weights[inside["reference"]]
        assert region.expected == pytest.approx(w.sum())
        assert region.expected_error == pytest.approx(np.sqrt((w**2).sum()))
        assert region.fitted == pytest.approx(w.sum() * np.exp(value))
        assert region.mean_log_ratio == pytest.approx(value)
        n, b = region.fitted, region.expected
        assert region.contribution == pytest.approx(2 * (n * np.log(n / b) - n + b))
        # Data between the last reference event and the step may lie on either side of a face.
        assert abs(region.observed - inside["data"].sum()) <= 2
        assert region.data_log_ratio == pytest.approx(value, abs=0.05)
        # The third feature plays no part.
        assert "x2" not in region.describe()
    assert excess is not None
    assert "x0" in excess.describe()


def test_a_bin_without_events_in_the_fit_is_the_deficit(rng: np.random.Generator) -> None:
    f = np.zeros((3, 3))
    f[1, 1] = -np.inf
    _, deficit = local_regions(grid(rng, f))
    assert deficit is not None
    assert (deficit.fitted, deficit.mean_log_ratio) == (0.0, -np.inf)
    assert deficit.contribution == pytest.approx(2 * deficit.expected)
    assert deficit.to_dict()["mean_log_ratio"] is None


def test_the_order_of_events_and_splitting_them_change_nothing(rng: np.random.Generator) -> None:
    comparison = grid(rng, rng.normal(0, 0.3, (5, 5)), n=3000)
    reference, f = comparison.reference, comparison.f_reference
    order = rng.permutation(len(reference))
    halves = Sample(np.repeat(reference.events, 2, axis=0), np.repeat(reference.weights / 2, 2))
    shuffled = Comparison(comparison.data, comparison.f_data, reference.select(order), f[order])
    split = Comparison(comparison.data, comparison.f_data, halves, np.repeat(f, 2))
    for one, two, three in zip(*map(local_regions, (comparison, shuffled, split)), strict=True):
        assert one is not None
        assert two is not None
        assert three is not None
        np.testing.assert_array_equal([one.box.low, one.box.high], [two.box.low, two.box.high])
        np.testing.assert_allclose(np.c_[one.box.low, one.box.high], np.c_[three.box.low, three.box.high])


def test_the_box_is_the_best_of_all_intervals(rng: np.random.Generator) -> None:
    """In one feature the search is complete, within the edges that it tries first: compare with brute force."""
    x = np.sort(rng.random(50))
    w = rng.exponential(size=50)
    n = w * np.exp(np.sin(12 * x) + rng.normal(0, 0.05, 50))
    box = find_box(x[:, None], w, n, excess=True)
    assert box is not None
    best, rows = -np.inf, slice(0, 0)
    for i in range(50):
        for j in range(i + 1, 51):
            a, b, square = n[i:j].sum(), w[i:j].sum(), (w[i:j] ** 2).sum()
            gain = a * np.log(a / b) - a + b if a > b and b**2 >= LEAST_EVENTS * square else -np.inf
            best, rows = max((best, rows), (gain, slice(i, j)), key=lambda pair: pair[0])
    inside = box.holds(x[:, None])
    a, b = n[inside].sum(), w[inside].sum()
    # A face may be dropped for a twentieth of what the box explains.
    assert a * np.log(a / b) - a + b >= 0.95 * best
    assert b**2 >= LEAST_EVENTS * (w[inside] ** 2).sum()


def test_a_change_of_yield_alone_is_everywhere(rng: np.random.Generator) -> None:
    excess, deficit = local_regions(grid(rng, np.full((2, 2), 0.1)))
    assert excess is not None
    assert excess.describe() == "everywhere"
    assert excess.observed == 700
    assert deficit is None


def test_integers_are_cut_between_values(rng: np.random.Generator) -> None:
    x = rng.integers(0, 6, size=(4000, 1)).astype(float)
    f = np.where(np.isin(x[:, 0], [2, 3]), 0.7, 0.0)
    excess, _ = local_regions(Comparison(Sample(x), f, Sample(x), f))
    assert excess is not None
    assert excess.describe() == "1.5 < x0 <= 3.5"


def test_where_negative_weights_prevail_there_is_no_region(rng: np.random.Generator) -> None:
    """The expectation of a box must be positive; here only half of space has one."""
    x = rng.random((4000, 1))
    w = np.where(x[:, 0] < 0.5, 1.0, np.where(rng.random(4000) < 0.8, -1.0, 1.0))
    f = np.where(x[:, 0] < 0.5, 0.2, 0.9)
    excess, _ = local_regions(Comparison(Sample(x), f, Sample(x, w), f))
    assert excess is not None
    assert excess.expected > 0
    assert excess.box.high[0] == pytest.approx(0.5, abs=0.01)
