"""The cut grammar: what it computes, and what it refuses."""

import ast
import os
import warnings
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from nplm.cuts.cut import MAX_LENGTH, parse_cut
from nplm.cuts.expression import parse_expression
from nplm.io.read import ReadError, read_sample

RNG = np.random.default_rng(1)
COLUMNS = {
    "x": RNG.normal(size=200) * 3,
    "y": RNG.exponential(size=200),
    "jet.pt": RNG.uniform(0, 100, 200),
    "jet pt": RNG.uniform(0, 100, 200),
    "flag": (RNG.uniform(size=200) < 0.5).astype(float),
}
X, Y, FLAG = COLUMNS["x"], COLUMNS["y"], COLUMNS["flag"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > 1", X > 1),
        ("x>1 and y<1", (X > 1) & (Y < 1)),
        ("(x > 1) & (y < 1) | ~(x < 2)", ((X > 1) & (Y < 1)) | (X >= 2)),
        ("x > 1 or x < -1 and y < 1", (X > 1) | ((X < -1) & (Y < 1))),
        ("not (x > 1)", X <= 1),
        ("-1 < x < 1", (X > -1) & (X < 1)),
        ("-1 < x <= y < 2", (X > -1) & (X <= Y) & (Y < 2)),
        ("1 < 2 or x > 100", np.ones(200, bool)),
        ("flag", FLAG),
        ("not flag and x > 0", ~FLAG & (X > 0)),
        ("flag == True", FLAG),
        ("flag != 1", ~FLAG),
        ("-x ** 2 < -4", X**2 > 4),
        ("x % 2 > 1", np.mod(X, 2) > 1),
        ("x % 2 == x - 2 * (x - x % 2) / 2", np.mod(X, 2) == X - 2 * (X - np.mod(X, 2)) / 2),
        (
            "abs(x) + sqrt(y) - log(y) / log10(y + 9) > exp(-y)",
            abs(X) + Y**0.5 - np.log(Y) / np.log10(Y + 9) > np.exp(-Y),
        ),
        ("sin(x) * cos(x) > tan(x)", np.sin(X) * np.cos(X) > np.tan(X)),
        ("cosh(x) > 2 * sinh(y)", np.cosh(X) > 2 * np.sinh(Y)),
        ("min(x, y, 1) > 0", np.minimum(np.minimum(X, Y), 1) > 0),
        ("max(x, y) < 2", np.maximum(X, Y) < 2),
        ("hypot(x, y) < 2", np.hypot(X, Y) < 2),
        ("arctan2(x, y) < +.5", np.arctan2(X, Y) < 0.5),
        ("jet.pt > 50", COLUMNS["jet.pt"] > 50),
        ('col("jet pt") > 50', COLUMNS["jet pt"] > 50),
        ("x > 1\n and y < 1", (X > 1) & (Y < 1)),
        ("  x > 1", X > 1),
    ],
)
def test_a_cut_is_what_numpy_says(text: str, expected: np.ndarray) -> None:
    passed = parse_cut(text, COLUMNS)(COLUMNS)
    assert passed.dtype == bool
    np.testing.assert_array_equal(passed, expected)
    assert expected.sum() > 0  # else the comparison says little


def _numbers() -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["x", "y", "1", "2.5", "0.5"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        binary = st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        call = st.tuples(st.sampled_from(["abs", "sqrt", "exp", "sin", "log"]), inner).map(lambda t: f"{t[0]}({t[1]})")
        return st.one_of(binary, call, inner.map(lambda t: f"(-{t})"), inner.map(lambda t: f"({t} ** 2)"))

    return st.recursive(leaf, grow, max_leaves=4)


def _conditions() -> st.SearchStrategy[str]:
    compare = st.tuples(_numbers(), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _numbers())

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.tuples(inner, st.sampled_from("&|"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        return st.one_of(joined, inner.map(lambda t: f"(~{t})"))

    return st.recursive(compare.map(lambda t: f"({t[0]} {t[1]} {t[2]})"), grow, max_leaves=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_conditions())
def test_any_cut_is_what_numpy_says(text: str) -> None:
    names = {name: getattr(np, name) for name in ("abs", "sqrt", "exp", "sin", "log")} | {"x": X, "y": Y}
    text = f"{text} & (x < 1e300)"  # so that a column is named
    with np.errstate(all="ignore"):
        python = _with_notes(text)
        seen: list[np.ndarray] = []
        names["note"] = lambda value: seen.append(np.isnan(value)) or value
        expected = np.broadcast_to(eval(python, {"__builtins__": {}}, names), X.shape)
    # A comparison with NaN follows another logic, tested below.
    clean = ~np.any([np.broadcast_to(nan, X.shape) for nan in seen], axis=0)
    passed = parse_cut(text, COLUMNS)(COLUMNS)
    np.testing.assert_array_equal(passed[clean], expected[clean])


def _with_notes(text: str) -> str:
    """The text with each side of each comparison handed to note(), and each number made an array."""

    class Rewrite(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.AST:
            self.generic_visit(node)
            node.left = ast.Call(ast.Name("note", ast.Load()), [node.left], [])
            node.comparators = [ast.Call(ast.Name("note", ast.Load()), [c], []) for c in node.comparators]
            return node

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            # An array, so that NumPy divides by it: Python's own 1 / 0 is an error.
            zero = ast.BinOp(ast.Name("x", ast.Load()), ast.Mult(), ast.Constant(0.0))
            return ast.BinOp(zero, ast.Add(), node)

    return ast.unparse(ast.fix_missing_locations(Rewrite().visit(ast.parse(text, mode="eval"))))


@pytest.mark.parametrize("text", ["x > 1", "not (x > 1)", "x != 1", "not (x == 1)", "x == x", "~(1 / x < 2)", "~flag"])
def test_an_event_whose_cut_is_unknown_does_not_pass(text: str) -> None:
    nan = {"x": np.array([np.nan]), "flag": np.array([np.nan])}
    assert not parse_cut(text, nan)(nan)[0]


def test_unknown_does_not_hide_what_is_known() -> None:
    columns = {"x": np.array([np.nan, 2.0]), "y": np.array([3.0, np.nan])}
    np.testing.assert_array_equal(parse_cut("x > 1 or y > 1")(columns), [True, True])
    np.testing.assert_array_equal(parse_cut("x > 1 and y > 1")(columns), [False, False])


def test_no_warning_for_what_cannot_be_computed() -> None:
    columns = {"x": np.array([-1.0, 0.0, 1.0, 1e308])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        passed = parse_cut("log(x) >= 0 or 1 / x > 1e9 or sqrt(x) * x % 0 > 1 or exp(x) > 10 ** 400")(columns)
    np.testing.assert_array_equal(passed, [False, True, True, True])


def test_huge_powers_stay_floats() -> None:
    assert parse_cut("9 ** 9 ** 9 ** 9 > x", COLUMNS)(COLUMNS).all()
    assert parse_cut(f"{'9' * 400} > x", COLUMNS)(COLUMNS).all()


def test_columns_are_those_used() -> None:
    assert parse_cut('x > 1 and jet.pt < col("jet pt")').columns == ("jet pt", "jet.pt", "x")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch {path}')",
        "__import__('os').system('touch {path}') == x",
        "x > open('{path}', 'w')",
        "().__class__.__bases__[0].__subclasses__() == x",
        "x.__class__.__mro__ > 1",
        "abs.__globals__ > 1",
        "col('x').__class__ > 1",
        "abs(*[x]) > 1",
        "max(x, y, key=abs) > 1",
        "[x for x in y] > 1",
        "(lambda: x)() > 1",
        "(x := 3) > 1",
        "x if y else x",
        "f'{x}' > x",
        "'a' < x",
        "1j * x > 1",
        "... == x",
        "None == x",
        "x is y",
        "x in y",
        "x // 2 > 1",
        "x @ y > 1",
        "x ^ y",
        "x << 2 > 1",
        "exec('1') > x",
        "col(x) > 1",
        "col('x', 'y') > 1",
        "sqrt(x, y) > 1",
        "hypot(x) > 1",
        "yield x",
        "await x",
        "x > 1; y",
        "import os",
        "x = 1",
        "x >",
        "",
        "x > 1\0",
        "(" * 500 + "x" + ")" * 500 + " > 1",
        "-" * 5000 + "x > 1",
        "x" + "+x" * 4000 + " > 1",
        "x" + ".a" * 4000 + " > 1",
        "x > 1" + " & (x > 1)" * 900,
    ],
)
def test_what_is_not_a_cut_is_refused(text: str, tmp_path: object) -> None:
    path = f"{tmp_path}/harm"
    with pytest.raises(ReadError, match="the cut") as caught:
        parse_cut(text.replace("{path}", path), COLUMNS)
    assert not os.path.exists(path)  # noqa: PTH110
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xx > 1", r"no column 'xx' \(did you mean 'x'\?\); there are: x, y, jet\.pt"),
        ("x + y", r"'x \+ y' must be yes or no"),
        (
            "x > 1 & y < 1",
            "'1 & y' must be a number; beside & and |, put each comparison in parentheses".replace("|", r"\|"),
        ),
        ("(x > 1) + (y > 1) > 1", "'x > 1' must be a number"),
        ("1 < 2", "names no column"),
        ("sqr(x) > 1", r"'sqr\(x\)' is not a call of one of the functions sqrt, log, "),
        ("sqrt(x, y) > 1", "sqrt takes 1 value, not 2"),
        ("hypot(x) > 1", "hypot takes 2 values, not 1"),
        ("x in y", "'in' and 'is' do not"),
        ("x" + "+x" * 150 + " > 1", "nested more than 100 deep"),
        ("x > 1 and " * MAX_LENGTH, f"100000 characters, more than {MAX_LENGTH}"),
    ],
)
def test_the_message_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        parse_cut(text, COLUMNS)


def test_a_number_is_not_yes_or_no() -> None:
    with pytest.raises(ReadError, match="column 'x' stands for yes or no, but holds"):
        parse_cut("not x", COLUMNS)(COLUMNS)


# -- integers that float64 would round --------------------------------------------------------------------------------

BIG = np.array([2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**62 + 1, -(2**53) - 1])


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".parquet", ".csv", ".root"])
def test_large_integers_are_compared_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    columns = {"event": BIG, "x": np.arange(6.0)}
    if suffix == ".npz":
        np.savez(path, **columns)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.update(columns)
    elif suffix == ".parquet":
        pa.parquet.write_table(pa.table(columns), path)
    elif suffix == ".csv":
        path.write_text("event,x\n" + "".join(f"{event},{x}\n" for event, x in zip(*columns.values(), strict=True)))
    else:
        with uproot.recreate(path) as file:
            file.mktree("t", {"event": "i8", "x": "f8"})
            file["t"].extend(columns)

    def kept(cut: str) -> list[float]:
        return read_sample(path, features=["x"], where=cut).events[:, 0].tolist()

    assert kept(f"event == {2**53}") == [1.0]
    assert kept(f"event == {2**53 + 1} or event == {2**62 + 1}") == [2.0, 4.0]
    assert kept(f"not event != {2**53 + 1}") == [2.0]
    assert kept(f"{2**53} < event <= {2**53 + 2}") == [2.0, 3.0]
    assert kept(f"event == -{2**53 + 1}") == [5.0]
    assert kept(f"event > {2**70} or event < 0") == [5.0]
    assert kept(f"event >= {2.0**53!r} and event < 1e300") == [1.0, 2.0, 3.0, 4.0]
    assert kept(f"event > {float(2**53)!r}") == [2.0, 3.0, 4.0]  # 2^53 + 1 rounds to 2^53, and is more
    for arithmetic in ("event % 2 == 0", "abs(event) > 3", "min(event, x) > 1", "-event < 3", "event * 1 > 0"):
        with pytest.raises(ReadError, match=r"'event' holds integers beyond 2\^53, which arithmetic would round"):
            kept(arithmetic)


def test_large_constants_are_exact_too() -> None:
    cut = parse_cut(f"x == {2**53 + 1} or x > {10**400}")
    assert cut({"x": np.array([2.0**53, 2.0**53 + 2, np.inf, np.nan])}).tolist() == [False, False, False, False]
    assert parse_cut(f"x < {2**53 + 1}")({"x": np.array([2.0**53, 2.0**53 + 2])}).tolist() == [True, False]
    unsigned = {"a": np.array([2**63 + 1, 5], np.uint64), "b": np.array([2**62 + 1, 5])}
    assert parse_cut("a > b")(unsigned).tolist() == [True, False]
    assert parse_cut(f"a == {2**63 + 1}")(unsigned).tolist() == [True, False]


def test_missing_values_beside_large_integers_are_refused(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"event": pa.array([2**53 + 1, None]), "x": [1.0, 2.0]}), tmp_path / "a.parquet")
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("t", {"event": ak.Array([2**53 + 1, None]), "x": [1.0, 2.0]})
    for name in ("a.parquet", "a.root"):
        with pytest.raises(ReadError, match=r"column 'event' has missing values beside integers beyond 2\^53"):
            read_sample(tmp_path / name, features=["x"], where="event > 0")


def test_names_are_those_that_are_written() -> None:
    """Python's parser takes the micro sign for a Greek letter, and full-width letters for Latin ones."""
    micro, greek = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"
    columns = {micro: np.array([1.0, 5.0]), greek: np.array([5.0, 1.0])}
    for name in (micro, greek):
        cut = parse_cut(f"{name} > 3", columns)
        assert cut.columns == (name,)
        assert cut(columns).tolist() == (columns[name] > 3).tolist()
    both = parse_cut(f"abs(jet . {micro}) > 3 and col('{greek}') < 2 and {greek}.pt > 0")
    assert set(both.columns) == {f"jet.{micro}", greek, f"{greek}.pt"}
    with pytest.raises(ReadError, match=f"there is no column '{micro}' \\('{greek}' looks alike"):
        parse_cut(f"{micro} > 3", [greek])
    wide = "\N{FULLWIDTH LATIN SMALL LETTER M}ax"
    with pytest.raises(ReadError, match=wide):
        parse_cut(f"{wide}(x, 1) > 3", ["x"])
    expression = parse_expression(f"2 * {micro}", columns)
    assert expression(columns, 2).tolist() == [2.0, 10.0]
