"""Samples from tables that are in memory already: data frames, Arrow and awkward tables, PyTrees of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nplm.cuts.columns import ReadError, Values, listed
from nplm.cuts.expression import is_expression
from nplm.cuts.lists import as_lists
from nplm.data.histogram_given import require_no_histogram
from nplm.data.sample import Sample, in_order, require_same_features
from nplm.io._arrow import arrow_column, lists_or_numbers
from nplm.io._defaults import ROW_NUMBERS, may_number_rows, number_rows, say, what_is_left_out, what_numbers_events
from nplm.io._parts import PART, in_parts
from nplm.io._table import Table, as_column, require_distinct
from nplm.io.derived import Derived

# What `as_sample` takes.
Tabular: TypeAlias = Sample | ArrayLike | Any

# Whose types are known by name: a package that the user did not import is not imported here.
_PACKAGES = ("pandas", "polars", "pyarrow", "awkward", "uproot")


def as_sample(
    table: Tabular,
    weights: str | ArrayLike | None = None,
    features: str | Sequence[str] | None = None,
    name: str = "sample",
    expected_yield: float | None = None,
) -> Sample:
    """A sample of the events in a table; its columns become the features, in float64.

    A table is a data frame of pandas or polars, a table or record batch of pyarrow, records of awkward, a tree of
    uproot, a structured array, or a mapping, a named tuple or any other PyTree of columns. Columns in columns have
    names with dots: {"jet": {"pt": ..., "eta": ...}} has jet.pt and jet.eta. An array without names, of NumPy, JAX or
    anything that NumPy reads, has the features x0, x1, ..., or those that are given.

    Integers and booleans become floating-point numbers, integers beyond 2^53 the nearest ones, as in files.

    Arguments:
        table: n events; a Sample is returned as it is, its features chosen if they are given.
        weights: the column with the weights, an expression of columns, or an array of shape (n,). Default: ones.
        features: the columns that become features, in this order, or expressions such as "Muon_pt[0]" or
            "ht = sum(Jet_pt)", see `nplm.cuts.grammar`. Default: all but the weights and, with a warning, the
            numbers of the rows.
        name: what to call the sample in messages and plots.
        expected_yield: what the weights are to add up to, see `Sample.scaled_to`. Default: they are left as they are.

    Raises:
        ReadError: (a ValueError) if there is no such column, or a column that is wanted holds no numbers, several
            values in an event, or missing ones; the message names the column.
        ValueError: if a value is not finite, the shapes of an array and of its weights do not fit, or the yield is not
            positive.

    Example:
        >>> as_sample({"pt": [31.0, 48.0], "w": [1.0, 0.5]}, weights="w")
        Sample 'sample': 2 events, yield 1.5, feature pt
    """
    sample = _sample_of(table, weights, features, name)
    return sample if expected_yield is None else sample.scaled_to(expected_yield)


def _sample_of(
    table: Tabular, weights: str | ArrayLike | None, features: str | Sequence[str] | None, name: str
) -> Sample:
    asked = (features,) if isinstance(features, str) else None if features is None else tuple(features)
    if isinstance(table, Sample):
        return _chosen(table, weights, asked)
    columns = _columns(table, name)
    if columns is None:
        if isinstance(weights, str):
            raise ReadError(f"{name}: an array has no column '{weights}'; give its weights as an array of shape (n,)")
        return Sample(_array(table, name), None if weights is None else _array(weights, name), asked, name)
    expressions = (*(asked or ()), *([weights] if isinstance(weights, str) else []))
    if any(text not in columns and is_expression(text) for text in expressions):
        return _derived(columns, weights, asked, name)
    weight = _resolved(weights, columns, name, "weight column") if isinstance(weights, str) else None
    if asked is None:
        numbers = [c for c in columns if c != weight and _numbers_rows(columns[c], name, c)]
        wanted = [c for c in columns if c != weight and c not in numbers]
        if numbers:
            say(what_is_left_out(name, dict.fromkeys(numbers, ROW_NUMBERS)), None)
    else:
        wanted = [_resolved(c, columns, name) for c in asked]
    if not wanted:
        raise ReadError(f"{name}: no column is left for the features; its columns: {listed(list(columns)) or 'none'}")
    values = {c: _numbers(columns[c], name, c) for c in dict.fromkeys((*wanted, *([weight] if weight else [])))}
    rows = {len(v) for v in values.values()}
    if len(rows) > 1:
        lengths = ", ".join(f"{c} {len(v)}" for c, v in values.items())
        raise ReadError(f"{name}: the columns have different lengths ({lengths}); name those that belong together")
    given = weights if weight is None else values[weight]
    return _cautioned(Sample(np.column_stack([values[c] for c in wanted]), given, wanted, name))


def _cautioned(sample: Sample) -> Sample:
    """The sample, with a warning if a feature looks like the number of the event."""
    if counted := what_numbers_events(sample):
        say(counted, None)
    return sample


def _derived(
    columns: Mapping[str, Any], weights: str | ArrayLike | None, asked: tuple[str, ...] | None, name: str
) -> Sample:
    """A sample of expressions of columns, which may have a list of values for each event."""
    names = tuple(columns)
    table = Table(names, lambda wanted: {c: _lists_or_numbers(columns[c], name, c) for c in wanted}, names)
    of_weights = weights if isinstance(weights, str) else None
    wanted = tuple(c for c in names if c != of_weights) if asked is None else asked
    derived = Derived.of(name, table, wanted, of_weights, None)
    events, w, _ = derived.read(in_parts(table.read(derived.columns), PART))
    labels = [each.name for each in derived.features]
    return _cautioned(Sample(events, weights if of_weights is None else w, labels, name))


def _lists_or_numbers(column: Any, source: str, name: str) -> Any:
    """A column in float64, or its lists of numbers as an array of awkward."""
    package = _package(column)
    if package == "polars":
        column, package = column.to_arrow(), "pyarrow"
    if package == "pyarrow":
        return lists_or_numbers(column, source, name)
    if package == "awkward" and column.ndim == 2:
        return as_lists(column)
    if package == "uproot":
        return _lists_or_numbers(column.array(library="ak"), source, name)
    if package == "pandas" and column.dtype.kind == "O" and (arrow := _as_arrow(column)) is not None:
        return lists_or_numbers(arrow, source, name)
    if package is None and getattr(column, "ndim", 1) == 2:
        return as_lists(np.asarray(column))
    return _numbers(column, source, name)


def sample_like(reference: Sample, table: Tabular, name: str) -> Sample:
    """A sample of the columns of a table that are the reference's features, in their order.

    Raises:
        ValueError: naming the columns, if a table with names has others than the reference has features, as one of
            them may hold weights; or if the table is bad, see `as_sample`.
    """
    if isinstance(table, Sample):
        return in_order(table, reference.features)
    columns = _columns(table, name)
    if columns is None:
        return as_sample(table, name=name)
    missing = [f for f in reference.features if f not in columns]
    extra = [c for c in columns if c not in reference.features and not _numbers_rows(columns[c], name, c)]
    if missing or extra:
        lacks = [f"{name} lacks {listed(missing)}"] if missing else []
        lacks += [f"{reference.name} lacks {listed(extra)}"] if extra else []
        raise ValueError(
            f"{reference.name} and {name} have different features: {'; '.join(lacks)}. Choose columns, and say which"
            " one holds weights, with as_sample(table, weights=..., features=...)"
        )
    return as_sample(table, features=reference.features, name=name)


def two_samples(a: Tabular, b: Tabular) -> tuple[Sample, Sample]:
    """Samples of two tables, their features by name in the order of A; those of an array by position.

    Raises:
        ValueError: if their features differ, or a table is bad; see `sample_like`.
    """
    first = as_sample(a, name="A")
    array = not isinstance(b, Sample) and _columns(b, "B") is None
    second = as_sample(b, features=first.features, name="B") if array else sample_like(first, b, "B")
    require_same_features(first, second)
    return first, second


def _numbers_rows(column: Any, source: str, name: str) -> bool:
    return may_number_rows(name) and number_rows(_numbers(column, source, name))


def _chosen(sample: Sample, weights: str | ArrayLike | None, asked: tuple[str, ...] | None) -> Sample:
    if weights is not None:
        raise ReadError(f"{sample.name} is a Sample, which has its weights already; leave out weights")
    if asked is None or asked == sample.features:
        return sample
    column = dict.fromkeys(sample.features)
    return sample[[_resolved(feature, column, sample.name) for feature in asked]]


def _resolved(column: str, columns: Mapping[str, Any], source: str, what: str = "feature") -> str:
    if column not in columns:
        raise ReadError(f"{source}: no {what} '{column}'; its columns: {listed(list(columns)) or 'none'}")
    return column


def _columns(table: Any, source: str) -> dict[str, Any] | None:
    """Whatever stands for a column, by its name; None for an array without names."""
    require_no_histogram(table, source)
    children = _children(table)
    if children is None:
        label = getattr(table, "name", None) if _package(table) in ("pandas", "polars") else None
        return {str(label): table} if label else None
    found: list[tuple[str, Any]] = []
    for key, child in children:
        inner = None if _children(child) is None else _columns(child, source)
        found += [(key, child)] if inner is None else [(f"{key}.{k}", c) for k, c in inner.items()]
    require_distinct([key for key, _ in found], source)
    return dict(found)


def _children(node: Any) -> list[tuple[str, Any]] | None:
    """The named parts of a table, or of a column with parts; None if there are none."""
    package = _package(node)
    if package == "pandas" and hasattr(node, "columns"):
        return [(_label(label), node.iloc[:, j]) for j, label in enumerate(node.columns)]
    if package == "polars":
        if hasattr(node, "collect"):
            raise ReadError("a lazy frame of polars holds no values yet; call its collect() first")
        return _children(node.to_arrow())
    if package == "pyarrow":
        return _arrow_children(node)
    if package == "awkward":
        return [(key, node[key]) for key in getattr(node, "fields", ())] or None
    if package == "uproot":
        return [(key, node[key]) for key in node.keys(recursive=False)] or None
    if isinstance(node, Mapping):
        return [(str(key), value) for key, value in node.items()]
    if getattr(getattr(node, "dtype", None), "names", None):
        return [(key, node[key]) for key in node.dtype.names]
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return list(zip(node._fields, node, strict=True))
    return None if isinstance(node, (list, tuple)) or hasattr(node, "__array__") else _pytree_children(node)


def _arrow_children(node: Any) -> list[tuple[str, Any]] | None:
    import pyarrow as pa

    if isinstance(node, pa.RecordBatchReader):
        raise ReadError("a reader of record batches holds no values yet; call its read_all() first")
    if isinstance(node, (pa.Table, pa.RecordBatch)):
        return list(zip(node.schema.names, node.columns, strict=True))
    if isinstance(node, (pa.Array, pa.ChunkedArray)) and pa.types.is_struct(node.type):
        # flatten() lets a missing row be missing in every part.
        names = [node.type.field(j).name for j in range(node.type.num_fields)]
        return list(zip(names, node.flatten(), strict=True))
    return None


def _pytree_children(node: Any) -> list[tuple[str, Any]] | None:
    """The parts of a dataclass, or of a class that is registered with JAX."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return [(f.name, getattr(node, f.name)) for f in dataclasses.fields(node)]
    from jax.tree_util import keystr, tree_flatten_with_path

    leaves, _ = tree_flatten_with_path(node, is_leaf=lambda child: child is not node)
    return [(keystr(path, simple=True), child) for path, child in leaves if path] or None


def _package(value: Any) -> str | None:
    """The package whose type this is, or is derived from."""
    packages = (base.__module__.partition(".")[0] for base in type(value).__mro__)
    return next((package for package in packages if package in _PACKAGES), None)


def _label(label: Any) -> str:
    """The name of a pandas column; levels are joined by dots."""
    return ".".join(str(part) for part in label if str(part)) if isinstance(label, tuple) else str(label)


def _numbers(column: Any, source: str, name: str) -> Values:
    """One column as numbers.

    Raises:
        ReadError: naming it, if it does not hold one number for each event.
    """
    package = _package(column)
    if package == "pandas":
        return _pandas_column(column, source, name)
    if package == "polars":
        return _numbers(column.to_arrow(), source, name)
    if package == "pyarrow":
        _require_none_missing(int(column.null_count), len(column), source, name)
        return arrow_column(column, source, name)
    if package == "uproot":
        from nplm.io._branches import branch_values, looked_at

        return branch_values(looked_at(column), source, name)
    if package == "awkward":
        return _awkward_column(column, source, name)
    values = column if isinstance(column, np.ma.MaskedArray) else np.asarray(column)
    if isinstance(values, np.ma.MaskedArray):
        _require_none_missing(int(np.ma.getmaskarray(values).sum()), len(values), source, name)
        values = values.data
    return as_column(_of_known_precision(values), source, name)


def _pandas_column(column: Any, source: str, name: str) -> Values:
    missing = int(column.isna().sum())
    _require_none_missing(missing, len(column), source, name, int(np.argmax(column.isna())) if missing else None)
    if column.dtype.kind == "O" and (arrow := _as_arrow(column)) is not None:
        return arrow_column(arrow, source, name)
    if column.dtype.kind not in "biuf":
        raise ReadError(
            f"{source}: column '{name}' holds {column.dtype}, not numbers; convert it, or name the features you want"
        )
    return as_column(column.to_numpy(dtype=np.float64), source, name)


def _as_arrow(column: Any) -> Any:
    """A pandas column of objects (decimals, lists, Arrow's own types) as Arrow sees it; None for text and mixtures."""
    import pyarrow as pa

    try:
        found = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None
    text = pa.types.is_string(found.type) or pa.types.is_large_string(found.type) or pa.types.is_string_view(found.type)
    return None if text or pa.types.is_dictionary(found.type) else found


def _awkward_column(column: Any, source: str, name: str) -> Values:
    import awkward as ak

    from nplm.io._branches import numbers_of

    _require_none_missing(int(ak.sum(ak.is_none(column))), len(column), source, name)
    try:
        values = numbers_of(column, source, name)
    except ReadError:
        raise
    except (TypeError, ValueError) as error:
        raise ReadError(f"{source}: column '{name}' holds {column.type.content}, not numbers: {error}") from error
    return as_column(values, source, name)


def _require_none_missing(missing: int, rows: int, source: str, name: str, first: int | None = None) -> None:
    if missing:
        where = "" if first is None else f" (first: row {first})"
        raise ReadError(
            f"{source}: column '{name}' has {missing} missing values in {rows} rows{where}; drop those rows or fill"
            " the values"
        )


def _array(values: Any, source: str) -> Any:
    """An array without names as NumPy reads it."""
    if _package(values) in ("pandas", "polars", "pyarrow"):
        return _numbers(values, source, "x0")
    if _package(values) == "awkward":
        import awkward as ak

        try:
            return ak.to_numpy(values, allow_missing=False)
        except (TypeError, ValueError) as error:
            raise ReadError(
                f"{source} is jagged or has missing values: {error}; give one number for each event"
            ) from None
    if isinstance(values, np.ma.MaskedArray):
        missing = int(np.ma.getmaskarray(values).sum())
        if missing:
            raise ReadError(f"{source} has {missing} missing values; drop those rows or fill the values")
        return values.data
    return _of_known_precision(np.asarray(values)) if hasattr(values, "dtype") else values


def _of_known_precision(values: np.ndarray) -> np.ndarray:
    """JAX has floating-point numbers that NumPy does not know, such as bfloat16."""
    unknown = values.dtype.kind == "V" and values.dtype.names is None and "float" in values.dtype.name
    return values.astype(np.float64) if unknown else values
