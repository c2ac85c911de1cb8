"""The pace shown beside the bar."""

from __future__ import annotations

from nplm.cli.terminal import describe_pace, describe_stage


def test_pace() -> None:
    assert describe_pace(40, 200, 4.0) == "10 toys/s, 16 s left"
    assert describe_pace(4, 40, 100.0) == "25 s a toy, 15 min left"
    assert describe_pace(1, 3, 600.0) == "10 min a toy, 20 min left"
    assert describe_pace(4000, 6000, 2.0) == "2,000 toys/s, 1 s left"
    assert describe_pace(200, 200, 4.0) == "50 toys/s, done"
    assert describe_pace(1, 2, 0.0) == "inf toys/s, 1 s left"


def test_stages_foresee_what_is_left() -> None:
    said = describe_stage("products", 0.25, 20.0)
    assert said == "about 25% done after 20 s, 60 s left; next: products"
