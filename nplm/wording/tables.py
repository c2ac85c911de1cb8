"""Tables and labelled numbers as lines of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence

WIDTH = 100
_LABEL = 11


def aligned(rows: Sequence[tuple[str, ...]], right: Collection[int] = ()) -> list[str]:
    """Rows as lines, each column as wide as its widest entry.

    Arguments:
        rows: of equal length; the head is one of them.
        right: columns whose entries end in line, such as numbers.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def labelled(rows: Iterable[tuple[str, str]]) -> list[str]:
    """A label and what it stands for on each line, wrapped into at most `WIDTH` columns where words allow."""
    return [
        line
        for label, value in rows
        for line in textwrap.wrap(
            value,
            WIDTH,
            initial_indent=f"  {label:<{_LABEL}}",
            subsequent_indent=" " * (_LABEL + 2),
            break_on_hyphens=False,
        )
    ]
