"""The whole hunt: size, power, what must change nothing, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm import Sample, load_result
from nplm.hunt import HuntResult, bump_hunt
from nplm.hunt.expectation import window_and_expectation
from nplm.hunt.result_text import hunt_verdict
from toys import resonance
from toys.resonance import RESOLUTION, SIGNALS, draw_data


def _hunt(seed: int, events: float = 4000, draws: int = 200, degree: int | None = None, **settings: Any) -> HuntResult:
    sample = draw_data(np.random.default_rng([7, seed]), events, **settings)
    return bump_hunt(sample, "m", 0.2, draws=draws, degree=degree)


def test_size_without_a_signal() -> None:
    """24 samples whose features change with m: p < 0.05 in at most 4, as chance has it in 97%; mean p is 0.5 +- 0.06.

    The trend is found, and where the degree is given as 0 it is refused.
    """
    results = [_hunt(seed, dependence="strong", dimension=2) for seed in range(24)]
    p = np.array([result.p_value for result in results])
    assert not np.isnan(p).any()
    assert (p < 0.05).sum() <= 4
    assert abs(p.mean() - 0.5) < 0.2
    refused = _hunt(0, dependence="strong", dimension=2, degree=0)
    assert np.isnan(refused.p_value)
    assert "Undecided" in repr(refused)
    assert "polynomial of degree 0 does not describe" in " ".join(refused.notes)


def test_a_signal_that_the_spectrum_does_not_show_is_found_by_the_other_features() -> None:
    """60 of 20,000 events, in a corner of two features."""
    sample = draw_data(np.random.default_rng(11), signal=SIGNALS["narrow"])
    result = bump_hunt(sample, "m", RESOLUTION)
    assert result.z > 3
    assert result.leads == "features"
    low, high = result.windows.ends(result.leading_window)
    assert low < resonance.MASS < high
    assert np.exp(result.in_spectrum.log_p) > 1e-3
    # The events of largest f are those of the signal, which are the last.
    first = np.argsort(-result.log_ratio)[:20]
    m = sample["m"]
    assert ((m[first] >= low) & (m[first] <= high)).all()
    assert (first > len(sample) - 80).mean() > 0.6
    assert (result.log_ratio[(m < low) | (m > high)] == 0).all()


def test_a_strong_signal_is_neither_a_trend_nor_a_spectrum() -> None:
    result = _hunt(1, 8000, signal=replace(SIGNALS["narrow"], expected=400))
    assert result.trend.enough
    assert result.spectrum.enough
    assert result.z > 8


def test_an_angle_is_a_point_on_a_circle(rng: np.random.Generator) -> None:
    """A signal on both sides of the cut is found, and p is the same wherever the angle is counted from."""
    m = np.concatenate([rng.exponential(1.5, 6000) % 6, rng.normal(3, 0.1, 90)])
    phi = np.concatenate([rng.uniform(-np.pi, np.pi, 6000), np.pi + rng.normal(0, 0.3, 90)])
    here, turned = (
        bump_hunt({"m": m, "phi": (phi + by) % (2 * np.pi)}, "m", 0.1, draws=200, circular=["phi"]) for by in (0, 2)
    )
    assert here.in_features.log_p == pytest.approx(turned.in_features.log_p, abs=0.2)
    assert here.in_features.log_p < np.log(1e-4)
    cut = bump_hunt({"m": m, "phi": phi % (2 * np.pi)}, "m", 0.1, draws=200)
    middle = bump_hunt({"m": m, "phi": (phi + np.pi) % (2 * np.pi)}, "m", 0.1, draws=200)
    # Without a circle it depends on the cut (control).
    assert abs(cut.in_features.log_p - middle.in_features.log_p) > 1
    assert here.to_dict()["configuration"]["circular"] == {"phi": 2 * np.pi}


def test_an_excess_that_looks_like_background_leads_in_the_spectrum() -> None:
    result = _hunt(2, signal=replace(SIGNALS["like background"], expected=250))
    assert result.leads == "spectrum"
    assert result.z > 4
    assert "more events between m" in hunt_verdict(result).sentence


def test_a_spectrum_with_an_edge_leaves_it_undecided(rng: np.random.Generator) -> None:
    """A spectrum that falls by a factor of seven at one place, and features that know nothing of it."""
    m = np.concatenate([rng.uniform(2, 4, 20_000), rng.uniform(4, 6.8, 4_000)])
    result = bump_hunt({"m": m, "y": rng.normal(size=len(m))}, "m", 0.1, draws=100)
    assert not result.spectrum.enough
    assert np.isnan(result.in_spectrum.log_p)
    assert result.p_value == pytest.approx(np.exp(result.in_features.log_p))
    assert "Undecided: the spectrum of m is not smooth" in repr(result)


def test_units_order_and_the_size_of_weights_change_nothing(rng: np.random.Generator) -> None:
    """Increasing functions of the other features, another order of rows, and weights of 3 in place of 1."""
    sample = draw_data(rng, 3000, dimension=2)
    m, y = sample["m"], sample.events[:, 1:]
    order = rng.permutation(len(m))
    changed = Sample(
        np.column_stack([np.exp(y[:, 0]), 5 * y[:, 1] + 2, m])[order], np.full(len(m), 3.0), ("a", "b", "m")
    )
    first, second = (bump_hunt(each, "m", 0.3, draws=100) for each in (sample, changed))
    np.testing.assert_allclose(second.in_features.local, first.in_features.local, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(second.in_spectrum.local, first.in_spectrum.local, rtol=1e-4, atol=1e-6)
    assert second.log_p == pytest.approx(first.log_p, rel=1e-4)
    np.testing.assert_allclose(second.log_ratio, first.log_ratio[order], atol=1e-5)


def test_a_region_is_the_only_window() -> None:
    sample = draw_data(np.random.default_rng(3), 6000, signal=replace(SIGNALS["narrow"], expected=80))
    result = bump_hunt(sample, "m", signal_region=(4.2, 4.6), draws=200)
    assert len(result.windows) == 1
    assert result.z > 3
    inside = (sample["m"] >= 4.2) & (sample["m"] < 4.6)
    assert result.in_spectrum.observed[0] == inside.sum()
    # One window with one null for each kernel: more than the smallest of 6 p-values, less than 6 times it.
    local = float(np.exp(result.in_features.local.min()))
    assert local < np.exp(result.in_features.log_p) < 6 * local


def test_discrete_features_and_signed_weights(rng: np.random.Generator) -> None:
    sample = draw_data(rng, 5000, dimension=2)
    y = np.column_stack([np.round(sample.events[:, 1]), (sample.events[:, 2] > 0).astype(float)])
    signs = np.where(rng.random(len(sample)) < 0.1, -1.0, 1.0)
    discrete = Sample(np.column_stack([sample["m"], y]), signs, ("m", "count", "flag"))
    result = bump_hunt(discrete, "m", 0.3, draws=100)
    assert 1e-3 < result.p_value <= 1


def test_the_expectation_is_the_score_of_any_function(rng: np.random.Generator) -> None:
    """Sums over window and expectation agree for a feature that is a polynomial in m, and the totals too."""
    sample = draw_data(rng, 3000, dimension=2)
    m = sample["m"]
    straight = Sample(np.column_stack([m, 2 - m + m**2, sample["y1"]]), features=("m", "trend", "y"))
    result = bump_hunt(straight, "m", 0.3, draws=100, degree=3)
    inside, expected = window_and_expectation(result, straight, 2)
    for values in (lambda s: np.ones(len(s)), lambda s: s["trend"]):
        # Events that count less than 1e-3 are left out of the window.
        assert inside.weights @ values(inside) == pytest.approx(expected.weights @ values(expected), rel=1e-3)
    with pytest.raises(ValueError, match="give the sample that was looked at"):
        window_and_expectation(result, sample, 2)


def test_it_is_saved_and_comes_back(tmp_path: Path) -> None:
    result = _hunt(4, 2000, 100, dimension=2)
    result.save(tmp_path / "hunt.npz")
    again = load_result(tmp_path / "hunt.npz")
    assert isinstance(again, HuntResult)
    assert again.to_json() == result.to_json()
    assert repr(again) == repr(result)
    np.testing.assert_array_equal(again.log_ratio, result.log_ratio)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resonance": "mass"}, "data has no feature 'mass' to hunt in: it has m, y1, y2"),
        ({"resolution": None}, "give the resolution of the resonant feature, or a signal region"),
        ({"resolution": 3.0}, "no window of resolution 3 fits"),
        ({"resolution": lambda m: m - m}, "must be a positive number"),
        ({"signal_region": (1.0, 3.0)}, "must lie between"),
        ({"circular": ["m"]}, "'m' cannot be circular"),
        ({"circular": ["y9"]}, "there is no feature 'y9' to be circular: data has m, y1, y2"),
        ({"circular": ["y1"]}, "the period of 'y1' cannot be guessed"),
        ({"degree": 8}, "the degree of the trend must be from 0 to 7, not 8"),
        ({"draws": 10}, "take 100 draws or more, not 10"),
        ({"seed": -1}, "the seed must be"),
        ({"signal_region": (6.5, 6.51)}, "no window has 25 expected events"),
    ],
)
def test_bad_settings_are_refused(rng: np.random.Generator, change: dict[str, Any], message: str) -> None:
    sample = draw_data(rng, 1000, dimension=2)
    settings: dict[str, Any] = {"resonance": "m", "resolution": 0.2} | change
    with pytest.raises(ValueError, match=message):
        bump_hunt(sample, **settings)


def test_bad_data_are_refused(rng: np.random.Generator) -> None:
    y = rng.normal(size=1000)
    with pytest.raises(ValueError, match="constant"):
        bump_hunt({"m": np.ones(1000), "y": y}, "m", 0.1)
    with pytest.raises(ValueError, match="no feature beside 'm'"):
        bump_hunt({"m": y}, "m", 0.1)
    with pytest.raises(ValueError, match="has 300 effective events"):
        bump_hunt({"m": y[:300], "y": y[300:600]}, "m", 0.1)
