"""Columns of a file as they are: values may be missing or not finite, unlike those of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from nplm.io._table import Options, ReadError
from nplm.io.cut import parse_cut
from nplm.io.read import _opener, _require_rows, _resolve, _split_tree


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
        names: columns that must be there.
        optional: columns that are read where they are.
        where: a cut on any columns; events in which it is not true, such as those with NaN in it, are left out.
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
        found = {name: _resolve(source, table, name, "column") for name in names}
        there = {*table.columns, *table.aliases}
        found |= {name: _resolve(source, table, name, "column") for name in optional if name in there}
        cut = None
        if where is not None:
            try:
                cut = parse_cut(where, (*table.columns, *table.aliases))
            except ReadError as error:
                raise ReadError(f"{source}: {error}") from error
        of_cut = () if cut is None else cut.columns
        aliased = {column: table.aliases.get(column, column) for column in of_cut}
        columns = table.read(tuple(dict.fromkeys((*found.values(), *aliased.values()))))
    lengths = {len(column) for column in columns.values()}
    if lengths != {0}:
        _require_rows(source, columns)
    kept = slice(None) if cut is None else cut({name: columns[real] for name, real in aliased.items()})
    return {name: np.asarray(columns[real][kept], dtype=np.float64) for name, real in found.items()}
