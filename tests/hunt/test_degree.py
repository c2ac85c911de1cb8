"""The degree of the trend that a hunt takes out."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.hunt.degree import LEVEL, Trend, find_trend
from nplm.hunt.sums import HuntEvents, Sums
from nplm.hunt.windows import Windows


@pytest.mark.parametrize(
    ("trend", "taken_out"),
    [
        (Trend(2, (0.5, 0.6, 0.7)), 3),
        (Trend(7, (0.5, 0.001, 0.7)), 7),
        (Trend(3, (0.5, 0.6, 0.7), chosen=False), 3),
    ],
    ids=["enough", "not enough", "given"],
)
def test_one_more_than_is_enough_is_taken_out(trend: Trend, taken_out: int) -> None:
    assert trend.taken_out == taken_out


def test_a_feature_that_follows_a_quartic_needs_a_degree_of_four(rng: np.random.Generator) -> None:
    """Its mean is T_4 of m: degrees 2 and 3 are not enough, and 4 is, but for chance in 5%."""
    m = np.sort(rng.uniform(-1, 1, 6000))
    mean = np.polynomial.chebyshev.chebval(m, [0, 0, 0, 0, 0.7])
    events = HuntEvents(m, (mean + rng.normal(size=6000))[:, None], np.ones(6000))
    sums = Sums.of(events, Windows.scan(-1, 1, 0.1), 1)
    assert min(find_trend(sums, 3).p_values) < 1e-6
    assert (find_trend(sums).degree, find_trend(sums).taken_out) == (4, 5)
    assert find_trend(sums, 4).p_values == find_trend(sums).p_values
    assert min(find_trend(sums).p_values) > LEVEL / 3
