"""The names of calibrations: what older ones become, and what people read for a kind."""

from __future__ import annotations

import pytest

from nplm.calibration.methods import CALIBRATIONS, Toys
from nplm.wording.standing import calibration_name, kind_text


@pytest.mark.parametrize(
    ("older", "present"),
    [
        ("analytic", "asymptotic"),
        ("analytic+toys", "asymptotic+toys"),
        ("toys+analytic", "toys+asymptotic"),
        ("rare", "importance"),
    ],
)
def test_older_names_are_taken(older: str, present: str) -> None:
    assert calibration_name(older) == present
    assert present in CALIBRATIONS
    assert older not in CALIBRATIONS


def test_what_has_no_older_name_stays() -> None:
    method = Toys(100)
    assert [calibration_name(each) for each in CALIBRATIONS] == list(CALIBRATIONS)
    assert calibration_name("guess") == "guess"
    assert calibration_name(None) is None
    assert calibration_name(method) is method


def test_files_and_people_have_words_of_their_own() -> None:
    assert kind_text("rare") == "importance sampling"
    assert kind_text("analytic fitted") == "asymptotic fitted"
    assert kind_text("chi2 given") == "chi2 given"
