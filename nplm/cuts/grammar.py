"""The grammar of cuts and expressions: `60 < mll < 120 and abs(eta) < 2.4`, `max(Jet_pt[abs(Jet_eta) < 2.4])`.

The text is parsed, never evaluated as Python: each piece of its syntax tree is looked up in the tables below, and
anything that is not there is refused.

A comparison with a value that is not a number is neither true nor false but unknown. So `not pt > 30` and `pt <= 30`
are true of the same events.

Integers beyond 2^53, such as numbers of runs and events, are compared exactly, and refused where arithmetic would round
them.
"""

from __future__ import annotations

import ast
import difflib
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from nplm.cuts import lists
from nplm.cuts.columns import LARGEST_EXACT, Columns, ReadError, Values, listed
from nplm.cuts.quoted import without_backticks

MAX_LENGTH = 10_000
MAX_DEPTH = 100

# A number for each event, or one for all; or, of columns of lists, an array of awkward.
Numbers = Values | np.float64 | int | Any
# Where a condition is known to be true, and where it is known to be false; of events, or of the elements of lists.
Truth = tuple[Bool[np.ndarray, " n"] | Any, Bool[np.ndarray, " n"] | Any]
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
# What makes one number of a list; "min" and "max" of one value do so too.
_OF_LISTS = ("len", "sum", "mean", "min", "max")


@dataclass(frozen=True)
class Grammar:
    """Turns a syntax tree into functions of the columns, noting the columns it meets.

    Arguments:
        used: takes the names of the columns.
        strict: whether an element that some events lack is an error; else it is not a number there.
    """

    used: set[str]
    strict: bool = False

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
                return self._comparison(node, ops, [self.number(value, depth + 1) for value in (left, *comparators)])
            case ast.Call(func=ast.Name(id="any" | "all" as function), args=[condition], keywords=[]):
                return self._anywhere(node, function, self.truth(condition, depth + 1))
        name = column_name(node)
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
                return self._joined(node, _ARITHMETIC[type(op)], [left, right], depth)
            case ast.Subscript(value=owner, slice=index):
                return self._subscript(node, owner, index, depth)
            case ast.Call(func=ast.Name(id="get"), args=[owner, index, default], keywords=[]):
                return self._element(node, owner, index, self.number(default, depth + 1), depth)
            case ast.Call(func=ast.Name(id="count"), args=[condition], keywords=[]):
                inner = self.truth(condition, depth + 1)
                return lambda columns: lists.total(self._list(inner(columns)[0], node))
            case ast.Call(
                func=ast.Name(id="len" | "sum" | "mean" | "min" | "max" as function), args=[arg], keywords=[]
            ):
                return self._reduced(node, function, self.number(arg, depth + 1))
            case ast.Call(func=ast.Name(id=function), args=args, keywords=[]) if function in _FUNCTIONS:
                return self._call(node, function, args, depth)
        name = column_name(node)
        if name is not None:
            self.used.add(name)
            return lambda columns: columns[name]
        if isinstance(node, ast.Call):
            known = ", ".join(
                (*_FUNCTIONS, *_OF_LISTS[:3], "count", "any", "all", "get(NAME, 0, DEFAULT)", 'col("name")')
            )
            raise ReadError(f"'{_source(node)}' is not a call of one of the functions {known}")
        raise ReadError(f"'{_source(node)}' must be a number; beside & and |, put each comparison in parentheses")

    def _call(self, node: ast.expr, function: str, args: list[ast.expr], depth: int) -> NumberOf:
        ufunc = _FUNCTIONS[function]
        if not (len(args) == ufunc.nin or (function in _MANY and len(args) >= 2)):
            raise ReadError(f"{function} takes {ufunc.nin} value{'s' * (ufunc.nin > 1)}, not {len(args)}")
        return self._joined(node, ufunc, args, depth)

    def _joined(self, node: ast.expr, ufunc: np.ufunc, args: list[ast.expr], depth: int) -> NumberOf:
        """A function of one value, or of several from the left to the right."""
        values = [self._operand(arg, depth + 1) for arg in args]
        if ufunc.nin == 1:
            return lambda columns: ufunc(values[0](columns))
        return lambda columns: reduce(lambda a, b: _broadcast(ufunc, a, b, node), (value(columns) for value in values))

    def _operand(self, node: ast.expr, depth: int) -> NumberOf:
        """A number to calculate with."""
        number, text = self.number(node, depth), _source(node)

        def value(columns: Columns) -> Numbers:
            found = number(columns)
            if isinstance(found, int):
                return np.float64(found)
            if not lists.is_list(found) and found.dtype.kind in "iu":
                raise ReadError(
                    f"'{text}' holds integers beyond 2^53, which arithmetic would round; compare it as it is"
                )
            return found

        return value

    def _subscript(self, node: ast.expr, owner: ast.expr, index: ast.expr, depth: int) -> NumberOf:
        """An element by its number, or the elements of which a condition is true."""
        if _integer(index) is not None:
            return self._element(node, owner, index, None, depth)
        if not isinstance(index, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.BinOp):
            raise ReadError(f"'{_source(node)}' takes a whole number or a condition on elements in its brackets")
        inner, condition = self.number(owner, depth + 1), self.truth(index, depth + 1)

        def chosen(columns: Columns) -> Numbers:
            values, passed = self._list(inner(columns), node), self._list(condition(columns)[0], node)
            if not lists.same_lengths(values, passed):
                raise ReadError(f"'{_source(node)}' joins lists of different lengths")
            return values[passed]

        return chosen

    def _element(
        self, node: ast.expr, owner: ast.expr, index: ast.expr, default: NumberOf | None, depth: int
    ) -> NumberOf:
        number, inner = _integer(index), self.number(owner, depth + 1)
        if number is None:
            raise ReadError(f"get takes a column of lists, a whole number and a default, not '{_source(node)}'")

        def of(columns: Columns) -> Numbers:
            found, missing = lists.element(self._list(inner(columns), node), number)
            if default is not None:
                return np.where(missing, default(columns), found)
            return self._without(found, missing, node)

        return of

    def _reduced(self, node: ast.expr, function: str, inner: NumberOf) -> NumberOf:
        if function in ("len", "sum"):
            plain = lists.length if function == "len" else lists.total
            return lambda columns: plain(self._list(inner(columns), node))
        of = lists.extreme(function)
        return lambda columns: self._without(*of(self._list(inner(columns), node)), node)

    def _without(
        self, found: Float64[np.ndarray, " n"], missing: Bool[np.ndarray, " n"], node: ast.expr
    ) -> Float64[np.ndarray, " n"]:
        """Values of which some are missing: an error, where none may be."""
        if self.strict and missing.any():
            raise lists.MissingError(_source(node), int(missing.sum()), len(missing))
        return found

    @staticmethod
    def _list(values: Numbers, node: ast.expr) -> Any:
        if not lists.is_list(values):
            raise ReadError(f"'{_source(node)}' is about a list of values, but there is one number for each event")
        return values

    def _anywhere(self, node: ast.expr, function: str, condition: TruthOf) -> TruthOf:
        def of(columns: Columns) -> Truth:
            # Elements that are not numbers are not known to be true; they make no condition false.
            true = lists.anywhere(self._list(condition(columns)[0], node), function)
            return true, ~true

        return of

    @staticmethod
    def _comparison(node: ast.expr, ops: list[ast.cmpop], values: list[NumberOf]) -> TruthOf:
        for op in ops:
            if type(op) not in _COMPARISONS:
                raise ReadError("only < <= > >= == != compare; 'in' and 'is' do not")
        ufuncs = [_COMPARISONS[type(op)] for op in ops]

        def compare(columns: Columns) -> Truth:
            sides = [value(columns) for value in values]
            links = [_compare(ufunc, a, b, node) for ufunc, a, b in zip(ufuncs, sides[:-1], sides[1:], strict=True)]
            return reduce(_and, links)

        return compare


def parsed(text: str, what: str, remedy: str) -> ast.expr:
    """The syntax tree of a cut or an expression.

    Raises:
        ReadError: if it has none.
    """
    if len(text) > MAX_LENGTH:
        raise ReadError(f"the {what} has {len(text)} characters, more than {MAX_LENGTH}; {remedy}")
    try:
        source = without_backticks(text.replace("\n", " ").strip())
        tree = ast.parse(source, mode="eval").body
        _spell_as_written(tree, source)
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or "nested too deeply"
        raise ReadError(f"the {what} '{shortened(text)}' cannot be parsed: {reason}") from error


def _spell_as_written(tree: ast.expr, source: str) -> None:
    """Gives names the characters they are written with: Python's parser replaces some by others that look alike."""
    if source.isascii():
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = ast.get_source_segment(source, node) or node.id
        elif isinstance(node, ast.Attribute):
            whole = ast.get_source_segment(source, node) or node.attr
            node.attr = whole.rpartition(".")[2].strip()


def suggestion(name: str, available: Collection[str]) -> str:
    """' (did you mean 'x'?)' if a name that exists is close to one that does not; otherwise nothing."""
    for other in available:
        if other != name and unicodedata.normalize("NFKC", other) == unicodedata.normalize("NFKC", name):
            return f" ('{other}' looks alike, but is written with other characters)"
    spelling = {other.lower(): other for other in available}
    close = difflib.get_close_matches(name.lower(), list(spelling), n=1)
    return f" (did you mean '{spelling[close[0]]}'?)" if close else ""


def _integer(node: ast.expr) -> int | None:
    """The whole number that a node is."""
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)) if not isinstance(number, bool):
            return -number
    return None


def _broadcast(ufunc: np.ufunc, a: Numbers, b: Numbers, node: ast.expr) -> Numbers:
    """ufunc(a, b); a number of an event goes with each element of its list."""
    try:
        return ufunc(a, b)
    except ValueError:
        if not (lists.is_list(a) and lists.is_list(b)):
            raise
        raise ReadError(f"'{_source(node)}' joins lists of different lengths") from None


def _and(a: Truth, b: Truth) -> Truth:
    return a[0] & b[0], a[1] | b[1]


def _or(a: Truth, b: Truth) -> Truth:
    return a[0] | b[0], a[1] & b[1]


def _compare(ufunc: np.ufunc, a: Numbers, b: Numbers, node: ast.expr) -> Truth:
    if lists.is_list(a) or lists.is_list(b):
        result = _broadcast(ufunc, a, b, node)
        known = np.logical_not(np.isnan(a) | np.isnan(b))
        return result & known, np.logical_not(result) & known
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


def column_name(node: ast.expr) -> str | None:
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


def require_known(used: set[str], available: tuple[str, ...]) -> None:
    """Raises ReadError, naming the first unknown column."""
    for name in sorted(used.difference(available)):
        known = f"{suggestion(name, available)}; there are: {listed(available)}"
        raise ReadError(f"there is no column '{shortened(name)}'{known}")


def _source(node: ast.expr) -> str:
    try:
        return shortened(ast.unparse(node))
    except (RecursionError, ValueError):  # too deep, or an integer too long, to print
        return type(node).__name__


def shortened(text: str) -> str:
    """A text as a message quotes it."""
    return text if len(text) <= 80 else f"{text[:77]}..."
