"""What the style says of paper: no sheet for a line, and pictures that leave none half empty."""

from __future__ import annotations

from nplm.report.html.css import CSS


def test_paper() -> None:
    paper = CSS.split("@media print")[1]
    # In Chromium the page of a closure was three sheets, the last with its footer alone, and is two.
    assert "footer { margin-top: 1rem; break-before: avoid; }" in paper
    # A picture that stands alone in its row was as wide as the sheet, and half of the one before stayed empty.
    assert ".pictures figure:last-child:nth-child(odd) img { max-width: 10.5cm; }" in paper
