"""Columns of a file as they are: values may be missing or not finite, unlike those of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from nplm.cuts.expression import columns_are_there
from nplm.io._parts import count, parts_of
from nplm.io._table import Options
from nplm.io.derived import Derived, needs_deriving
from nplm.io.read import _opener, _resolve, _split_tree, cut_of


def read_columns(
    path: str | Path,
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    where: str | None = None,
    tree: str | None = None,
    allow_remote: bool = False,
    allow_external_links: bool = False,
) -> Mapping[str, Float64[np.ndarray, " n"]]:
    """Columns of a file in any of the formats of `read_sample`.

    Arguments:
        path: the file.
        names: columns that must be there, or expressions of such.
        optional: columns, or expressions, that are read where they are.
        where: a cut on any columns, and on expressions that `names` gives a name; events in which it is not true, such
            as those with NaN in it, are left out.
        tree, allow_remote, allow_external_links: as in `read_sample`.

    Returns:
        The columns by name, each of shape (n,); n may be 0.

    Raises:
        ReadError: (a ValueError) if the file is missing, damaged or of an unknown format, a column is missing, jagged
            or no number, or columns have different lengths.
    """
    source, tree = _split_tree(str(path), tree)
    opener = _opener(source, allow_remote)
    with opener(source, Options(tree, allow_external_links)) as table:
        there = (*table.columns, *table.aliases)
        cut = None if where is None else cut_of(source, table, where, names)
        wanted = (*names, *(name for name in optional if columns_are_there(name, there)))
        if needs_deriving(table, wanted, None, cut):
            derived = Derived.of(source, table, wanted, None, cut)
            values = derived.read(parts_of(table, derived.columns), complete=False)[0]
            return dict(zip(wanted, values.T, strict=True))
        found = {name: _resolve(source, table, name, "column") for name in wanted}
        of_cut = () if cut is None else cut.columns
        aliased = {column: table.aliases.get(column, column) for column in of_cut}
        columns = table.read(tuple(dict.fromkeys((*found.values(), *aliased.values()))))
    count(source, columns)
    kept = slice(None) if cut is None else cut({name: columns[real] for name, real in aliased.items()})
    return {name: np.asarray(columns[real][kept], dtype=np.float64) for name, real in found.items()}
