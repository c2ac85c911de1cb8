"""Reading a sample from a file: which format, which columns, which rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from nplm.cuts.columns import ReadError as ReadError
from nplm.cuts.columns import listed
from nplm.cuts.cut import Cut, parse_cut
from nplm.cuts.grammar import suggestion
from nplm.data.sample import Sample
from nplm.io._arrow_files import open_feather, open_parquet
from nplm.io._csv import open_csv
from nplm.io._defaults import ROW_NUMBERS, may_number_rows, number_rows, say, what_is_left_out, what_numbers_events
from nplm.io._generator import open_hepmc, open_lhe
from nplm.io._hdf5 import open_hdf5
from nplm.io._numpy import open_npy, open_npz
from nplm.io._parts import count, parts_of, require_some
from nplm.io._plain import read_plain, rows_passing
from nplm.io._root import open_root
from nplm.io._table import OpenTable, Options, Table
from nplm.io.derived import Derived, needs_deriving

_FORMATS: dict[str, OpenTable] = {
    ".npz": open_npz,
    ".npy": open_npy,
    ".csv": open_csv,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".parquet": open_parquet,
    ".feather": open_feather,
    ".arrow": open_feather,
    ".root": open_root,
    ".lhe": open_lhe,
    ".lhe.gz": open_lhe,
    ".hepmc": open_hepmc,
    ".hepmc.gz": open_hepmc,
    ".hepmc3": open_hepmc,
}
_WITH_TREES = (open_root, open_hdf5, open_npz)


def read_sample(
    path: str | Path,
    *,
    features: Sequence[str] | None = None,
    weights: str | None = None,
    where: str | None = None,
    name: str | None = None,
    tree: str | None = None,
    allow_remote: bool = False,
    allow_external_links: bool = False,
    allow_empty: bool = False,
    notify: Callable[[str], None] | None = None,
) -> Sample:
    """The events of a file. Only the columns that are needed are read.

    Arguments:
        path: the file; its suffix (.npz .npy .csv .h5 .hdf5 .parquet .feather .arrow .root .lhe .hepmc) says the
            format. A ROOT tree, or an array, frame or group of an HDF5 or npz file, may be named as file.root:tree.
        features: columns that are features, in this order, or expressions such as "Muon_pt[0]", "len(Jet_pt)" or
            "ht = sum(Jet_pt[abs(Jet_eta) < 2.4])"; see `nplm.cuts.grammar`. Default: every column (of a ROOT file:
            every branch with one number for each event) except the weights and the numbers of the rows.
        weights: the column of event weights, or an expression. Default: every event has weight one.
        where: a cut on any columns of the file, such as "60 < mll < 120 and count(Jet_pt > 30) >= 2"; the name of a
            feature that is an expression, "mll = ...", stands for it where no column has that name; see
            `nplm.cuts.cut`.
        name: what to call the sample. Default: the name of the file.
        tree: the tree of a ROOT file that holds several; of an HDF5 or npz file the array, frame or group with the
            features.
        allow_remote: read a ROOT file from an address such as root://... too.
        allow_external_links: let an HDF5 file lead to other files.
        allow_empty: take a file without events, or without any that passes the cut, for a sample of none, as data may
            be where few events are expected.
        notify: called with what is left out of the default features, by default a warning, and with what the header of
            a generator's file says of cross-sections.

    Returns:
        The sample of the n events that pass the cut.

    Raises:
        ReadError: (a ValueError) if the file is missing, damaged or empty, a column is missing, jagged or not a
            number, no event passes the cut, a value is not finite, or the weights do not add up to a positive number.
    """
    source, tree = _split_tree(str(path), tree)
    opener = _opener(source, allow_remote)
    if tree is not None and opener not in _WITH_TREES:
        raise ReadError(f"{source}: only ROOT, HDF5 and npz files have parts to choose; leave out the tree '{tree}'")
    asked = (features,) if isinstance(features, str) else features  # features="pt" means one column, not "p" and "t"
    with opener(source, Options(tree, allow_external_links)) as table:
        _require_columns(source, table)
        if table.remark and notify is not None:
            notify(f"{source}: {table.remark}")
        cut = None if where is None else cut_of(source, table, where, asked or ())
        if needs_deriving(table, asked or (), weights, cut):
            wanted = _features(source, table, None, weights) if asked is None else tuple(asked)
            derived = Derived.of(source, table, wanted, weights, cut)
            parts = parts_of(table, derived.columns)
            events, w, _ = derived.read(parts, expected=table.rows, allow_empty=allow_empty)
            labels = tuple(each.name for each in derived.features)
            return _sample(source, events, w, labels, name, allow_empty, weights, notify)
        names = _features(source, table, asked, weights)
        weight = None if weights is None else _resolve(source, table, weights, "weight column")
        left_out = {name: what for name, what in table.left_out.items() if asked is None and name != weight}
        if asked is None:
            left_out |= dict.fromkeys(_numbering_rows(source, table, names, allow_empty), ROW_NUMBERS)
            names = tuple(n for n in names if n not in left_out)
            if not names:
                raise ReadError(f"{source}: no column is left for the features but row numbers; name the features")
        if left_out:
            say(what_is_left_out(source, left_out), notify)
        events, w = read_plain(source, table, names, weight, cut, allow_empty)
    labels = names if asked is None else tuple(asked)
    return _sample(source, events, w, labels, name, allow_empty, weights, notify)


def row_numbers(
    path: str | Path,
    *,
    features: Sequence[str] | None = None,
    where: str | None = None,
    tree: str | None = None,
    allow_remote: bool = False,
    allow_external_links: bool = False,
    allow_empty: bool = False,
) -> Int64[np.ndarray, " n"] | None:
    """Which rows of a file, counted from 0, are the events that `read_sample` gives; only columns of the cut are read.

    The arguments are those of `read_sample`; of the features only those are looked at that the cut names.

    Returns:
        The row of each event, shape (n,); None without a cut, where event i is row i.

    Raises:
        ReadError: (a ValueError) if the file or the cut cannot be read, or no event passes.
    """
    source, tree = _split_tree(str(path), tree)
    if where is None:
        return None
    with _opener(source, allow_remote)(source, Options(tree, allow_external_links)) as table:
        _require_columns(source, table)
        cut = cut_of(source, table, where, (features,) if isinstance(features, str) else features or ())
        if needs_deriving(table, (), None, cut):
            derived = Derived.of(source, table, (), None, cut)
            return derived.read(parts_of(table, derived.columns), numbered=True, allow_empty=allow_empty)[2]
        return rows_passing(source, table, cut, allow_empty)


def sum_of_weights(
    path: str | Path,
    *,
    features: Sequence[str] | None = None,
    weights: str | None = None,
    tree: str | None = None,
    allow_remote: bool = False,
    allow_external_links: bool = False,
) -> float:
    """The sum of the weights of all events of a file, whatever a cut lets pass; their number where each has weight one.

    The arguments are those of `read_sample`.

    Raises:
        ReadError: (a ValueError) if the file or the weights cannot be read.
    """
    source, tree = _split_tree(str(path), tree)
    with _opener(source, allow_remote)(source, Options(tree, allow_external_links)) as table:
        _require_columns(source, table)
        if weights is not None:
            derived = Derived.of(source, table, (), weights, None)
            w = derived.read(parts_of(table, derived.columns), allow_empty=True)[1]
            return 0.0 if w is None else float(w.sum())
        # Columns of one file may belong to different events: those of a feature are meant.
        asked = [table.aliases.get(name, name) for name in (*(features or ()), *table.features)]
        column = next(name for name in (*asked, *table.columns) if name in table.columns)
        return float(sum(len(part[column]) for part in parts_of(table, (column,))))


def column_names(
    path: str | Path, *, tree: str | None = None, allow_remote: bool = False, allow_external_links: bool = False
) -> tuple[str, ...]:
    """The names that `features` and `weights` of `read_sample` may take; of the file only the header is read.

    The arguments are those of `read_sample`.

    Raises:
        ReadError: (a ValueError) if the file is missing, damaged or of an unknown format.
    """
    source, tree = _split_tree(str(path), tree)
    opener = _opener(source, allow_remote)
    with opener(source, Options(tree, allow_external_links)) as table:
        _require_columns(source, table)
        return (*table.columns, *table.aliases)


def _sample(
    source: str,
    events: Float64[np.ndarray, "n d"],
    weights: Float64[np.ndarray, " n"] | None,
    features: Sequence[str],
    name: str | None,
    allow_empty: bool,
    of_weights: str | None,
    notify: Callable[[str], None] | None,
) -> Sample:
    try:
        sample = Sample.owning(events, weights, features, name or Path(source).name)
        if not (allow_empty and len(sample) == 0):
            sample.require_yield()
    except ValueError as error:
        column = "" if of_weights is None else f" (weights: '{of_weights}')"
        raise ReadError(f"{source}{column}: {error}") from error
    if counted := what_numbers_events(sample):
        say(counted, notify)
    return sample


def _split_tree(path: str, tree: str | None) -> tuple[str, str | None]:
    match = re.fullmatch(r"(.*\.(?:root|h5|hdf5|npz)):([^:]+)", path, re.DOTALL)
    if match is None or _is_there(path):
        return path, tree
    if tree is not None and tree != match[2]:
        raise ReadError(f"{path} names the tree '{match[2]}', but the tree '{tree}' was asked for too; keep one")
    return match[1], match[2]


def _opener(source: str, allow_remote: bool) -> OpenTable:
    remote = re.match(r"[A-Za-z][A-Za-z0-9+.:-]+:/", source)  # one slash: pathlib.Path shortens :// to :/
    opener = _FORMATS.get(_suffix(source.partition("?")[0] if remote else source))
    if remote:
        if not allow_remote:
            raise ReadError(
                f"{source} is a remote address; copy it here, or pass allow_remote=True (--allow-remote) to open it"
            )
        if opener is not open_root:
            raise ReadError(f"{source} is a remote address, and only ROOT files are read from one; copy it here first")
        if "://" not in source:
            raise ReadError(f"{source} lost a slash, as pathlib does to addresses; pass it as text")
        return opener
    file = Path(source)
    if not _is_there(source):
        raise ReadError(f"{source} does not exist; check the path")
    if not file.is_file():
        raise ReadError(f"{source} is a folder or a device; give the path of a file")
    if opener is None:
        raise ReadError(f"{source} has an unknown suffix '{file.suffix}'; known: {', '.join(_FORMATS)}")
    try:
        with file.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise ReadError(f"{source} cannot be opened: {error.strerror}; check its permissions") from error
    if empty:
        raise ReadError(f"{source} is empty (0 bytes); write it again")
    return opener


def _suffix(path: str) -> str:
    """The suffix of a file; of a compressed one together with that before."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror}; check the path and its permissions") from error


def _require_columns(source: str, table: Table) -> None:
    if not table.columns:
        found = listed([f"'{name}' ({what})" for name, what in table.left_out.items()])
        raise ReadError(
            f"{source}: no column is left for the features, as none has a number for each event"
            f"{f' (it holds {found})' if found else ''}; write each feature as an array of one dimension"
        )


def _features(source: str, table: Table, asked: Sequence[str] | None, weights: str | None) -> tuple[str, ...]:
    if asked is None:
        if table.several:
            raise ReadError(f"{source} holds {table.several}, or name the features")
        weight = table.aliases.get(weights, weights) if weights else None
        names = tuple(column for column in table.features if column != weight)
    else:
        names = tuple(_resolve(source, table, name, "feature") for name in asked)
    if not names:
        raise ReadError(f"{source}: no column is left for the features; its columns: {listed(table.columns)}")
    return names


def _numbering_rows(source: str, table: Table, names: Sequence[str], allow_empty: bool) -> list[str]:
    """The columns that hold numbers of rows, which only all of their values together show."""
    suspects = tuple(name for name in names if may_number_rows(name))
    if not suspects:
        return []
    columns = table.read(suspects)
    require_some(source, count(source, columns), 0, None, allow_empty)
    return [name for name in suspects if number_rows(columns[name])]


def _resolve(source: str, table: Table, name: str, what: str) -> str:
    real = table.aliases.get(name, name)
    if real not in table.columns:
        raise ReadError(
            f"{source}: no {what} '{name}'{suggestion(name, table.columns)}; its columns: {listed(table.columns)}"
        )
    return real


def cut_of(source: str, table: Table, where: str, features: Sequence[str]) -> Cut:
    """A cut on the columns of an open file, and on features that are computed of them.

    Raises:
        ReadError: naming the file, if there is no such cut.
    """
    try:
        return parse_cut(where, (*table.columns, *table.aliases), features)
    except ReadError as error:
        raise ReadError(f"{source}: {error}") from error
