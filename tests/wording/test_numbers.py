"""Numbers as a verdict says them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from nplm.stats.goodness_of_fit import chi2_compatibility
from nplm.wording.numbers import (
    check_words,
    format_p,
    format_share,
    format_z,
    p_interval_text,
    p_text,
    share_of,
    z_interval_text,
    z_text,
)


@pytest.mark.parametrize(
    ("p", "words"),
    [
        *[(1.0, "100%"), (0.996, "100%"), (0.994, "99%"), (0.45, "45%"), (0.0123, "1.2%"), (1e-3, "0.1%")],
        *[(4e-4, "one in 2,500"), (1e-6, "one in 1,000,000"), (1e-12, "one in 10^12"), (0.0, "one in 10^300")],
    ],
)
def test_shares(p: float, words: str) -> None:
    assert format_share(p) == words


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0149253, "0.0149"),
        (0.6234, "0.62"),
        (0.6, "0.60"),
        (3.14159e-7, "3.1e-07"),
        (0.00086, "0.00086"),
        (1.0, "1"),
        (0.0, "< 1e-300"),
    ],
)
def test_p_values_have_two_or_three_digits(p: float, text: str) -> None:
    assert format_p(p) == text


@pytest.mark.parametrize(("z", "text"), [(2.3333, "2.33"), (np.inf, "> 37"), (-np.inf, "< 0"), (-0.5, "-0.50")])
def test_z_scores_have_two_decimals(z: float, text: str) -> None:
    assert format_z(z) == text


def test_intervals_and_relations() -> None:
    assert (p_text(1 / 201), z_text(2.576)) == ("p = 0.00498", "Z = 2.58")
    assert (p_text(0.0), z_text(np.inf)) == ("p < 1e-300", "Z > 37")
    assert (p_interval_text((0.0, 0.0057)), z_interval_text((2.53, np.inf))) == ("below 0.0057", "above 2.53")
    assert (p_interval_text((0.88, 1.0)), z_interval_text((-np.inf, -1.17))) == ("above 0.88", "below -1.17")
    assert (p_interval_text((0.0072, 0.0224)), z_interval_text((2.01, 2.447))) == ("0.0072 to 0.0224", "2.01 to 2.45")


@pytest.mark.parametrize(
    ("p", "limit", "words"),
    [
        (0.0123, False, "about 1.2% of samples"),
        (4e-4, True, "no more than about one in 2,500 samples"),
        (2e-12, False, "about one in 10^12 samples"),
        (0.0, False, "fewer than one in 10^300 samples"),
    ],
)
def test_a_share_is_part_of_a_sentence(p: float, limit: bool, words: str) -> None:
    assert share_of(p, "samples", limit=limit) == words


def test_accepted_is_not_said_if_one_test_alone_would_refuse() -> None:
    t = chi2.ppf((np.arange(400) + 0.5) / 400, 13)
    found = chi2_compatibility(t, 13, simulations=99)
    assert check_words(found) == "accepted"
    odd = replace(found, width=0.045)
    assert check_words(odd) == "not refuted (width alone: p = 0.045)"
    assert check_words(replace(odd, p_value=0.01)) == "refused"
