"""The section on where data and reference differ, and the files that a run writes about it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm.localization.ablation import LeftOut, LeftOutRow
from nplm.localization.localize import CAUTION, Localization, localize
from nplm.report.localization import event_rows, left_out_rows, region_rows, where_section
from nplm.report.write_run import write_run

FEATURES = ("x", "a & b")
# The page, and the test with its data and result.
Written = tuple[Path, Any]


@pytest.fixture
def written(run: Callable[..., Any], tmp_path: Path) -> Written:
    """A run of the slope model, f = 0.2 x, on rows that are not those of its file."""
    found = run(toys=20, features=FEATURES)
    rows = 10 + 3 * np.arange(len(found.data))
    page = write_run(tmp_path, found.test, found.data, found.result, top=25, rows=rows, leave_one_out=False)
    return page, found


def test_a_run_leaves_events_regions_and_a_section(written: Written) -> None:
    page, found = written
    with (page.parent / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 25
    x = found.data.events[:, 0]
    order = np.argsort(-x)[:25]
    assert [int(row["row"]) for row in rows] == (10 + 3 * order).tolist()
    np.testing.assert_allclose([float(row["log_ratio"]) for row in rows], 0.2 * x[order])
    np.testing.assert_allclose([float(row["a & b"]) for row in rows], found.data.events[order, 1])
    document = json.loads((page.parent / "localization.json").read_text())
    assert document["schema"] == "nplm-localization/1"
    assert document["left_out"] is None
    # f rises with x and is positive everywhere: the exponential feature is positive.
    low, high = document["excess"]["bounds"]["x"]
    assert high is None
    assert document["deficit"] is None
    text = page.read_text()
    assert "The largest fluctuations" in text
    assert "Where is it?" not in text
    assert "What the fit makes of fluctuations" in text
    assert "they are not significances" in text
    assert "result.json, localization.json and events.csv beside this page" in text
    assert "in the file of the data, before any cut" in text
    # The test agrees, and a map of what the fit sees would look like a difference.
    assert not (page.parent / "plots" / "pair-01.pdf").exists()
    assert low is None or low > 0


def test_a_difference_is_drawn_in_a_pair_of_features(run: Callable[..., Any], tmp_path: Path) -> None:
    found = run(t=60.0, toys=400, features=FEATURES)
    page = write_run(tmp_path, found.test, found.data, found.result, leave_one_out=False).read_text()
    assert (tmp_path / "plots" / "pair-01.pdf").is_file()
    assert "Features x and a &amp; b" in page
    assert "Where is it?" in page
    assert "Feature by feature" in page


def test_f_of_one_model_is_drawn_against_a_single_feature(run: Callable[..., Any], tmp_path: Path) -> None:
    found = run()
    page = write_run(tmp_path, found.test, found.data, found.result).read_text()
    assert "f against x" in page
    assert (tmp_path / "plots" / "f.png").is_file()


def test_agreement_is_said(written: Written) -> None:
    _, found = written
    localization = localize(found.test, found.data, found.result, left_out=False)
    assert "what fluctuations look like" in where_section(localization, [], agreement=True)
    assert "what fluctuations look like" not in where_section(localization, [])
    assert CAUTION.split(";")[0] in where_section(localization, [])
    assert "a &amp; b" in where_section(localization, [])


def test_tables_say_what_was_found(written: Written) -> None:
    _, found = written
    localization = localize(found.test, found.data, found.result, top=3, left_out=False)
    excess = localization.excess
    assert excess is not None
    head, where, observed, *_ = region_rows(localization)
    assert head == ("", "excess")
    assert where == ("where", excess.describe())
    assert observed == ("observed", f"{excess.events:.4g}")
    assert event_rows(localization.events)[0] == ("row", "log_ratio", *FEATURES)
    assert len(event_rows(localization.events)) == 4


def test_features_come_in_the_order_of_what_they_carry() -> None:
    rows = (
        LeftOutRow(None, 50.0, 0.0, 12.0, 4.0),
        LeftOutRow("x", 45.0, -5.0, 10.0, 3.0),
        LeftOutRow("y", 12.0, -38.0, 10.0, 3.0),
        LeftOutRow("z", float("nan"), float("nan"), 10.0, 3.0),
    )
    table = left_out_rows(LeftOut("refit", 100, None, rows))
    assert [row[0] for row in table] == ["features", "all", "without y", "without x", "without z"]
    assert table[2] == ("without y", "12.0", "-38.0", "10.0 +- 3.0")
    assert table[4][1] == "the fit failed"
    of_f = tuple(LeftOutRow(row.feature, row.t, row.change, None, None) for row in rows)
    assert left_out_rows(LeftOut("projection", 100, 60.0, of_f))[0] == ("features", "t of f", "change")


def test_nothing_found_is_said(written: Written) -> None:
    _, found = written
    some = localize(found.test, found.data, found.result, top=0, left_out=False)
    nothing = Localization(some.events, None, None, (), None)
    text = where_section(nothing, [])
    assert "no region with more, or with fewer, events" in text
    assert "Events" not in text
