"""ROOT trees and RNTuples, through uproot."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.io._table import Options, ReadError, Table, as_column, decoding, jagged

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
_RNTUPLE_NUMBERS = {"bool", "float", "double"} | {f"std::{sign}int{n}_t" for sign in ("", "u") for n in (8, 16, 32, 64)}


@contextmanager
def open_root(source: str, options: Options) -> Iterator[Table]:
    """The branches of one tree; those with one number for each event are the features."""
    try:
        import uproot
    except ImportError as error:
        raise ReadError(f'{source}: ROOT files need uproot; run pip install ".[root]" in a clone of nplm') from error

    errors = (
        *(OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, struct.error, zlib.error),
        *(ImportError, uproot.deserialization.DeserializationError),
    )
    # uproot hands names to fsspec, which may see a protocol in them; a local file is opened as a file.
    local: dict[str, Any] = {} if "://" in source else {"handler": uproot.source.file.MultithreadedFileSource}
    with decoding(source, "ROOT", errors), uproot.open({source: None}, **local) as file:
        tree = file[_tree_name(source, file.classnames(recursive=True, cycle=False), options.tree)]
        branches = {name: tree[name] for name in tree.keys(recursive=True)}

        def read(wanted: Sequence[str]) -> dict[str, Float64[np.ndarray, " n"]]:
            for name in wanted:
                _require_flat(branches[name], source, name)
            return {name: as_column(branches[name].array(library="np"), source, name) for name in wanted}

        flat = tuple(name for name, branch in branches.items() if _problem(branch) is None)
        yield Table(tuple(branches), read, flat)


def _tree_name(source: str, classes: dict[str, str], wanted: str | None) -> str:
    trees = [name for name, kind in classes.items() if kind in _TREES]
    listed = ", ".join(trees) or "none"
    if wanted is not None:
        name = wanted.strip("/").partition(";")[0]
        if name not in trees:
            raise ReadError(f"{source} has no tree '{wanted}'; its trees: {listed}")
        return wanted.strip("/")
    if not trees:
        raise ReadError(f"{source} holds no tree of events (it holds: {', '.join(classes) or 'nothing'})")
    if len(trees) > 1:
        raise ReadError(f"{source} holds several trees ({listed}); choose one, as in {source}:{trees[0]}")
    return trees[0]


def _problem(branch: Any) -> str | None:
    """None for one number an event; otherwise what the branch holds."""
    if hasattr(branch, "interpretation"):
        dtype = getattr(branch.interpretation, "to_dtype", None)
        flat = isinstance(dtype, np.dtype) and dtype.shape == () and dtype.kind in "biuf"
    else:  # a field of an RNTuple; a dot in its path means that it lies in a list or a record
        flat = branch.typename in _RNTUPLE_NUMBERS and "." not in branch.path
    return None if flat else branch.typename or "a list"


def _require_flat(branch: Any, source: str, name: str) -> None:
    problem = _problem(branch)
    if problem is None:
        return
    if "." in name or any(word in problem for word in ("[", "vector", "array", "list")):
        raise jagged(source, name)
    raise ReadError(f"{source}: branch '{name}' holds {problem}, not numbers; name the features you want")
