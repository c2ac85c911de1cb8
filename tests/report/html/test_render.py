"""Markup is made by templates alone, and they escape what they are given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import nplm
from nplm.report.html.cells import Marked, plus_minus, typeset
from nplm.report.html.render import render

ROOT = Path(nplm.__file__).parent
# A notebook shows a result without the reports, which are above results.
NOTEBOOKS = ROOT / "hypotest" / "result_html.py"


def test_no_module_writes_tags_or_makes_markup() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if re.search(r"</\w+>|\bMarkup\(|import escape", path.read_text(encoding="utf-8")) and path != NOTEBOOKS
    ]
    assert found == ["report/html/render.py"]


def test_no_template_takes_text_for_markup() -> None:
    templates = list((ROOT / "report" / "html").glob("*.html"))
    assert len(templates) > 10
    for path in templates:
        assert not re.search(r"\|\s*safe\b|autoescape|https?://", path.read_text(encoding="utf-8"))


def test_text_is_escaped_and_markup_of_a_template_is_not() -> None:
    part = render("features.html", many="<b>", mild="2", strong="3", stands_on="a&b", rows=[])
    assert "smallest &lt;b&gt;." in part
    assert "tests: a&amp;b.</p>" in part
    assert "<p>" in f"{part}"
    assert "&lt;p&gt;" in render("features.html", many=str(part), mild="2", strong="3", stands_on="", rows=[])


def test_what_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'stands_on' is undefined"):
        render("features.html", many="", mild="2", strong="3", rows=[])


def test_a_row_that_is_longer_than_its_head_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("features.html", many="", mild="2", strong="3", stands_on="", rows=[("a", "b"), ("1", "2", "3")])


def test_signs_leave_the_colour_of_a_cell() -> None:
    ((name, cell),) = typeset([("a +- b", Marked("1 +- 2", "mild"))], plus_minus)
    assert (name, cell) == ("a ± b", "1 ± 2")
    assert isinstance(cell, Marked)
    assert cell.level == "mild"
