"""The end of a page names the publications that what ran goes back to."""

from __future__ import annotations

import pytest

from nplm.report.html.footer import ending

ARXIV = {"network": "1912.12155", "kernel": "2204.02317", "nuisances": "2111.13633", "tests": "2408.12296"}


@pytest.mark.parametrize(
    ("settings", "cited"),
    [
        ({"models": ["network"]}, ["network"]),
        ({"models": ["kernel"]}, ["kernel"]),
        ({"models": ["histogram"]}, []),
        ({"models": ["kernel"], "nuisances": True}, ["kernel", "nuisances"]),
        ({"models": {"network", "kernel"}, "more": ["arXiv:2408.12296"]}, ["network", "kernel", "tests"]),
    ],
)
def test_the_papers_are_those_of_what_ran(settings: dict, cited: list[str]) -> None:
    page = ending({}, {"nplm": "1.2"}, **settings)
    assert "arXiv:1806.02350" in page
    assert [name for name, number in ARXIV.items() if number in page] == cited
    assert ("Baker" in page) == ("histogram" in settings["models"])
    assert "nplm-jax 1.2" in page


def test_times_are_added_up_where_they_are_known() -> None:
    page = ending({"command": "nplm x", "toys": 3}, {"nplm": "1"}, models=[], seconds={"fit": 1.0, "toys": 2.5})
    assert "3.5 s (fit 1.0 s, toys 2.5 s)" in page
    assert "Time and versions" in page
    assert "Time" not in ending({}, {"nplm": "1"}, models=[])
