"""Cuts: expressions such as `60 < mll < 120 and abs(eta) < 2.4` that select events.

The text is parsed, never evaluated as Python: each piece of its syntax tree is looked up in the tables below, and
anything that is not there is refused.

A comparison with a value that is not a number is neither true nor false but unknown, and an event is kept only if the
whole cut is known to be true. So `not pt > 30` and `pt <= 30` keep the same events.

Integers beyond 2^53, such as numbers of runs and events, are compared exactly, and refused where arithmetic would round
them.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Bool

from nplm.io._table import LARGEST_EXACT, Columns, ReadError, Values, listed

MAX_LENGTH = 10_000
MAX_DEPTH = 100

Numbers = Values | np.float64 | int
# Where a condition is known to be true, and where it is known to be false.
Truth = tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]
NumberOf = Callable[[Columns], Numbers]
TruthOf = Callable[[Columns], Truth]

_ARITHMETIC: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
}
_COMPARISONS: dict[type[ast.cmpop], np.ufunc] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_ONE = ("sqrt", "log", "log10", "exp", "sin", "cos", "tan", "cosh", "sinh")
_FUNCTIONS: dict[str, np.ufunc] = {name: getattr(np, name) for name in _ONE} | {
    "abs": np.absolute,
    "min": np.minimum,
    "max": np.maximum,
    "hypot": np.hypot,
    "arctan2": np.arctan2,
}
_MANY = ("min", "max")


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
            columns: the values of each column, shape (n,).

        Raises:
            ReadError: if a column that stands for yes or no holds anything but 0, 1 and NaN.
        """
        with np.errstate(all="ignore"):  # log(-1) and 1/0 are answers here: the event does not pass
            passed, _ = self._truth(columns)
        return passed


def parse_cut(text: str, available: Iterable[str] | None = None) -> Cut:
    """The cut that `text` describes.

    Numbers, columns, + - * / ** %, comparisons (also chained), and, or, not, &, |, ~, parentheses and the functions
    abs sqrt log log10 exp sin cos tan cosh sinh min max hypot arctan2. A column whose name is not a plain word is
    written col("jet pt"); dots are fine as they are (jet.pt).

    Arguments:
        text: the cut.
        available: names of the columns there are; None to leave names unchecked.

    Raises:
        ReadError: if the text is not such an expression, its result is not yes or no, or a column is unknown; the
            message quotes the cut.
    """
    if len(text) > MAX_LENGTH:
        raise ReadError(f"the cut has {len(text)} characters, more than {MAX_LENGTH}; filter the file beforehand")
    try:
        tree = ast.parse(text.replace("\n", " ").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or "nested too deeply"
        raise ReadError(f"the cut '{_short(text)}' cannot be parsed: {reason}") from error
    used: set[str] = set()
    try:
        truth = _Reader(used).truth(tree, 0)
        if not used:
            raise ReadError("it names no column")
        if available is not None:
            _require_known(used, tuple(available))
    except ReadError as error:
        raise ReadError(f"the cut '{_short(text)}' is refused: {error}") from None
    return Cut(text, tuple(sorted(used)), truth)


def suggestion(name: str, available: Iterable[str]) -> str:
    """' (did you mean 'x'?)' if a name that exists is close to one that does not; otherwise nothing."""
    spelling = {other.lower(): other for other in available}
    close = difflib.get_close_matches(name.lower(), list(spelling), n=1)
    return f" (did you mean '{spelling[close[0]]}'?)" if close else ""


@dataclass(frozen=True)
class _Reader:
    """Turns a syntax tree into functions of the columns, noting the columns it meets."""

    used: set[str]

    def truth(self, node: ast.expr, depth: int) -> TruthOf:
        """A condition."""
        _require_shallow(depth)
        match node:
            case ast.BoolOp(op=ast.And() | ast.Or() as op, values=values):
                join = _and if isinstance(op, ast.And) else _or
                terms = [self.truth(value, depth + 1) for value in values]
                return lambda columns: reduce(join, (term(columns) for term in terms))
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as op, right=right):
                join = _and if isinstance(op, ast.BitAnd) else _or
                first, second = self.truth(left, depth + 1), self.truth(right, depth + 1)
                return lambda columns: join(first(columns), second(columns))
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                inner = self.truth(operand, depth + 1)
                return lambda columns: inner(columns)[::-1]
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._comparison(ops, [self.number(value, depth + 1) for value in (left, *comparators)])
        name = _column_name(node)
        if name is not None:
            self.used.add(name)
            return lambda columns: _yes_or_no(columns[name], name)
        raise ReadError(
            f"'{_source(node)}' must be yes or no; compare it with something, in parentheses beside & and |"
        )

    def number(self, node: ast.expr, depth: int) -> NumberOf:
        """A number for each event, or one for all."""
        _require_shallow(depth)
        match node:
            case ast.Constant(value=bool() | int() | float() as constant):
                value = _constant(constant)
                return lambda columns: value
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                if isinstance(sign, ast.UAdd):
                    return self.number(operand, depth + 1)
                # A number with a sign is still a number, not arithmetic.
                signed = isinstance(operand, ast.Constant)
                inner = self.number(operand, depth + 1) if signed else self._operand(operand, depth + 1)
                return lambda columns: -inner(columns)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                ufunc = _ARITHMETIC[type(op)]
                first, second = self._operand(left, depth + 1), self._operand(right, depth + 1)
                return lambda columns: ufunc(first(columns), second(columns))
            case ast.Call(func=ast.Name(id=function), args=args, keywords=[]) if function in _FUNCTIONS:
                return self._call(function, args, depth)
        name = _column_name(node)
        if name is not None:
            self.used.add(name)
            return lambda columns: columns[name]
        if isinstance(node, ast.Call):
            known = ", ".join((*_FUNCTIONS, 'col("name")'))
            raise ReadError(f"'{_source(node)}' is not a call of one of the functions {known}")
        raise ReadError(f"'{_source(node)}' must be a number; beside & and |, put each comparison in parentheses")

    def _call(self, function: str, args: list[ast.expr], depth: int) -> NumberOf:
        ufunc = _FUNCTIONS[function]
        if not (len(args) == ufunc.nin or (function in _MANY and len(args) >= 2)):
            raise ReadError(f"{function} takes {ufunc.nin} value{'s' * (ufunc.nin > 1)}, not {len(args)}")
        values = [self._operand(arg, depth + 1) for arg in args]
        if ufunc.nin == 1:
            return lambda columns: ufunc(values[0](columns))
        return lambda columns: reduce(ufunc, (value(columns) for value in values))

    def _operand(self, node: ast.expr, depth: int) -> Callable[[Columns], Any]:
        """A number to calculate with."""
        number, text = self.number(node, depth), _source(node)

        def value(columns: Columns) -> Any:
            found = number(columns)
            if isinstance(found, int):
                return np.float64(found)
            if found.dtype.kind in "iu":
                raise ReadError(
                    f"'{text}' holds integers beyond 2^53, which arithmetic would round; compare it as it is"
                )
            return found

        return value

    @staticmethod
    def _comparison(ops: list[ast.cmpop], values: list[NumberOf]) -> TruthOf:
        for op in ops:
            if type(op) not in _COMPARISONS:
                raise ReadError("only < <= > >= == != compare; 'in' and 'is' do not")
        ufuncs = [_COMPARISONS[type(op)] for op in ops]

        def compare(columns: Columns) -> Truth:
            sides = [value(columns) for value in values]
            links = [_compare(ufunc, a, b) for ufunc, a, b in zip(ufuncs, sides[:-1], sides[1:], strict=True)]
            return reduce(_and, links)

        return compare


def _and(a: Truth, b: Truth) -> Truth:
    return a[0] & b[0], a[1] | b[1]


def _or(a: Truth, b: Truth) -> Truth:
    return a[0] | b[0], a[1] & b[1]


def _compare(ufunc: np.ufunc, a: Numbers, b: Numbers) -> Truth:
    if _is_whole(a) and _is_whole(b):
        result = np.asarray(ufunc(a, b))
        return result, ~result
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    known = ~(np.isnan(x) | np.isnan(y))
    result = np.asarray(ufunc(x, y))
    if _is_whole(a) or _is_whole(b):  # a whole number that rounds to the other need not be the other
        ties = x == y
        pairs = zip(*(np.broadcast_to(side, ties.shape)[ties].tolist() for side in (a, b)), strict=True)
        result[ties] = [bool(ufunc(int(first), int(second))) for first, second in pairs]
    return result & known, ~result & known


def _is_whole(value: Numbers) -> bool:
    return isinstance(value, int) or value.dtype.kind in "iu"


def _yes_or_no(values: Values, name: str) -> Truth:
    yes, no = values == 1.0, values == 0.0
    other = np.flatnonzero(~(yes | no | np.isnan(values)))
    if len(other):
        raise ReadError(f"column '{name}' stands for yes or no, but holds {values[other[0]]:g}; compare it instead")
    return yes, no


def _column_name(node: ast.expr) -> str | None:
    """The column that a node names: a word, words joined by dots, or col("any name")."""
    match node:
        case ast.Name(id=word):
            return word
        case ast.Attribute(value=owner, attr=word):
            parts = [word]
            while isinstance(owner, ast.Attribute):  # a loop: a thousand dots must not exhaust the stack
                parts.append(owner.attr)
                owner = owner.value
            return ".".join([owner.id, *reversed(parts)]) if isinstance(owner, ast.Name) else None
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str() as name)], keywords=[]):
            return name
    return None


def _constant(constant: float) -> np.float64 | int:
    """The constant in float64, or as a whole number if that would round it."""
    try:
        value = np.float64(constant)
    except OverflowError:
        return np.float64(np.inf)
    return constant if isinstance(constant, int) and abs(constant) > LARGEST_EXACT else value


def _require_shallow(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ReadError(f"it is nested more than {MAX_DEPTH} deep; join conditions with 'and' and 'or'")


def _require_known(used: set[str], available: tuple[str, ...]) -> None:
    for name in sorted(used.difference(available)):
        raise ReadError(f"there is no column '{name}'{suggestion(name, available)}; there are: {listed(available)}")


def _source(node: ast.expr) -> str:
    try:
        return _short(ast.unparse(node))
    except (RecursionError, ValueError):  # too deep, or an integer too long, to print
        return type(node).__name__


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
