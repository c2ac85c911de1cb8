"""What a p-value stands on, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nplm.calibration.record import Calibration
from nplm.calibration.words import asymptotic_comparison, stands_on, why_unchecked
from nplm.stats.chi2 import Chi2Null

COUNTED = Calibration(
    kind="empirical",
    null="200 toys",
    mean=5.0,
    sd=3.2,
    toys_requested=200,
    toys=200,
    toys_failed=0,
    toys_exceeding=2,
    source="reference",
    inflation=1.0,
    asymptotic=Chi2Null(5),
    asymptotic_for_toys=Chi2Null(5),
    asymptotic_p_value=0.01,
    asymptotic_z=2.326,
    ensemble=None,
)


@pytest.mark.parametrize(
    ("exceeding", "failed", "limit", "words"),
    [
        (2, 0, False, "2 of 200 toys with t at least the observed one, (1 + 2) / (1 + 200)"),
        (0, 0, True, "none of 200 toys with t at least the observed one, (1 + 0) / (1 + 200)"),
        (
            3,
            1,
            False,
            "2 of 200 toys with t at least the observed one, and 1 failed ones counted with them, (1 + 3) / (1 + 200)",
        ),
    ],
)
def test_toys_are_counted_with_those_that_failed(exceeding: int, failed: int, limit: bool, words: str) -> None:
    found = replace(COUNTED, toys_exceeding=exceeding, toys_failed=failed)
    assert found.limit == limit
    assert stands_on(found) == f"empirical: {words}"


def test_an_asymptotic_null_has_no_limit_of_toys() -> None:
    asymptotic = replace(COUNTED, kind="chi2 given", null="chi2(5)", toys_exceeding=0)
    assert not asymptotic.limit
    assert stands_on(asymptotic) == "chi2 given: chi2(5), of which none of 200 reaches the observed t"


@pytest.mark.parametrize(
    ("toys", "failed", "words"),
    [
        (0, 0, "no toys were run"),
        (9, 9, "all toys failed"),
        (3, 2, "1 toy is too few to check it (50 are needed)"),
        (49, 0, "49 toys are too few to check it (50 are needed)"),
    ],
)
def test_why_an_asymptotic_null_is_unchecked(toys: int, failed: int, words: str) -> None:
    assert why_unchecked(replace(COUNTED, toys=toys, toys_failed=failed)) == words


def test_an_asymptotic_null_beside_toys() -> None:
    assert asymptotic_comparison(COUNTED, 0.015) == "chi2(5) is unchecked: nothing shows that t follows it"
    weighted = replace(COUNTED, kind="rare", importance={"relative_error": 0.1, "effective_toys": 30.0})
    assert (
        asymptotic_comparison(weighted, 0.012) == "chi2(5): p = 0.01, Z = 2.33; the toys give 1.20 +- 0.12 times this p"
    )
    assert asymptotic_comparison(replace(COUNTED, kind="chi2 given", toys=0), 0.01) == ""
