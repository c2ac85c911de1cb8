"""The family of tests on two samples: sizes are those of relabelled samples, the joint distribution is right at 1%."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from nplm import FamilyTest
from nplm.data.sample import Sample
from nplm.family import draws
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import AS_THEY_ARE, CLASSES, FamilySettings
from nplm.family.statistic import Family, combined
from nplm.two_sample.pooled import Pool


def _tested(a: np.ndarray, b: np.ndarray) -> tuple[float, FamilyNull]:
    family = Family.of(Pool.of(Sample(a), Sample(b)), FamilySettings())
    null = FamilyNull(family, family.surprise(family.null(299, 1)), 1)
    observed = family.by_class(family.t(family.observed()), family.root)
    return float(combined(observed, null.log_tests)[0]), null


def test_a_narrow_component_of_one_of_three_features_is_found_and_a_copy_is_not() -> None:
    rng = np.random.default_rng(5)

    def draw(width: float) -> np.ndarray:
        events = rng.normal(size=(2000, 3))
        narrow = rng.random(2000) < 0.3
        events[narrow, 2] = 3 + width * rng.normal(size=narrow.sum())
        return events

    different, null = _tested(draw(0.3), draw(0.5))
    assert null.exceeding(different) == 0
    assert null.log_p(different) < np.log(1e-7)
    same, null = _tested(draw(0.3), draw(0.3))
    assert null.exceeding(same) > 3
    assert 1 / 3 < null.check[1] / null.checked_share < 3


def _weights(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    if kind == "equal":
        return np.ones(n)
    return rng.lognormal(size=n) if kind == "log-normal" else np.where(rng.random(n) < 0.2, -1.0, 1.0)


@pytest.mark.parametrize("kind", ["equal", "log-normal", "signed"])
@pytest.mark.parametrize("drawn", [10**9, 0], ids=["events", "bags"])
def test_drawn_samples_fluctuate_as_events_do(kind: str, drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variance of the scores of 4000 drawn pairs is one in each mode: to 2.2% each."""
    monkeypatch.setattr(draws, "_MOST_DRAWN", drawn)
    rng = np.random.default_rng(9)
    a = Sample(rng.normal(size=(1500, 2)), 0.5 * _weights(kind, rng, 1500))
    family = Family.of(Pool.of(a, Sample(rng.normal(size=(700, 2)))), FamilySettings(classes=("products",)))
    for scores in family.null(4000, 1).scores(family.parts):
        assert np.abs(scores.mean(axis=0)).max() < 4.5 / np.sqrt(4000)
        # Bags of observed events know the variance from 700 of them only.
        assert scores.var(axis=0) == pytest.approx(np.ones(scores.shape[1]), rel=0.1 if drawn else 0.3)


@pytest.mark.parametrize("kind", ["equal", pytest.param("log-normal", marks=pytest.mark.slow), "signed"])
def test_size_with_a_fresh_reference_of_twice_the_data(kind: str) -> None:
    """60 trials at .05: 3 are expected, more than 9 occur once in a thousand times; a narrower peak is always found."""
    rng = np.random.default_rng(10)
    found = {1.0: 0, 0.6: 0}
    for width in [1.0] * 60 + [0.6] * 5:
        a = Sample(rng.normal(size=(500, 1)), _weights(kind, rng, 500))
        b = Sample(width * rng.normal(size=(rng.poisson(250), 1)))
        found[width] += FamilyTest(a, b).run(resamples=199).p_value <= 0.05
    assert found[1.0] <= 9
    assert found[0.6] == 5


def test_rates_and_shapes_are_told_apart() -> None:
    rng = np.random.default_rng(12)
    a = Sample(rng.normal(size=(4000, 1)), np.full(4000, 0.1), name="reference")
    more = FamilyTest(a, Sample(rng.normal(size=(520, 1))), expected_ratio=1.0, exact_yield=True).run(resamples=199)
    assert more.rate is not None
    assert more.shape is not None
    assert more.names[more.leading] == "yield"
    assert more.rate.p_value == pytest.approx(2 * poisson.sf(519, 400.0), rel=0.2)
    assert more.p_value < 1e-6 < 0.01 < more.shape.p_value
    peak = np.concatenate([rng.normal(size=(370, 1)), rng.normal(0.5, 0.02, (30, 1))])
    moved = FamilyTest(a, Sample(peak), expected_ratio=1.0, exact_yield=True).run(resamples=199)
    assert moved.rate is not None
    assert moved.p_value < 1e-5 < 0.1 < moved.rate.p_value
    assert "between x0 = 0.4" in moved.leading_words


def test_units_and_heavy_tails_do_not_matter() -> None:
    rng = np.random.default_rng(13)
    a, b = rng.normal(size=(600, 2)), rng.normal(0.1, 1.0, size=(400, 2))
    # All but the classes that look at the features as they are.
    ranks = FamilySettings(classes=tuple(name for name in CLASSES if name not in AS_THEY_ARE))
    plain = FamilyTest(a, b, settings=ranks).run(resamples=199)
    moved = FamilyTest(np.exp(3 * a) * [1e9, 1], np.exp(3 * b) * [1e9, 1], settings=ranks).run(resamples=199)
    np.testing.assert_allclose(moved.t, plain.t, rtol=1e-6, atol=1e-6)
    assert moved.p_value == pytest.approx(plain.p_value)


def test_a_default_value_far_out_is_found_and_named() -> None:
    rng = np.random.default_rng(14)
    a, b = Sample(rng.normal(size=(5000, 2)), np.full(5000, 0.1)), rng.normal(size=(500, 2))
    b[:15, 1] = -999.0
    result = FamilyTest(a, b, expected_ratio=1.0).run(resamples=199)
    assert result.p_value < 1e-6
    assert "x1" in result.leading_features
    assert any("15 events at x1 = -999" in note for note in result.notes)


def test_events_far_out_count_by_how_far_they_are() -> None:
    """Ten events of 1000 beyond all others: ranks see ten at an end, moments see that they are twelve units away."""
    rng = np.random.default_rng(16)
    a, b = rng.exponential(size=(2000, 2)), rng.exponential(size=(1000, 2))
    b[:10, 1] += 12
    classes = (FamilySettings(classes=(name,)) for name in ("moments", "products"))
    moments, ranks = (FamilyTest(a, b, settings=each).run(resamples=199) for each in classes)
    assert moments.p_value < 0.01 < 0.05 < ranks.p_value
    assert moments.leading_words.startswith("in the spread of x1 as it is")
    # Within ten deviations a tail is a tail, however heavy: a single event makes no moment.
    a[0, 0] = 1e9
    assert FamilyTest(a, b, settings=FamilySettings(classes=("moments",))).run(resamples=199).p_value < 0.01


def test_an_angle_has_no_cut() -> None:
    """A peak across the cut of an angle is found as one anywhere else."""
    rng = np.random.default_rng(15)
    a, b = rng.uniform(0, 360, size=(3000, 1)), rng.uniform(0, 360, size=(600, 1))
    b[:45, 0] = rng.normal(0.0, 12.0, 45) % 360
    circular = {"x0": None}
    here = FamilyTest(a, b, circular=circular).run()
    there = FamilyTest((a + 140) % 360, (b + 140) % 360, circular=circular).run()
    for result, shift in ((here, 0), (there, 140)):
        assert result.leading_interval is not None
        low, high = ((x - shift + 180) % 360 - 180 for x in result.leading_interval)
        assert -60 < low < high < 60
    assert here.leading_features == there.leading_features == ("x0",)
    assert here.features == ("x0",)
    assert max(here.p_value, there.p_value) < 1e-3
    # It lies on both sides of the cut, which moves t of no test on the circle, but of those on a line.
    np.testing.assert_allclose(sorted(here.t), sorted(there.t), rtol=0.2)
    line, moved = (FamilyTest((x + s) % 360, (y + s) % 360).run(resamples=99).t for x, y, s in ((a, b, 0), (a, b, 140)))
    assert not np.allclose(sorted(line), sorted(moved), rtol=0.2)
    with pytest.raises(ValueError, match="no feature 'phi' to be circular"):
        FamilyTest(a, b, circular={"phi": None})
    with pytest.raises(ValueError, match="period of 'x0' cannot be guessed"):
        FamilyTest(a / 7, b / 7, circular=circular)
