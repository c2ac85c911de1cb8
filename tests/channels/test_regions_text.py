"""The verdict about a table of regions looks at both sides."""

from __future__ import annotations

import pytest

from nplm.channels import RegionsResult, RegionTable, examine_regions
from nplm.channels.regions_text import regions_line, regions_verdict


def examined(observed: list[int]) -> RegionsResult:
    """Three regions that expect 40, 30 and 20 +- 1 events."""
    table = RegionTable.from_columns(
        {"region": ["A", "B", "C"], "analysis": ["x"] * 3, "observed": observed, "expected": [40.0, 30.0, 20.0],
         "error": [1.0] * 3}
    )  # fmt: skip
    return examine_regions(table, draws=5)


@pytest.mark.parametrize(
    ("observed", "level", "title", "sides"),
    [
        ([45, 30, 20], "agreement", "No region stands out", ["excess"]),
        ([43, 24, 20], "agreement", "No region stands out", ["deficit", "excess"]),
        ([43, 12, 20], "strong", "Strong deficit in B of x", ["deficit", "excess"]),
        ([40, 30, 42], "strong", "Strong excess in C of x", ["excess"]),
        ([40, 15, 40], "strong", "Strong excess in C of x and mild deficit in B of x", ["excess", "deficit"]),
        ([60, 11, 20], "strong", "Strong deficit in B of x and mild excess in A of x", ["deficit", "excess"]),
    ],
)
def test_a_deficit_that_is_rarer_or_stands_out_is_in_the_verdict(
    observed: list[int], level: str, title: str, sides: list[str]
) -> None:
    result = examined(observed)
    verdict = regions_verdict(result)
    assert (verdict.level, verdict.title) == (level, title)
    named = [word for word in verdict.sentence.replace(",", "").split() if word in ("excess", "deficit")]
    assert named == sides
    rarer = result.deficits[0].global_p < result.extremes[0].global_p
    assert rarer == ("a deficit with" in regions_line(result)) == (sides[0] == "deficit")
    assert result.to_dict()["deficit_p_value"] == result.deficits[0].global_p
    assert result.p_value == result.extremes[0].global_p
