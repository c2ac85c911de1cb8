"""Expressions: features and weights that are computed from columns, such as `mll = sqrt(2 * Muon_pt[0] * ...)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.cuts.columns import Columns, ReadError
from nplm.cuts.grammar import Grammar, NumberOf, column_name, parsed, require_known, shortened
from nplm.cuts.lists import is_list

_NAMED = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)\s*(.+)", re.DOTALL)


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Arguments:
        name: of the feature: that before the =, or the text.
        text: the expression as it was written, without its name.
        columns: names of the columns it uses, sorted.
    """

    name: str
    text: str
    columns: tuple[str, ...]
    _number: NumberOf

    def __call__(self, columns: Columns, events: int) -> Float64[np.ndarray, " n"]:
        """Its value for each of so many events.

        Arguments:
            columns: the values of each column, shape (n,), or lists of them.

        Raises:
            MissingError: if some events do not have an element that is asked for.
            ReadError: if it has a list of values for each event, or joins lists of different lengths.
        """
        with np.errstate(all="ignore"):
            values = self._number(columns)
        if is_list(values):
            raise ReadError(
                f"'{shortened(self.text)}' has a list of values for each event: take one, as NAME[0], or reduce it with"
                " len, sum, min, max, mean or count"
            )
        return np.array(np.broadcast_to(values, events), dtype=np.float64)

    def of(self, columns: Mapping[str, Any]) -> Any:
        """Its value as its operations give it, of columns that say what functions of them are (`__array_ufunc__`)."""
        return self._number(columns)


def split_name(text: str) -> tuple[str, str]:
    """Name and expression of `name = expression`; without a name the text is both."""
    match = _NAMED.fullmatch(text)
    return (match[1], match[2].strip()) if match else (text.strip(), text.strip())


def is_expression(text: str) -> bool:
    """Whether a text is more than the name of a column: it has operators, calls, brackets or quotes, and is parsed."""
    name, body = split_name(text)
    try:
        tree = parsed(body, "expression", "")
    except ReadError:
        return name != body
    names = any(isinstance(node, ast.Name) for node in ast.walk(tree))
    return name != body or (names and column_name(tree) != body)


def columns_are_there(text: str, available: Iterable[str]) -> bool:
    """Whether a text is a column that is there, or an expression all of whose columns are."""
    there = set(available)
    return text in there or (is_expression(text) and set(parse_expression(text).columns) <= there)


def parse_expression(text: str, available: Iterable[str] | None = None) -> Expression:
    """The expression that `text` describes, by the grammar of cuts; with `name = ` before it, or without.

    Arguments:
        text: the expression.
        available: names of the columns there are; None to leave names unchecked.

    Raises:
        ReadError: if the text is no expression, its result is no number, or a column is unknown; the message quotes it.
    """
    name, body = split_name(text)
    tree = parsed(body, "expression", "compute the column beforehand")
    used: set[str] = set()
    try:
        number = Grammar(used, strict=True).number(tree, 0)
        if not used:
            raise ReadError("it names no column")
        if available is not None:
            require_known(used, tuple(available))
    except ReadError as error:
        raise ReadError(f"the expression '{shortened(body)}' is refused: {error}") from None
    # A column whose name is quoted goes by that name.
    label = name if name != body else column_name(tree) or name
    return Expression(label, body, tuple(sorted(used)), number)
