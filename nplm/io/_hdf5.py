"""HDF5, through h5py; unless allowed, nothing outside the file is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nplm.cuts.columns import ReadError
from nplm.io._arrays import Header, InRows, Key, array_table, columns_of_arrays
from nplm.io._hdf5_values import blocks_of, values_of
from nplm.io._pandas_hdf5 import frame_columns, is_frame, shape_of_nothing
from nplm.io._table import Options, Table, decoding

_ERRORS = (OSError, KeyError, ValueError, TypeError, RuntimeError)


@contextmanager
def open_hdf5(source: str, options: Options) -> Iterator[Table]:
    """The datasets in all groups, and the data frames that pandas has written."""
    import h5py

    with decoding(source, "HDF5", _ERRORS), h5py.File(source, "r") as file:
        datasets, frames = _contents(source, file, options.allow_external_links)

        def load(key: Key, fields: Sequence[str] | None) -> np.ndarray:
            dataset = datasets[key] if key in datasets else file["/".join(key)]
            empty = shape_of_nothing(dataset)
            return values_of(source, dataset, fields) if empty is None else np.empty(empty)

        def blocks(key: Key, fields: Sequence[str] | None, size: int) -> Iterator[np.ndarray]:
            return blocks_of(source, datasets[key], fields, size)

        headers = {key: Header(dataset.shape or (), dataset.dtype) for key, dataset in datasets.items()}
        columns, others = columns_of_arrays(headers)
        for key, group in frames.items():
            of_frame = frame_columns(source, key, group)
            if of_frame is None:
                others["/".join(key)] = "an object that only pandas reads"
            else:
                columns += of_frame
        yield array_table(source, columns, load, others, options.tree, InRows(_lengths(datasets), blocks))


def _lengths(datasets: Mapping[Key, Any]) -> dict[Key, int]:
    """The rows of the arrays that have any."""
    return {key: dataset.shape[0] for key, dataset in datasets.items() if dataset.shape and dataset.shape[0]}


def _contents(source: str, file: Any, allow_outside: bool) -> tuple[dict[Key, Any], dict[Key, Any]]:
    """The datasets, and the groups that are data frames of pandas; each group is looked into once."""
    import h5py

    datasets: dict[Key, Any] = {}
    frames: dict[Key, Any] = {}
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Key, Any]] = [((), file)]
    while waiting:
        key, item = waiting.pop()
        if isinstance(item, h5py.Dataset):
            datasets[key] = item
        if not isinstance(item, h5py.Group):
            continue
        info = h5py.h5o.get_info(item.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        inner = [((*key, name), _member(source, file, "/".join((*key, name)), allow_outside)) for name in item]
        if is_frame(item):
            frames[key] = item
        else:
            # The last is taken first. PyTables keeps its search trees in groups whose names begin with _i_.
            waiting += [(path, member) for path, member in reversed(inner) if not path[-1].startswith("_i_")]
    return datasets, frames


def _member(source: str, file: Any, path: str, allow_outside: bool) -> Any:
    """The object at a path of the file, or None where a link leads nowhere."""
    import h5py

    if not allow_outside:
        _require_inside(source, file, path)
    item = file.get(path)
    if not allow_outside and isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise _outside(source, path, "keeps its values in another file")
    return item


def _require_inside(source: str, file: Any, path: str, followed: int = 0) -> None:
    """Raises ReadError if an external link is met on the way; links are inspected, never opened."""
    import h5py

    if followed > 16:
        raise ReadError(f"{source}: the link '{path}' goes in circles; replace it with the dataset itself")
    here = ""
    for part in (part for part in path.split("/") if part not in ("", ".")):
        link = file.get(f"{here}/{part}", getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _outside(source, f"{here}/{part}".lstrip("/"), f"is a link to {link.filename}")
        if isinstance(link, h5py.SoftLink):
            target = link.path if link.path.startswith("/") else f"{here}/{link.path}"
            _require_inside(source, file, target, followed + 1)
        here = f"{here}/{part}"


def _outside(source: str, path: str, what: str) -> ReadError:
    return ReadError(
        f"{source}: '{path}' {what}; if you trust this file, pass allow_external_links=True (--allow-external-links)"
    )
