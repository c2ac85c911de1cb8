"""What the style says of paper: no sheet for a line, and pictures that leave none half empty."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from nplm.report.html.render import render
from nplm.report.pictures import Picture
from nplm.wording.verdict_levels import Verdict

CSS = files("nplm.report.html").joinpath("style.css").read_text(encoding="utf-8")
NONE: dict[str, Any] = {"sizes": [], "cautions": []}


def test_paper() -> None:
    paper = CSS.split("@media print")[1]
    # In Chromium the page of a closure was three sheets, the last with its footer alone, and is two.
    assert "footer { margin-top: 1rem; break-before: avoid; }" in paper
    # A picture that stands alone in its row was as wide as the sheet, and half of the one before stayed empty.
    assert ".pictures figure:last-child:nth-child(odd) img { max-width: 10.5cm; }" in paper


def test_a_page_has_the_style_as_it_is() -> None:
    head = {"title": "", "question": "", "subject": "", "version": "", "files": ""}
    page = render(
        "sweep.html", **head, verdict=Verdict("mild", "", ""), picture=Picture(Path(__file__), "", ""), **NONE
    )
    assert CSS.strip() in page
