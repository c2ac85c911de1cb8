"""Tables in memory become samples without a detour: exact values, names, weights, and what is refused."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import awkward as ak
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import uproot

from nplm import KernelModel, MultipleTest, NPLMTest, Sample, as_sample, expected_power
from nplm.hypotest import kernel_widths
from nplm.io.tables import sample_like

PT = np.array([0.1, 1 / 3, 2e300, -4.0])
COUNT = np.array([1, -2, 2**53, 4], dtype=np.int64)
TAG = np.array([True, False, True, True])
W = np.array([1.0, -0.5, 2.0, 1.0])
COLUMNS = {"pt": PT, "count": COUNT, "tag": TAG, "w": W}
EXPECTED = np.column_stack([PT, COUNT.astype(np.float64), TAG.astype(np.float64)])


class Columns(NamedTuple):
    pt: Any
    count: Any
    tag: Any
    w: Any


def structured() -> np.ndarray:
    return np.rec.fromarrays(list(COLUMNS.values()), names=list(COLUMNS))


def masked() -> dict[str, Any]:
    return {name: np.ma.MaskedArray(values) for name, values in COLUMNS.items()}


TABLES: dict[str, Callable[[], Any]] = {
    "dict": lambda: COLUMNS,
    "lists": lambda: {name: values.tolist() for name, values in COLUMNS.items()},
    "masked": masked,
    "named tuple": lambda: Columns(**COLUMNS),
    "dataclass": lambda: dataclasses.make_dataclass("Events", COLUMNS)(**COLUMNS),
    "structured": structured,
    "pandas": lambda: pd.DataFrame(COLUMNS, index=[5, 5, 1, 0]),
    "pandas, nullable": lambda: pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas, Arrow": lambda: pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas series": lambda: {name: pd.Series(values) for name, values in COLUMNS.items()},
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars series": lambda: {name: pl.Series(values) for name, values in COLUMNS.items()},
    "pyarrow": lambda: pa.table(COLUMNS),
    "record batch": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "awkward": lambda: ak.zip(COLUMNS),
    "awkward options": lambda: ak.zip({name: ak.mask(values, values == values) for name, values in COLUMNS.items()}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_gives_the_same_sample_without_loss(kind: str) -> None:
    sample = as_sample(TABLES[kind](), weights="w", name="data")
    assert sample.features == ("pt", "count", "tag")
    assert sample.name == "data"
    np.testing.assert_array_equal(sample.events, EXPECTED)
    np.testing.assert_array_equal(sample.weights, W)
    chosen = as_sample(TABLES[kind](), features=["tag", "pt"], weights=2 * W)
    np.testing.assert_array_equal(chosen.events, EXPECTED[:, [2, 0]])
    np.testing.assert_array_equal(chosen.weights, 2 * W)


JETS = [{"pt": p, "eta": w} for p, w in zip(PT, W, strict=True)]
NESTED: dict[str, Callable[[], Any]] = {
    "dict": lambda: {"jet": {"pt": PT, "eta": W}, "n": COUNT},
    "tuple in a dict": lambda: {"jet": NamedTuple("Jet", [("pt", Any), ("eta", Any)])(PT, W), "n": COUNT},
    "awkward": lambda: ak.zip({"jet": ak.zip({"pt": PT, "eta": W}), "n": COUNT}, depth_limit=1),
    # Before pyarrow 24 a type that it infers has its fields in alphabetical order.
    "pyarrow": lambda: pa.table(
        {
            "jet": pa.array(JETS, pa.struct([("pt", pa.float64()), ("eta", pa.float64())])),
            "n": COUNT,
        }
    ),
    "polars": lambda: pl.DataFrame({"jet": [{"pt": p, "eta": w} for p, w in zip(PT, W, strict=True)], "n": COUNT}),
    "pandas": lambda: pd.DataFrame({("jet", "pt"): PT, ("jet", "eta"): W, ("n", ""): COUNT}),
    "structured": lambda: np.array(
        list(zip(zip(PT, W, strict=True), COUNT, strict=True)),
        dtype=[("jet", [("pt", "f8"), ("eta", "f8")]), ("n", "i8")],
    ),
}


@pytest.mark.parametrize("kind", NESTED)
def test_columns_in_columns_have_names_with_dots(kind: str) -> None:
    sample = as_sample(NESTED[kind]())
    assert sample.features == ("jet.pt", "jet.eta", "n")
    np.testing.assert_array_equal(sample.events, np.column_stack([PT, W, COUNT]))
    assert as_sample(NESTED[kind](), weights="jet.eta").features == ("jet.pt", "n")


def test_any_pytree_of_arrays() -> None:
    from jax.tree_util import register_pytree_node_class

    @register_pytree_node_class
    class Pair:
        def __init__(self, first: Any, second: Any) -> None:
            self.parts = first, second

        def tree_flatten(self) -> tuple[Any, None]:
            return self.parts, None

        @classmethod
        def tree_unflatten(cls, _: None, parts: Any) -> Any:
            return cls(*parts)

    sample = as_sample({"mu": Pair(PT, {"w": W})})
    assert sample.features == ("mu.0", "mu.1.w")
    np.testing.assert_array_equal(sample.events, np.column_stack([PT, W]))


@pytest.mark.parametrize("rntuple", [False, True])
def test_a_tree_of_uproot_is_read_where_it_is_asked_for(rntuple: bool, tmp_path) -> None:
    path = tmp_path / "events.root"
    columns = {**COLUMNS, "hits": ak.Array([[1.0], [], [2.0, 3.0], [4.0]])}
    with uproot.recreate(path) as file:
        if rntuple:
            file.mkrntuple("events", columns)
        else:
            file["events"] = columns
    with uproot.open(path) as file:
        sample = as_sample(file["events"], "w", ["pt", "count", "tag"])
        np.testing.assert_array_equal(sample.events, EXPECTED)
        with pytest.raises(ValueError, match="'hits' is jagged"):
            as_sample(file["events"], "w", ["pt", "hits"])
        np.testing.assert_array_equal(as_sample(file["events"].arrays(), "w", ["pt", "count", "tag"]).events, EXPECTED)


@pytest.mark.parametrize(
    "make",
    [np.asarray, jnp.asarray, np.ma.MaskedArray, ak.Array, np.ndarray.tolist],
    ids=["numpy", "jax", "masked", "awkward", "list"],
)
def test_an_array_without_names(make: Callable[[np.ndarray], Any]) -> None:
    values = np.array([[1.5, 2.0], [3.0, -4.0], [0.0, 1.0]], dtype=np.float32)
    sample = as_sample(make(values), weights=[1.0, 2.0, 3.0])
    assert sample.features == ("x0", "x1")
    np.testing.assert_array_equal(sample.events, values)
    assert as_sample(make(values), features=("a", "b")).features == ("a", "b")


def test_one_column() -> None:
    assert as_sample(PT).features == ("x0",)
    assert as_sample(pa.array(PT)).features == ("x0",)
    assert as_sample(pd.Series(PT)).features == ("x0",)
    assert as_sample(pd.Series(PT, name="pt")).features == ("pt",)
    assert as_sample(pl.Series("pt", PT)).features == ("pt",)
    np.testing.assert_array_equal(as_sample(pl.Series("pt", PT)).events[:, 0], PT)


def test_bfloat16_keeps_its_values() -> None:
    values = jnp.asarray([0.5, 3.0, -1.25], dtype=jnp.bfloat16)
    np.testing.assert_array_equal(as_sample({"x": values}).events[:, 0], [0.5, 3.0, -1.25])
    np.testing.assert_array_equal(as_sample(np.asarray([0.5], dtype=ml_dtypes.bfloat16)).events[:, 0], [0.5])


def test_decimals_and_large_integers_become_the_nearest_number() -> None:
    table = pa.table({"d": [Decimal("0.1"), Decimal("2.5")], "n": np.array([2**53 + 1, 3], dtype=np.uint64)})
    np.testing.assert_array_equal(as_sample(table).events, [[0.1, 2.0**53], [2.5, 3.0]])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([Decimal("0.5"), Decimal("2.5")]),
        pd.Series([Decimal("0.5"), Decimal("2.5")], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        pd.Series([0.5, 2.5], dtype=pd.ArrowDtype(pa.float32())),
        pd.Series([0.5, 2.5], dtype="Float64"),
        pd.Series([0.5, 2.5], dtype=object),
        pd.Series([[0.5], [2.5]]),
        pl.Series([[0.5], [2.5]]),
        ak.Array([[0.5], [2.5]]),
        pa.array([[0.5], [2.5]]),
    ],
)
def test_columns_of_pandas_and_lists_of_one_value_are_read_as_in_parquet(column: Any) -> None:
    np.testing.assert_array_equal(as_sample({"x": column}).events[:, 0], [0.5, 2.5])


def test_a_sample_stays_what_it_is() -> None:
    sample = Sample(EXPECTED, W, ("pt", "count", "tag")).with_auxiliary(np.array([0.3]))
    assert as_sample(sample) is sample
    turned = as_sample(sample, features=["tag", "pt"])
    np.testing.assert_array_equal(turned.events, EXPECTED[:, [2, 0]])
    np.testing.assert_array_equal(turned.auxiliary, [0.3])
    with pytest.raises(ValueError, match="weights already"):
        as_sample(sample, weights="w")


MISSING = [1.0, None, 3.0, None]
MISSING_TABLES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame({"x": PT, "pt": [1.0, np.nan, 3.0, np.nan]}),
    "pandas, nullable": lambda: pd.DataFrame({"x": PT, "pt": pd.array([1, None, 3, None], dtype="Int64")}),
    "pandas, boolean": lambda: pd.DataFrame({"x": PT, "pt": pd.array([True, None, False, None], dtype="boolean")}),
    "pandas, objects": lambda: pd.DataFrame({"x": PT, "pt": pd.Series(MISSING, dtype=object)}),
    "polars": lambda: pl.DataFrame({"x": PT, "pt": MISSING}),
    "pyarrow": lambda: pa.table({"x": PT, "pt": MISSING}),
    "pyarrow struct": lambda: {"x": PT, "pt": pa.array(MISSING)},
    "awkward": lambda: ak.Array([{"x": 1.0, "pt": v} for v in MISSING]),
    "masked": lambda: {"x": PT, "pt": np.ma.MaskedArray(PT, [False, True, False, True])},
}


@pytest.mark.parametrize("kind", MISSING_TABLES)
def test_missing_values_are_counted_and_named(kind: str) -> None:
    with pytest.raises(ValueError, match=r"data: column 'pt' has 2 missing values in 4 rows.*drop those rows or fill"):
        as_sample(MISSING_TABLES[kind](), name="data")
    # The negative control: they are nobody's business where they are not asked for.
    assert len(as_sample(MISSING_TABLES[kind](), features="x")) == 4


def test_a_missing_row_of_parts_is_missing_in_each() -> None:
    table = pa.table({"jet": pa.array([{"pt": 1.0}, None, {"pt": 2.0}])})
    with pytest.raises(ValueError, match=r"'jet\.pt' has 1 missing values in 3 rows"):
        as_sample(table)


JAGGED = [[1.0], [], [2.0, 3.0], [4.0]]


@pytest.mark.parametrize(
    "table",
    [
        lambda: pd.DataFrame({"hits": JAGGED, "x": PT}),
        lambda: pl.DataFrame({"hits": JAGGED, "x": PT}),
        lambda: pa.table({"hits": JAGGED, "x": PT}),
        lambda: ak.Array([{"hits": h, "x": 1.0} for h in JAGGED]),
        lambda: ak.Array([{"hits": [{"e": e} for e in h], "x": 1.0} for h in JAGGED]),
    ],
    ids=["pandas", "polars", "pyarrow", "awkward", "records in lists"],
)
def test_jagged_columns_are_named(table: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"'hits(\.e)?' is jagged .*make one number of it, as hits"):
        as_sample(table())
    assert as_sample(table(), features="x").features == ("x",)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (lambda: pd.DataFrame({"s": ["a", "b"]}), "'s' holds (str|object)"),
        (lambda: pd.DataFrame({"t": pd.to_datetime(["2020", "2021"])}), "'t' holds datetime64"),
        (lambda: pd.DataFrame({"c": pd.Categorical([1, 2])}), "'c' holds category"),
        (lambda: pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "more than one column is called 'a'"),
        (lambda: pl.DataFrame({"s": ["a", "b"]}), "'s' holds .*string"),
        (lambda: pl.LazyFrame({"s": [1.0]}), r"call its collect\(\) first"),
        (lambda: pa.table({"s": ["a", "b"]}), r"'s' holds string, not numbers \(row 0: 'a'\)"),
        (lambda: ak.Array([{"s": "a"}, {"s": "b"}]), "column 's' holds"),
        (lambda: {"s": np.array(["a", "b"])}, "'s' holds str"),
        (lambda: {"z": np.array([1j, 2j])}, "'z' holds complex128"),
        (lambda: {"o": np.array([1.0, "a"], dtype=object)}, "'o' is an object array"),
        (lambda: {"m": np.ones((4, 2))}, r"'m' has shape \(4, 2\)"),
        (lambda: {"scalar": 1.0}, r"'scalar' has shape \(\)"),
        (lambda: {"x": PT, "y": PT[:3]}, r"different lengths \(x 4, y 3\)"),
        (lambda: {}, "no column is left for the features; its columns: none"),
        (lambda: {"x": np.array([1.0, np.nan])}, "feature 'x' of data is not finite in 1 of 2 rows"),
        (lambda: ak.Array([[1.0], [2.0, 3.0]]), "jagged"),
        (lambda: np.ma.MaskedArray([1.0, 2.0], [True, False]), "1 missing values"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_by_name(table: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_sample(table(), name="data")


def test_columns_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="no weight column 'v'; its columns: pt, count, tag, w"):
        as_sample(COLUMNS, "v")
    with pytest.raises(ValueError, match="no feature 'eta'; its columns: pt"):
        as_sample(COLUMNS, features=["eta"])
    with pytest.raises(ValueError, match="an array has no column 'w'"):
        as_sample(PT, "w")


def test_data_have_the_columns_of_the_reference_in_any_order() -> None:
    reference = Sample(EXPECTED, features=("pt", "count", "tag"), name="reference")
    turned = sample_like(reference, {name: COLUMNS[name] for name in ("tag", "pt", "count")}, "data")
    assert turned.features == reference.features
    np.testing.assert_array_equal(turned.events, EXPECTED)
    # A column that the reference lacks may hold weights, which nobody wants to lose without a word.
    with pytest.raises(ValueError, match=r"reference lacks w\. Choose columns, .*as_sample"):
        sample_like(reference, COLUMNS, "data")
    with pytest.raises(ValueError, match="data lacks tag"):
        sample_like(reference, {"pt": PT, "count": COUNT}, "data")


@pytest.fixture
def frames(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = ["mass", "pt"]
    reference = pd.DataFrame(rng.normal(size=(2000, 2)), columns=names)
    return reference, pd.DataFrame(rng.normal(size=(200, 2)), columns=names)


def test_the_tests_take_tables(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    reference, data = frames
    model = KernelModel(width=1.0, centers=20)
    test = NPLMTest(reference, model, expected_yield=200.0)
    sample = as_sample(data)
    exact = test.statistic(sample)
    turned = data[["pt", "mass"]]
    for table in (
        data,
        turned,
        pl.from_pandas(data),
        pa.Table.from_pandas(data),
        dict(data),
        data.to_records(index=False),
    ):
        if not isinstance(table, np.recarray) or table.dtype.names == ("mass", "pt"):
            assert test.statistic(table) == exact
    result = test.run(turned, 20, pool=pl.from_pandas(reference))
    assert result.t == exact == result.statistic
    assert result.pvalue == result.p_value
    np.testing.assert_array_equal(test.log_ratio(result, turned), result.log_ratio)
    np.testing.assert_array_equal(test.log_ratio(result, data.to_numpy()), result.log_ratio)
    assert test.asymptotic_null(data).mean == test.asymptotic_null(sample).mean
    several = MultipleTest(kernel_widths(reference, [0.5, 1.0], model, expected_yield=200.0)).run(turned)
    assert several.t[1] == pytest.approx(exact)
    assert several.pvalue == several.p_value
    assert several.statistic == several.global_p.statistic
    (by_frame,), (by_sample,) = (expected_power(test, signal, [20.0]) for signal in (turned, sample))
    assert by_frame == by_sample
    with pytest.raises(ValueError, match="data lacks pt"):
        test.run(data[["mass"]])


def test_nothing_is_imported_that_the_user_did_not_import() -> None:
    script = (
        "import sys, numpy as np; from nplm import as_sample; as_sample({'x': np.ones(3)});"
        " as_sample(np.ones((3, 2)));"
        " sys.exit(' '.join(m for m in ('pandas', 'polars', 'awkward', 'uproot', 'jax') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_yield_scales_the_weights() -> None:
    events = {"x": [1.0, 2.0, 3.0], "w": [1.0, 1.0, 2.0]}
    assert as_sample(events, weights="w", expected_yield=10).weights.tolist() == [2.5, 2.5, 5.0]
    assert as_sample(as_sample(events, weights="w"), expected_yield=8).total_weight == 8.0
    with pytest.raises(ValueError, match="simulation: the expected yield must be a positive number, not -1"):
        as_sample(events, weights="w", name="simulation", expected_yield=-1)
    with pytest.raises(ValueError, match="the weights add up to 0"):
        as_sample([1.0, 2.0], weights=[1.0, -1.0], expected_yield=5)
