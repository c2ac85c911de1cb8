"""What a score was trained on: shared rows are refused, and a score that knows its events is told."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.scored.samples import background, distance
from nplm import Sample
from nplm.scored import ScoredTest
from nplm.scored.training import UNKNOWN, efficiency, require_apart


def test_the_difference_of_shares_is_in_units_of_its_binomial_deviation() -> None:
    """20 of 1000 training events against 100 of 2000: together 120 of 3000."""
    training, reference = np.arange(1000.0), np.arange(2000.0)
    training = np.where(training >= 980, 1e4, 0.0)
    reference = np.where(reference >= 1900, 1e4, 0.0)
    share, deviations = efficiency(training, np.ones(1000), 1.0, (reference, np.full(2000, 0.25)))
    assert share == pytest.approx(0.02)
    e = 120 / 3000
    assert deviations == pytest.approx((0.02 - 0.05) / np.sqrt(e * (1 - e) * (1 / 1000 + 1 / 2000)))
    assert efficiency(training, np.ones(1000), -np.inf, (reference, np.ones(2000))) == (1.0, 0.0)


def test_an_overfitted_score_is_caught_and_another_is_not() -> None:
    rng = np.random.default_rng(3)
    training, reference = background(rng, 4000), Sample(background(rng, 4000), name="reference")
    nearest, smooth = (ScoredTest(reference, distance(training, k), trained_on=Sample(training)) for k in (1, 200))
    # The nearest event of a training event is itself, at distance 0.
    assert [share for share, _ in nearest.efficiencies] == [1.0, 0.0, 0.0]
    assert nearest.efficiencies[1][1] < -15
    (caution,) = nearest.cautions
    assert caution.startswith("the score keeps 0% of the events that it was trained on where it keeps 10%")
    assert smooth.cautions == ()
    assert ScoredTest(reference, distance(training, 200)).cautions == (UNKNOWN,)


def test_rows_in_common_are_refused_and_those_of_discrete_features_are_not() -> None:
    rng = np.random.default_rng(4)
    events = background(rng, 2000)
    mixed = Sample(np.concatenate([background(rng, 500), events[:3]]), name="training.csv")
    with pytest.raises(ValueError, match=r"3 of the 2,000 events of mc are among those .* trained on \(training.csv\)"):
        require_apart(Sample(events, name="mc"), mixed)
    require_apart(Sample(events, name="mc"), Sample(background(rng, 500)))
    counts, others = (Sample(rng.integers(0, 9, (1000, 2)).astype(float)) for _ in range(2))
    require_apart(counts, others)
    # Zeros of both signs are one value.
    with pytest.raises(ValueError, match="1 of the 2 events"):
        require_apart(Sample([[0.0, 1.0], [2.0, 3.0]]), Sample([[-0.0, 1.0]]))
