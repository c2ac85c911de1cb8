"""The same toys at several clips: exact on a family whose maxima are known, with a search that misses some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nplm.tuning.path import Climb, ClipPath, follow_path

CLIPS = (1.0, 1.5, 2.5, 4.0, 6.0)
TOYS = 60


@dataclass(frozen=True)
class Family:
    """Toys whose largest t in the box of clip c is a_i + b_i log c, at the point (1, c) of the box.

    There is a second maximum, at (-1, c), which is lower by d_i. A climb goes to the one on whose side it begins.
    """

    a: np.ndarray
    b: np.ndarray
    d: np.ndarray

    def truth(self) -> np.ndarray:
        """The largest t, shape (toys, clips)."""
        return self.a[:, None] + self.b[:, None] * np.log(CLIPS)

    def root(self, target: float) -> float:
        """The clip at which the mean of the largest t is `target`."""
        return float(np.exp((target - self.a.mean()) / self.b.mean()))

    def searched(self, misses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a search ends with that takes the lower maximum where `misses` says so: t, and the points."""
        t = self.truth() - np.where(misses, self.d[:, None], 0.0)
        side = np.where(misses, -1.0, 1.0)
        return t, np.stack([side, np.broadcast_to(CLIPS, side.shape)], axis=-1)

    def climb(self, clip: float, rows: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The maximum on the side of each point."""
        t = self.a[rows] + self.b[rows] * np.log(clip) - np.where(points[:, 0] < 0, self.d[rows], 0.0)
        return t, np.stack([points[:, 0], np.full(len(rows), clip)], axis=1)


@pytest.fixture
def family(rng: np.random.Generator) -> Family:
    return Family(rng.gamma(4.0, size=TOYS), rng.uniform(2.0, 6.0, TOYS), rng.uniform(1.0, 9.0, TOYS))


def half_missed(rng: np.random.Generator, toys: int = TOYS) -> np.ndarray:
    """Misses where a search of a fixed size has them: few at small clips, more at large ones; never all of a toy."""
    misses = rng.random((toys, len(CLIPS))) < np.linspace(0.1, 0.9, len(CLIPS))
    misses[np.arange(toys), rng.integers(len(CLIPS), size=toys)] = False
    return misses


def test_what_one_clip_has_found_every_clip_gets(family: Family, rng: np.random.Generator) -> None:
    t, points = family.searched(half_missed(rng))
    path = follow_path(CLIPS, t, points, family.climb)
    np.testing.assert_allclose(path.t, family.truth(), rtol=1e-12)
    np.testing.assert_array_equal(path.searched, t)
    assert path.corrected < 1e-12, "following alone reaches the maxima"
    assert np.all(np.diff(path.mean) > 0)
    # Without following, t falls in many toys as the clip grows, which no maximum does.
    assert np.mean(np.any(np.diff(t, axis=1) < 0, axis=1)) > 0.3


def test_a_maximum_known_at_one_end_reaches_the_other(family: Family) -> None:
    for found in (0, len(CLIPS) - 1):
        misses = np.ones((TOYS, len(CLIPS)), dtype=bool)
        misses[:, found] = False
        path = follow_path(CLIPS, *family.searched(misses), family.climb)
        np.testing.assert_allclose(path.t, family.truth(), rtol=1e-12)


def test_a_maximum_that_no_clip_has_found_stays_unknown(family: Family) -> None:
    misses = np.zeros((TOYS, len(CLIPS)), dtype=bool)
    misses[3] = True
    path = follow_path(CLIPS, *family.searched(misses), family.climb)
    np.testing.assert_allclose(path.t[3], family.truth()[3] - family.d[3], rtol=1e-12)
    np.testing.assert_allclose(np.delete(path.t, 3, 0), np.delete(family.truth(), 3, 0), rtol=1e-12)


def test_the_root_is_that_of_the_true_mean(family: Family, rng: np.random.Generator) -> None:
    target = float(family.truth()[:, 2].mean()) + 0.4
    t, points = family.searched(half_missed(rng))
    path = follow_path(CLIPS, t, points, family.climb)
    # The mean is linear in log clip, which the monotone cubic follows exactly.
    assert path.clip_of(target) == pytest.approx(family.root(target), rel=1e-9)
    np.testing.assert_allclose(path.curve(np.array([2.0])), family.a.mean() + family.b.mean() * np.log(2.0), rtol=1e-9)
    # The searched means miss it by far more than the sample leaves open.
    off = ClipPath(path.clips, t, t).clip_of(target)
    low, high = path.interval_of(target) or (0.0, 0.0)
    assert off is None or not low < off < high


def test_a_curved_mean_is_interpolated_to_the_spacing_of_the_clips() -> None:
    """t = 3 sqrt(c): the root is (target / 3)^2; four clips in a factor of two leave less than 0.1%."""
    clips = np.geomspace(4.0, 8.0, 4)
    t = 3 * np.sqrt(clips) + np.array([[-1.0], [1.0]])
    assert ClipPath(clips, t, t).clip_of(7.0) == pytest.approx((7 / 3) ** 2, rel=1e-3)


def test_the_error_of_the_mean(family: Family) -> None:
    truth = family.truth()
    path = ClipPath(np.array(CLIPS), truth, truth)
    np.testing.assert_allclose(path.mean_error, np.sqrt(np.var(truth, axis=0, ddof=1) / TOYS))


def test_the_interval_is_that_of_the_delta_method(family: Family) -> None:
    """sd(log clip) = sd(t at the clip) / (sqrt(n) b); 1000 resamplings know an end to 0.05 of that, allowed is 0.2."""
    truth = family.truth()
    path = ClipPath(np.array(CLIPS), truth, truth)
    target = float(truth[:, 2].mean())
    at_root = family.a + family.b * np.log(family.root(target))
    sd = float(at_root.std() / np.sqrt(TOYS) / family.b.mean())
    assert sd < 0.1, "too wide for a first-order formula"
    low, high = path.interval_of(target) or (0.0, 0.0)
    ends = np.log([low, high]) - np.log(family.root(target))
    np.testing.assert_allclose(ends, [-0.994 * sd, 0.994 * sd], atol=0.2 * sd)
    assert path.interval_of(target) == (low, high), "the resampling has a seed of its own"


def test_the_same_offset_for_all_toys_has_no_uncertainty() -> None:
    """Toys that differ by nothing leave nothing to resample."""
    t = np.repeat([[1.0, 2.0, 3.0]], 5, axis=0)
    path = ClipPath(np.array([1.0, 2.0, 4.0]), t, t)
    assert path.interval_of(2.5) == (path.clip_of(2.5), path.clip_of(2.5))


def test_an_end_beyond_the_scan_is_zero_or_infinite(family: Family) -> None:
    truth = family.truth()
    path = ClipPath(np.array(CLIPS), truth, truth)
    # At an outer clip about half of the resampled means lie outside.
    low, high = path.interval_of(float(path.mean[0])) or (1.0, 1.0)
    assert low == 0
    assert CLIPS[0] < high < CLIPS[1]
    low, high = path.interval_of(float(path.mean[-1])) or (1.0, 1.0)
    assert CLIPS[-2] < low < CLIPS[-1]
    assert high == np.inf


def test_no_clip_outside_the_scan(family: Family) -> None:
    truth = family.truth()
    path = ClipPath(np.array(CLIPS), truth, truth)
    assert path.clip_of(float(path.mean[0]) - 1e-6) is None
    assert path.clip_of(float(path.mean[-1]) + 1e-6) is None
    assert path.clip_of(float(path.mean[0])) == pytest.approx(CLIPS[0])
    assert path.clip_of(float(path.mean[-1])) == pytest.approx(CLIPS[-1])


def test_a_climb_that_loses_changes_nothing(family: Family) -> None:
    """A climb that fails (NaN), or ends lower, must not replace what is known."""
    truth, points = family.searched(np.zeros((TOYS, len(CLIPS)), dtype=bool))

    def failing(clip: float, rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(rows % 2, np.nan, -5.0), np.full_like(starts, np.nan)

    path = follow_path(CLIPS, truth, points, failing)
    np.testing.assert_array_equal(path.t, truth)


def test_a_fall_that_climbing_leaves_is_mended_and_told(family: Family) -> None:
    """Toy 3 falls by 0.7 and by 0.2, and no climb helps: t is level there, and the larger fall is said."""
    t, points = family.searched(np.zeros((TOYS, len(CLIPS)), dtype=bool))
    fallen = t.copy()
    fallen[3, 2], fallen[3, 4] = t[3, 1] - 0.7, t[3, 3] - 0.2

    def idle(clip: float, rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(rows), -np.inf), starts

    path = follow_path(CLIPS, fallen, points, idle)
    assert path.corrected == pytest.approx(0.7)
    expected = t.copy()
    expected[3, 2], expected[3, 4] = t[3, 1], t[3, 3]
    np.testing.assert_array_equal(path.t, expected)
    np.testing.assert_array_equal(path.searched, fallen)
    assert follow_path(CLIPS, t, points, idle).corrected == 0


def test_the_last_pass_climbs_only_toys_whose_t_falls(family: Family) -> None:
    calls: list[tuple[float, int]] = []
    t, points = family.searched(np.zeros((TOYS, len(CLIPS)), dtype=bool))
    follow_path(CLIPS, t, points, counted(family, calls))
    inner = [clip for clip in CLIPS if clip != CLIPS[0]]
    assert calls == [(clip, TOYS) for clip in [*inner, *CLIPS[-2::-1]]]


def counted(family: Family, calls: list[tuple[float, int]]) -> Climb:
    """The climbs of the family; `calls` gets the clip and the number of toys of each."""

    def climb(clip: float, rows: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        calls.append((clip, len(rows)))
        return family.climb(clip, rows, points)

    return climb


@pytest.mark.parametrize(("new", "first"), [(2, [2.5, 4.0, 2.5, 1.5]), (0, [1.5, 1.0]), (4, [6.0, 4.0])])
def test_a_path_that_goes_on_climbs_only_what_is_new(
    family: Family, rng: np.random.Generator, new: int, first: list[float]
) -> None:
    """A clip that is added is climbed from its neighbours, and they from it; others only where these have risen."""
    old = np.delete(np.arange(len(CLIPS)), new)
    misses = half_missed(rng)
    # Maxima that only the new clip knows, and those that only the others know.
    misses[:5] = np.arange(len(CLIPS)) != new
    misses[5:, new] = True
    misses[5:, old[0]] = False
    t, points = family.searched(misses)
    before = follow_path(np.array(CLIPS)[old].tolist(), t[:, old], points[:, old], family.climb)
    calls: list[tuple[float, int]] = []
    path = follow_path(CLIPS, t, points, counted(family, calls), before)
    np.testing.assert_allclose(path.t, family.truth(), rtol=1e-12)
    np.testing.assert_allclose(path.t, follow_path(CLIPS, t, points, family.climb).t, rtol=1e-12)
    np.testing.assert_array_equal(path.searched, t)
    assert [clip for clip, rows in calls if rows == TOYS] == first
    rest = [(clip, rows) for clip, rows in calls if rows < TOYS]
    assert {rows for _, rows in rest} == {5}
    assert {clip for clip, _ in rest} >= set(CLIPS) - set(first), "what the new clip knows reaches all others"


def test_a_path_that_is_followed_again_climbs_nothing(family: Family, rng: np.random.Generator) -> None:
    calls: list[tuple[float, int]] = []
    t, points = family.searched(half_missed(rng))
    path = follow_path(CLIPS, t, points, family.climb)
    again = follow_path(CLIPS, t, points, counted(family, calls), path)
    assert calls == []
    np.testing.assert_array_equal(again.t, path.t)


def test_a_path_goes_on_with_some_of_its_toys(family: Family, rng: np.random.Generator) -> None:
    t, points = family.searched(half_missed(rng))
    path = follow_path(CLIPS, t, points, family.climb)
    rows = np.arange(TOYS) % 3 > 0
    some = path.select(rows)
    np.testing.assert_array_equal(some.t, path.t[rows])
    np.testing.assert_array_equal(some.searched, t[rows])
    calls: list[tuple[float, int]] = []
    again = follow_path(CLIPS, t[rows], points[rows], counted(family, calls), some)
    np.testing.assert_array_equal(again.t, path.t[rows])
    assert calls == []


def test_the_points_are_those_of_the_best_fits(family: Family, rng: np.random.Generator) -> None:
    path = follow_path(CLIPS, *family.searched(half_missed(rng)), family.climb)
    assert path.points is not None
    np.testing.assert_array_equal(path.points[..., 0], np.ones((TOYS, len(CLIPS))))
    np.testing.assert_array_equal(path.points[..., 1], np.broadcast_to(CLIPS, (TOYS, len(CLIPS))))


def test_the_searched_fits_are_left_as_they_were(family: Family, rng: np.random.Generator) -> None:
    t, points = family.searched(half_missed(rng))
    before = t.copy(), points.copy()
    follow_path(CLIPS, t, points, family.climb)
    np.testing.assert_array_equal(t, before[0])
    np.testing.assert_array_equal(points, before[1])
