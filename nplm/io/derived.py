"""Events whose features or weights are expressions of columns, read a part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.numbers import not_finite
from nplm.cuts.columns import Columns, ReadError
from nplm.cuts.cut import Cut
from nplm.cuts.expression import Expression, is_expression, parse_expression
from nplm.cuts.lists import MissingError
from nplm.io._filling import Filling
from nplm.io._parts import count, require_some
from nplm.io._table import Table


@dataclass(frozen=True)
class Derived:
    """What is computed from columns.

    Arguments:
        source: of the columns, for messages.
        features: the expressions, or columns, that become features.
        weight: that of the weights; None for ones.
        cut: that selects events; None for all.
        real: the column that each name stands for.
    """

    source: str
    features: tuple[Expression, ...]
    weight: Expression | None
    cut: Cut | None
    real: dict[str, str]

    @classmethod
    def of(cls, source: str, table: Table, features: Sequence[str], weight: str | None, cut: Cut | None) -> Derived:
        """The expressions, all of columns that are there.

        Raises:
            ReadError: naming the expression, if one cannot be parsed or names no column.
        """
        available = (*table.columns, *table.aliases)
        try:
            parsed = tuple(_parsed(text, available) for text in features)
            of_weight = None if weight is None else _parsed(weight, available)
        except ReadError as error:
            raise ReadError(f"{source}: {error}") from error
        names = [expression.name for expression in parsed]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ReadError(f"{source}: two features are called '{repeated[0]}'; give them names, as name = EXPRESSION")
        expressions = (*parsed, *([] if of_weight is None else [of_weight]))
        used = dict.fromkeys(column for each in expressions for column in each.columns)
        used |= dict.fromkeys(() if cut is None else cut.columns)
        return cls(source, parsed, of_weight, cut, {name: table.aliases.get(name, name) for name in used})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are needed."""
        return tuple(dict.fromkeys(self.real.values()))

    def read(
        self,
        parts: Iterable[dict[str, Any]],
        *,
        expected: int | None = None,
        numbered: bool = False,
        complete: bool = True,
        allow_empty: bool = False,
    ) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, " n"] | None, Int64[np.ndarray, " rows"]]:
        """Features, weights and rows of the events that pass the cut.

        Arguments:
            parts: the needed columns of one part of the events after the other, lists as arrays of awkward.
            expected: how many events there are, if that is known before they are read.
            numbered: whether rows are wanted; else there are none.
            complete: whether events must pass, with finite values; else they are as they are, NaN where missing.
            allow_empty: whether none need pass all the same.

        Raises:
            ReadError: if no event passes, or values are missing or not finite in events that do.
        """
        events, weights = Filling(len(self.features), expected), Filling(1, 0 if self.weight is None else expected)
        rows, read = Filling(1, dtype=np.int64), 0
        lacking, of_cut = _Lacking(), _Lacking()
        for part in parts:
            columns = {name: part[real] for name, real in self.real.items()}
            number = passed = count(self.source, columns)
            chosen = None
            try:
                if self.cut is not None:
                    chosen = np.flatnonzero(self.cut(columns, of_cut.value))
                    columns, passed = {name: values[chosen] for name, values in columns.items()}, len(chosen)
                events.add([lacking.value(each, columns, passed) for each in self.features], passed)
                if self.weight is not None:
                    weights.add([lacking.value(self.weight, columns, passed)], passed)
            except ReadError as error:
                raise ReadError(f"{self.source}: {error}") from error
            if numbered:
                rows.add([read + (np.arange(number) if chosen is None else chosen)], passed)
            read += number
        of_cut.require_none(self.source)
        if complete:
            require_some(self.source, read, len(events), self.cut, allow_empty)
            lacking.require_none(self.source)
        x, w = events.table(), None if self.weight is None else weights.column()
        if complete:
            self._require_finite(x, w)
        return x, w, rows.column()

    def _require_finite(self, x: Float64[np.ndarray, "n d"], w: Float64[np.ndarray, " n"] | None) -> None:
        """Raises ReadError, naming what has values that are missing or not finite."""
        for each, values in zip((*self.features, self.weight), (*x.T, w), strict=True):
            if each is not None and values is not None and (bad := not_finite(values)[0]):
                raise ReadError(
                    f"{self.source}: '{each.text}' is not a finite number in {bad:,} of {len(x):,} events; drop them"
                    " with a cut"
                )


class _Lacking:
    """Elements that events lack, counted over all parts before anything is said."""

    def __init__(self) -> None:
        self._missing: dict[tuple[Expression, str], int] = {}
        self._events: dict[Expression, int] = {}

    def value(self, expression: Expression, columns: Columns, events: int) -> Float64[np.ndarray, " n"]:
        """The values of an expression; NaN where an element was missing."""
        self._events[expression] = self._events.get(expression, 0) + events
        try:
            return expression(columns, events)
        except MissingError as error:
            key = expression, error.text
            self._missing[key] = self._missing.get(key, 0) + error.missing
            return np.full(events, np.nan)

    def require_none(self, source: str) -> None:
        """Raises ReadError, naming the element that most events lack."""
        if self._missing:
            expression, text = most = max(self._missing, key=lambda key: self._missing[key])
            raise ReadError(f"{source}: {MissingError(text, self._missing[most], self._events[expression])}")


def needs_deriving(table: Table, features: Sequence[str], weight: str | None, cut: Cut | None) -> bool:
    """Whether features or weights are expressions, or the cut is about lists, and so not for plain columns."""
    there = {*table.columns, *table.aliases}
    named = (*features, *([] if weight is None else [weight]))
    lists = {name for name in there if table.aliases.get(name, name) in table.lists}
    return any(name not in there and is_expression(name) for name in named) or bool(
        cut is not None and lists & set(cut.columns)
    )


def _parsed(text: str, available: Sequence[str]) -> Expression:
    """A column, whatever its name, or an expression."""
    if text in available:
        return Expression(text, text, (text,), lambda columns: columns[text])
    return parse_expression(text, available)
