"""HDF5, through h5py; unless allowed, nothing outside the file is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nplm.io._arrays import Header, Key, array_table
from nplm.io._table import Options, ReadError, Table, decoding

_ERRORS = (OSError, KeyError, ValueError, TypeError, RuntimeError)


@contextmanager
def open_hdf5(source: str, options: Options) -> Iterator[Table]:
    """The datasets at the root and one group below it."""
    import h5py

    with decoding(source, "HDF5", _ERRORS), h5py.File(source, "r") as file:
        datasets = _datasets(source, file, options.allow_external_links)

        def load(key: Key, fields: Sequence[str] | None) -> np.ndarray:
            dataset = datasets[key]
            return np.asarray(dataset.fields(fields)[()] if fields else dataset[()])

        headers = {key: Header(dataset.shape or (), dataset.dtype) for key, dataset in datasets.items()}
        yield array_table(source, headers, load)


def _datasets(source: str, file: Any, allow_outside: bool) -> dict[Key, Any]:
    import h5py

    found: dict[Key, Any] = {}
    for name in file:
        item = _member(source, file, name, allow_outside)
        if isinstance(item, h5py.Dataset):
            found[(name,)] = item
        elif isinstance(item, h5py.Group):
            for inner in item:
                dataset = _member(source, file, f"{name}/{inner}", allow_outside)
                if isinstance(dataset, h5py.Dataset):
                    found[(name, inner)] = dataset
    return found


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
