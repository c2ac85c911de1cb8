"""Markdown tables."""

from __future__ import annotations

from nplm.wording.markdown import markdown_table


def test_a_table() -> None:
    rows = (row for row in [["a", 1], ["b", 2.5]])
    assert markdown_table(["name", "value"], rows) == ("| name | value |\n| --- | --- |\n| a | 1 |\n| b | 2.5 |")


def test_a_table_without_rows_is_its_head() -> None:
    assert markdown_table(["name"], []) == "| name |\n| --- |"


def test_a_bar_in_a_cell_begins_no_other_cell() -> None:
    assert markdown_table(["a|b"], [["|c|"]]) == "| a\\|b |\n| --- |\n| \\|c\\| |"
