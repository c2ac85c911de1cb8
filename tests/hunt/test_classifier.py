"""A bump hunt with a classifier: its size, what it finds, and that a classifier must not see what it cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, poisson

from nplm import Sample
from nplm.hunt import classifier as module
from nplm.hunt.beside import spectrum_beside
from nplm.hunt.classifier import classifier_hunt
from nplm.hunt.spectrum import Bumps
from nplm.hunt.windows import Windows
from toys.resonance import RANGE, Signal, draw_data

REGION = (3.2, 3.6)
STRONG = Signal(300, (1.0, 1.0), (1.0, 1.0))


class Nearest:
    """Remembers every event: the share of the window among the nearest ones, which is high for what it has seen."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Nearest:
        self._x, self._y = x[:, 0], y
        self._order = np.argsort(self._x)
        return self

    def predict_proba(self, x: Any) -> np.ndarray:
        ordered, y = self._x[self._order], self._y[self._order]
        place = np.clip(np.searchsorted(ordered, x[:, 0]), 1, len(ordered) - 2)
        near = np.stack([place - 1, place, place + 1])
        distance = np.abs(ordered[near] - x[:, 0]) + 1e-9
        p = (y[near] / distance).sum(axis=0) / (1 / distance).sum(axis=0)
        return np.column_stack([1 - p, p])


class Linear:
    """Least squares of the labels on features and their squares."""

    weighted = False

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Linear:
        Linear.weighted = sample_weight is not None
        w = np.ones(len(y)) if sample_weight is None else sample_weight
        q = self._terms(x) * np.sqrt(w)[:, None]
        self._a = np.linalg.lstsq(q, np.sqrt(w) * y)[0]
        return self

    def predict_proba(self, x: Any) -> np.ndarray:
        p = self._terms(x) @ self._a
        return np.column_stack([1 - p, p])

    @staticmethod
    def _terms(x: Any) -> np.ndarray:
        return np.column_stack([np.ones(len(x)), x, x**2])


def p_values(trials: int, classifier: Any, **settings: Any) -> np.ndarray:
    """Of so many fresh samples in which nothing is localized."""
    return np.array(
        [
            classifier_hunt(
                draw_data(np.random.default_rng([8, trial]), 3000, dimension=2),
                "m",
                classifier,
                signal_region=REGION,
                keep=(0.1,),
                seed=trial,
                **settings,
            ).p_value
            for trial in range(trials)
        ]
    )


@pytest.mark.parametrize("classifier", [Linear(), Nearest()])
def test_a_test_at_five_percent_fires_in_five_percent(classifier: Any) -> None:
    p = p_values(60, classifier)
    # Each side of this range is left with a chance of .001.
    assert binom.ppf(0.001, 60, 0.05) <= (p <= 0.05).sum() <= binom.ppf(0.999, 60, 0.05)
    assert 0.38 < p.mean() < 0.62


def test_a_classifier_that_was_trained_on_what_it_cuts_finds_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    dealt = module._deal

    def cheating(*arguments: Any) -> Any:
        # Each block is among those before it: its rows and inputs are added to what its classifier learns from.
        true = dealt(*arguments)
        before = tuple(
            (np.concatenate([rows, own_rows]), np.concatenate([x, own_x]))
            for (rows, x), (own_rows, own_x) in zip(true.before, true.own, strict=True)
        )
        return module._Dealt(true.m, true.weights, true.block, before, true.own)

    monkeypatch.setattr(module, "_deal", cheating)
    assert (p_values(10, Nearest()) <= 0.01).sum() >= 9


def test_every_event_after_the_first_blocks_is_cut_once_by_a_classifier_that_has_not_seen_it() -> None:
    sample = draw_data(np.random.default_rng(1), 2000, dimension=2)
    dealt = module._deal(sample, 0, 6, "as they are", 3)
    cut = np.concatenate([rows for rows, _ in dealt.own])
    assert sorted(cut) == sorted(np.flatnonzero(dealt.block >= module.FIRST))
    for (earlier, x), (rows, own) in zip(dealt.before, dealt.own, strict=True):
        assert not set(earlier) & set(rows)
        assert dealt.block[earlier].max() < dealt.block[rows].min()
        np.testing.assert_array_equal(x, sample.events[earlier, 1:])
        np.testing.assert_array_equal(own, sample.events[rows, 1:])


def test_inputs_without_trend_are_learned_from_the_blocks_before_alone() -> None:
    sample = draw_data(np.random.default_rng(1), 2000, dimension=2, dependence="strong")
    block = np.random.default_rng([3, module._STREAM]).integers(6, size=len(sample))
    moved = sample.events.copy()
    moved[block == 5, 1:] += 7.0
    before = module._deal(sample, 0, 6, "without trend", 3)
    after = module._deal(Sample(moved, features=sample.features), 0, 6, "without trend", 3)
    for (_, x), (_, same) in zip(before.before, after.before, strict=True):
        np.testing.assert_allclose(x, same, atol=1e-12)
    x, m = before.before[-1][1], sample.events[before.before[-1][0], 0]
    assert abs(np.corrcoef(x[:, 0], m)[0, 1]) < 0.02
    assert abs(np.corrcoef(sample.events[:, 1], sample.events[:, 0])[0, 1]) > 0.3


def test_a_signal_in_the_other_features_is_found_and_told() -> None:
    sample = draw_data(np.random.default_rng(2), 20_000, signal=STRONG)
    result = classifier_hunt(sample, "m", Linear(), signal_region=(4.2, 4.6))
    leading = result.leading
    assert leading is not None
    assert leading.observed > 1.5 * leading.expected
    assert result.tests == 3
    assert result.p_value == pytest.approx(3 * np.exp(leading.log_p))
    assert "Strong excess between m = 4.2 and 4.6" in repr(result)
    assert "makes a bump of a smooth background" in " ".join(repr(result).split())
    elsewhere = classifier_hunt(sample, "m", Linear(), signal_region=(2.6, 3.0))
    assert elsewhere.p_value > 0.01
    assert "Nothing localized in m" in repr(elsewhere)


def test_a_scan_accounts_for_all_windows() -> None:
    sample = draw_data(np.random.default_rng(2), 20_000, signal=STRONG)
    result = classifier_hunt(sample, "m", Linear(), 0.1, keep=(0.02,))
    assert result.leading is not None
    assert result.leading.start < 4.4 < result.leading.stop
    assert result.tests == len(result.cuts) + len(result.dropped)
    assert result.log_p == pytest.approx(result.leading.log_p + np.log(result.tests))
    assert result.p_value < 0.01


def test_the_same_seed_gives_the_same_and_the_classifier_is_left_alone() -> None:
    sample, classifier = draw_data(np.random.default_rng(3), 3000, dimension=2), Linear()
    first, again, other = (
        classifier_hunt(sample, "m", classifier, signal_region=REGION, seed=seed).cuts[0] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert not hasattr(classifier, "_a")


def test_weights_go_to_the_classifier_and_into_the_spectrum() -> None:
    rng = np.random.default_rng(4)
    sample = draw_data(rng, 6000, dimension=2)
    weighted = Sample(sample.events, rng.lognormal(0, 0.5, len(sample)), sample.features)
    result = classifier_hunt(weighted, "m", Linear(), signal_region=REGION, keep=(0.1,))
    assert Linear.weighted
    assert 0 < result.p_value <= 1
    doubled = classifier_hunt(
        Sample(sample.events, 2 * weighted.weights, sample.features), "m", Linear(), signal_region=REGION, keep=(0.1,)
    )
    assert doubled.log_p == pytest.approx(result.log_p, abs=1e-6)
    assert doubled.cuts[0].observed == pytest.approx(2 * result.cuts[0].observed)


@pytest.mark.parametrize("expected", [1.0, 4.0, 12.0])
def test_the_tail_of_few_events_is_that_of_poisson(expected: float) -> None:
    # Where the smooth curve is known, n events have a tail between P(N > n) and P(N >= n), five sigma out as well.
    for count in (expected + np.ceil(k * expected**0.5) for k in (1, 3, 5, 7)):
        z = np.array([(count - expected) / expected**0.5])
        told = Bumps(z, np.ones((1, 1)), np.array([expected])).log_p[0]
        # Far out it is a little larger than either, which is no harm.
        assert poisson.logsf(count, expected) < told < poisson.logsf(count - 1, expected) + 0.6


def test_few_events_of_a_signal_do_not_raise_the_degree() -> None:
    rng = np.random.default_rng(5)
    m = np.concatenate([draw_data(rng, 100, dimension=2).events[:, 0], rng.uniform(*REGION, 40)])
    room = (REGION[0] - 0.1, REGION[1] + 0.1)
    spectrum = spectrum_beside(m, np.ones(len(m)), 0.2, room, RANGE)
    assert spectrum.enough
    assert spectrum.degree == 3
    assert spectrum.bumps(Windows.of_region(REGION, *RANGE)).log_p[0] < np.log(1e-6)


class NoWeights(Linear):
    def fit(self, x: Any, y: Any) -> NoWeights:  # type: ignore[override]
        super().fit(x, y)
        return self


class OneColumn(Linear):
    def predict_proba(self, x: Any) -> np.ndarray:
        return super().predict_proba(x)[:, 1]


class NotFinite(Linear):
    def predict_proba(self, x: Any) -> np.ndarray:
        return super().predict_proba(x) * np.nan


@pytest.mark.parametrize(
    ("classifier", "settings", "words"),
    [
        (object(), {}, "has no method fit"),
        (Linear, {}, r"its class: Linear\(\)"),
        (OneColumn(), {}, "two columns"),
        (NotFinite(), {}, "not finite"),
        (Linear(), {"keep": ()}, "between 0 and 1"),
        (Linear(), {"keep": (1.5,)}, "between 0 and 1"),
        (Linear(), {"blocks": 2}, "more than 2 blocks"),
        (Linear(), {"inputs": "raw"}, "'without trend' or 'as they are'"),
        (Linear(), {"signal_region": None}, "give the resolution"),
        (Linear(), {"signal_region": (1.0, 3.0)}, "with events on both sides"),
        (Linear(), {"signal_region": (3.2, 3.2001)}, "events are expected|expected events"),
        (Linear(), {"blocks": 400}, "to train with"),
    ],
)
def test_what_is_wrong_is_named(classifier: Any, settings: dict[str, Any], words: str) -> None:
    sample = draw_data(np.random.default_rng(6), 2000, dimension=2)
    with pytest.raises(ValueError, match=words):
        classifier_hunt(sample, "m", classifier, **{"signal_region": REGION, **settings})


def test_a_classifier_without_weights_is_refused_where_events_have_some() -> None:
    sample = 2.0 * draw_data(np.random.default_rng(6), 2000, dimension=2)
    weighted = Sample(sample.events, np.linspace(1, 2, len(sample)), sample.features)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        classifier_hunt(weighted, "m", NoWeights(), signal_region=REGION)
    with pytest.raises(ValueError, match="has no feature 'mass'"):
        classifier_hunt(sample, "mass", Linear(), signal_region=REGION)


def test_cuts_that_keep_too_few_leave_no_p_value() -> None:
    sample = draw_data(np.random.default_rng(6), 2000, dimension=2)
    result = classifier_hunt(sample, "m", Linear(), signal_region=REGION, keep=(0.001,))
    assert np.isnan(result.p_value)
    assert result.leading is None
    assert "40 make a spectrum" in repr(result)
    assert "Undecided" in repr(result)
