"""Cuts: conditions such as `60 < mll < 120 and count(Jet_pt > 30) >= 2` that select events; see `nplm.cuts.grammar`.

An event is kept only if the whole cut is known to be true: a comparison with a value that is not a number, or with an
element that a list does not have, is neither true nor false.

Names of features that are expressions, `mll = sqrt(...)`, stand for these in a cut. They are computed only for events
that pass the conditions without such names, which `and` or & joins to the others: `nMuon >= 2 and mll > 60` needs no
second muon in events that have one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from nplm.cuts.columns import Columns, ReadError
from nplm.cuts.expression import Expression, parse_expression, split_name
from nplm.cuts.grammar import MAX_LENGTH, Grammar, TruthOf, column_name, parsed, require_known, shortened
from nplm.cuts.lists import is_list

__all__ = ["MAX_LENGTH", "Cut", "parse_cut"]

# The values of an expression, of columns of so many events.
ValueOf: TypeAlias = Callable[[Expression, Columns, int], Float64[np.ndarray, " n"]]


@dataclass(frozen=True)
class Cut:
    """A parsed cut.

    Arguments:
        text: the cut as it was written.
        columns: names of the columns it uses, sorted; those of features in it, not their names.
    """

    text: str
    columns: tuple[str, ...]
    # Conditions that all must be true: of columns, and of features that are computed.
    _plain: tuple[TruthOf, ...]
    _derived: tuple[TruthOf, ...] = ()
    _expressions: Mapping[str, Expression] = field(default_factory=dict)
    # Columns by the names that features give them.
    _renamed: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, columns: Columns, value: ValueOf = Expression.__call__) -> Bool[np.ndarray, " n"]:
        """Which events pass.

        Arguments:
            columns: the values of each column, shape (n,), or lists of them.
            value: computes a feature for the events that pass the conditions without features.

        Raises:
            MissingError: if some of these events do not have an element that a feature in the cut asks for.
            ReadError: if a column that stands for yes or no holds anything but 0, 1 and NaN, or the cut is about the
                elements of lists.
        """
        real = {**{name: name for name in self.columns}, **self._renamed}
        columns = {name: columns[column] for name, column in real.items()}
        if not self._derived:
            return self._passed(self._plain, columns)
        events = len(next(iter(columns.values())))
        passed = np.broadcast_to(self._passed(self._plain, columns) if self._plain else np.True_, events)
        rows = np.flatnonzero(passed)
        left = {name: values[rows] for name, values in columns.items()}
        computed = {name: value(each, left, len(rows)) for name, each in self._expressions.items()}
        passed = np.zeros(events, dtype=bool)
        passed[rows] = self._passed(self._derived, {**left, **computed})
        return passed

    def _passed(self, conditions: Sequence[TruthOf], columns: Columns) -> Bool[np.ndarray, " n"]:
        """Which events meet all conditions."""
        with np.errstate(all="ignore"):  # log(-1) and 1/0 are answers here: the event does not pass
            passed = reduce(lambda a, b: a & b, (condition(columns)[0] for condition in conditions))
        if is_list(passed):
            raise ReadError(
                f"the cut '{shortened(self.text)}' is about each element of a list: say how many must pass, as"
                " count(CONDITION) >= 1, any(CONDITION) or all(CONDITION)"
            )
        return passed


def parse_cut(text: str, available: Iterable[str] | None = None, features: Sequence[str] = ()) -> Cut:
    """The cut that `text` describes.

    Numbers, columns, + - * / ** %, comparisons (also chained), and, or, not, &, |, ~, parentheses and the functions
    abs sqrt log log10 exp sin cos tan cosh sinh min max hypot arctan2. A column whose name is not a plain word is
    written `jet pt` or col("jet pt"); dots are fine as they are (jet.pt). Columns of lists: NAME[0], NAME[CONDITION],
    len sum min max mean count any all, get(NAME, 0, DEFAULT).

    Arguments:
        text: the cut.
        available: names of the columns there are; None to leave names unchecked.
        features: that are computed, as `name = EXPRESSION`; such a name stands for its expression where no column is
            called so.

    Raises:
        ReadError: if the text is not such an expression, its result is not yes or no, or a column is unknown; the
            message quotes the cut.
    """
    there = None if available is None else tuple(available)
    named = {name: each for each in features for name, body in [split_name(each)] if name != body}
    named = {name: each for name, each in named.items() if not {name, each}.intersection(there or ())}
    tree = parsed(text, "cut", "filter the file beforehand")
    used: set[str] = set()
    try:
        truth = Grammar(used).truth(tree, 0)
        if not used:
            raise ReadError("it names no column")
        expressions = {name: parse_expression(named[name], there) for name in sorted(used & named.keys())}
        if there is not None:
            require_known(used - expressions.keys(), (*there, *named))
    except ReadError as error:
        raise ReadError(f"the cut '{shortened(text)}' is refused: {error}") from None
    renamed = {name: each.columns[0] for name, each in expressions.items() if _is_column(each)}
    computed = {name: each for name, each in expressions.items() if name not in renamed}
    plain, derived = ([truth], []) if not computed else _in_order(tree, computed)
    columns = (used - expressions.keys()).union(*(each.columns for each in expressions.values()))
    return Cut(text, tuple(sorted(columns)), tuple(plain), tuple(derived), computed, renamed)


def _in_order(tree: ast.expr, computed: Mapping[str, Expression]) -> tuple[list[TruthOf], list[TruthOf]]:
    """The conditions that a cut joins by `and`: those of columns alone, and those with features that are computed."""
    plain: list[TruthOf] = []
    derived: list[TruthOf] = []
    for condition in _joined_by_and(tree):
        used: set[str] = set()
        truth = Grammar(used).truth(condition, 0)
        (plain if used.isdisjoint(computed) else derived).append(truth)
    return plain, derived


def _joined_by_and(node: ast.expr) -> list[ast.expr]:
    """The conditions of a cut that all must be true: those that `and` or & joins at its outside."""
    match node:
        case ast.BoolOp(op=ast.And(), values=conditions):
            return [each for condition in conditions for each in _joined_by_and(condition)]
        case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
            return [*_joined_by_and(left), *_joined_by_and(right)]
    return [node]


def _is_column(expression: Expression) -> bool:
    """Whether a feature is a column by another name, which keeps its integers and lists."""
    return column_name(parsed(expression.text, "expression", "")) is not None
