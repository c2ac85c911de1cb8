"""Names of columns in backticks, as pandas has them in its queries: `pt [GeV]` > 30."""

from __future__ import annotations

import re

# Texts in quotes, and names in backticks.
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]+`)""")


def without_backticks(text: str) -> str:
    """The text with `any name` as col("any name"), as Python has no such quotes; not inside of others.

    Raises:
        SyntaxError: if one is not closed, or empty.
    """
    pieces = _QUOTED.split(text)  # what is in quotes is at odd places
    for place, piece in enumerate(pieces):
        if place % 2 == 0 and "`" in piece:
            raise SyntaxError("a backtick lacks its other one, or a name between them")
        if place % 2 and piece.startswith("`"):
            pieces[place] = f"col({piece[1:-1]!r})"
    return "".join(pieces)
