"""The resonance on a falling spectrum: its densities, and how features move with m."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, truncexpon

from toys.resonance import MASS, RANGE, RESOLUTION, SIGNALS, STEEP, draw_data, features


def test_m_falls_exponentially_within_its_range(rng: np.random.Generator) -> None:
    m = draw_data(rng, 5000)["m"]
    low, high = RANGE
    assert kstest(m, truncexpon((high - low) / STEEP, low, STEEP).cdf).pvalue > 0.01
    assert m.min() > low
    assert m.max() < high


@pytest.mark.parametrize(
    ("dependence", "moves"), [("none", False), ("weak", True), ("strong", True), ("turn-on", True)]
)
def test_features_move_with_m_as_they_say(rng: np.random.Generator, dependence: str, moves: bool) -> None:
    sample = draw_data(rng, 5000, dependence=dependence)
    correlation = np.corrcoef(sample["m"], sample["y1"])[0, 1]
    # Five standard errors without a dependence.
    assert bool(abs(correlation) > 5 / np.sqrt(5000)) is moves
    assert abs(np.corrcoef(sample["m"], sample["y4"])[0, 1]) < 5 / np.sqrt(5000)


def test_a_signal_is_added_last_at_its_mass(rng: np.random.Generator) -> None:
    signal = SIGNALS["narrow"]
    sample = draw_data(rng, 500, signal=signal)
    assert sample.features == features(4)
    last = sample.events[-40:]
    assert abs(last[:, 0].mean() - MASS) < 4 * RESOLUTION / np.sqrt(40)
    np.testing.assert_allclose(last[:, 1:].mean(axis=0), signal.centre, atol=4 * 0.2 / np.sqrt(40))
