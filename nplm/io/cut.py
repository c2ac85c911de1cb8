"""Cuts: conditions such as `60 < mll < 120 and count(Jet_pt > 30) >= 2` that select events; see `nplm.io.grammar`.

An event is kept only if the whole cut is known to be true: a comparison with a value that is not a number, or with an
element that a list does not have, is neither true nor false.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from nplm.io._table import Columns, ReadError
from nplm.io.grammar import MAX_LENGTH, Grammar, TruthOf, parsed, require_known, shortened
from nplm.io.lists import is_list

__all__ = ["MAX_LENGTH", "Cut", "parse_cut"]


@dataclass(frozen=True)
class Cut:
    """A parsed cut.

    Arguments:
        text: the cut as it was written.
        columns: names of the columns it uses, sorted.
    """

    text: str
    columns: tuple[str, ...]
    _truth: TruthOf

    def __call__(self, columns: Columns) -> Bool[np.ndarray, " n"]:
        """Which events pass.

        Arguments:
            columns: the values of each column, shape (n,), or lists of them.

        Raises:
            ReadError: if a column that stands for yes or no holds anything but 0, 1 and NaN, or the cut is about the
                elements of lists.
        """
        with np.errstate(all="ignore"):  # log(-1) and 1/0 are answers here: the event does not pass
            passed, _ = self._truth(columns)
        if is_list(passed):
            raise ReadError(
                f"the cut '{shortened(self.text)}' is about each element of a list: say how many must pass, as"
                " count(CONDITION) >= 1, any(CONDITION) or all(CONDITION)"
            )
        return passed


def parse_cut(text: str, available: Iterable[str] | None = None) -> Cut:
    """The cut that `text` describes.

    Numbers, columns, + - * / ** %, comparisons (also chained), and, or, not, &, |, ~, parentheses and the functions
    abs sqrt log log10 exp sin cos tan cosh sinh min max hypot arctan2. A column whose name is not a plain word is
    written `jet pt` or col("jet pt"); dots are fine as they are (jet.pt). Columns of lists: NAME[0], NAME[CONDITION],
    len sum min max mean count any all, get(NAME, 0, DEFAULT).

    Arguments:
        text: the cut.
        available: names of the columns there are; None to leave names unchecked.

    Raises:
        ReadError: if the text is not such an expression, its result is not yes or no, or a column is unknown; the
            message quotes the cut.
    """
    tree = parsed(text, "cut", "filter the file beforehand")
    used: set[str] = set()
    try:
        truth = Grammar(used).truth(tree, 0)
        if not used:
            raise ReadError("it names no column")
        if available is not None:
            require_known(used, tuple(available))
    except ReadError as error:
        raise ReadError(f"the cut '{shortened(text)}' is refused: {error}") from None
    return Cut(text, tuple(sorted(used)), truth)
