"""The feature in which a fit shows most, and the interval of it."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.localization.comparison import Comparison
from nplm.localization.leading import leading_interval
from nplm.localization.region import local_regions

_FEATURES = ("pt", "eta")


def _comparison(rng: np.random.Generator, f, yields: float = 1.0, n: int = 1000) -> Comparison:
    """Data that follow the fit f(events), and a reference of 20 times as many."""
    events = rng.normal(size=(20 * n, 2))
    reference = Sample(events, np.full(len(events), 1 / 20), _FEATURES)
    ratio = f(events)
    drawn = events[rng.uniform(size=len(events)) < np.exp(ratio) * yields / 20]
    return Comparison(Sample(drawn, features=_FEATURES), f(drawn) + np.log(yields), reference, ratio + np.log(yields))


def test_the_interval_of_an_excess_is_found_and_counted(rng: np.random.Generator) -> None:
    found = leading_interval(_comparison(rng, lambda x: np.where((x[:, 1] > 1.2) & (x[:, 1] < 1.8), np.log(2.0), 0.0)))
    assert found is not None
    assert found.feature == "eta"
    assert 1.0 < found.low < 1.35
    assert 1.65 < found.high < 2.0
    assert found.expected == pytest.approx(1000 * 0.079, rel=0.25)
    assert found.observed / found.expected == pytest.approx(2.0, rel=0.25)
    assert found.words.startswith("in eta, mainly between eta = 1.")
    assert "events of the data where" in found.words


def test_yields_move_nothing(rng: np.random.Generator) -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0] > 1.0, np.log(1.6), 0.0)

    few, many = (leading_interval(_comparison(np.random.default_rng(2), f, yields)) for yields in (1.0, 0.5))
    assert few is not None
    assert many is not None
    assert (few.feature, few.low) == ("pt", pytest.approx(1.0, abs=0.15))
    assert (many.feature, many.low) == ("pt", pytest.approx(1.0, abs=0.3))


def test_a_peak_in_one_feature_leads_though_the_fit_follows_fluctuations_in_the_other(rng: np.random.Generator) -> None:
    def f(x: np.ndarray) -> np.ndarray:
        noise = 0.6 * np.sin(3 * x[:, 1]) * np.cos(3 * x[:, 0])
        return np.where((x[:, 0] > 1.0) & (x[:, 0] < 1.4), np.log(2.0), 0.0) + noise

    comparison = _comparison(rng, f)
    assert leading_interval(comparison) is None
    found = leading_interval(comparison, [region for region in local_regions(comparison) if region is not None])
    assert found is not None
    assert found.feature == "pt"
    assert 0.8 < found.low < 1.2 < found.high < 1.6


def test_a_correlation_is_of_no_single_feature(rng: np.random.Generator) -> None:
    assert leading_interval(_comparison(rng, lambda x: np.clip(0.5 * x[:, 0] * x[:, 1], -2, 1))) is None


def test_a_fit_of_the_yield_alone_leads_nowhere(rng: np.random.Generator) -> None:
    assert leading_interval(_comparison(rng, lambda x: np.zeros(len(x)), 1.4)) is None
