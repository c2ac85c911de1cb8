"""Cells of tables: in the colour of a level, and with the signs that a page can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Marked(str):
    """A cell of a table in the colour of a level, such as those of verdicts."""

    level: str

    def __new__(cls, text: str, level: str) -> Marked:
        cell = super().__new__(cls, text)
        cell.level = level
        return cell


def typeset(rows: Iterable[tuple[str, ...]], *signs: Callable[[str], str]) -> list[tuple[str, ...]]:
    """Rows of a table with better signs in each cell.

    Arguments:
        rows: of the table.
        signs: what is done to a cell: `plus_minus`, `at_most`, `squared`, or `nplm.wording.greek.chi`. Those of words
            are for our own words only, as a feature may be called chi2.
    """
    return [tuple(_typeset(cell, signs) for cell in row) for row in rows]


def _typeset(cell: str, signs: Iterable[Callable[[str], str]]) -> str:
    text = cell
    for sign in signs:
        text = sign(text)
    return Marked(text, cell.level) if isinstance(cell, Marked) else text


def plus_minus(text: str) -> str:
    """+- as one sign."""
    return text.replace(" +- ", " ± ")


def at_most(text: str) -> str:
    """<= as one sign."""
    return text.replace(" <= ", " ≤ ")


def squared(text: str) -> str:
    """The square of a standard deviation."""
    return text.replace("sd^2", "sd²")
