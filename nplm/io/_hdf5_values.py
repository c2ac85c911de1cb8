"""The values of an HDF5 dataset, however they are compressed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nplm.cuts.columns import ReadError

try:
    _MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
except (AttributeError, ValueError, OSError):  # no POSIX
    _MEMORY = sys.maxsize


def blocks_of(source: str, dataset: Any, fields: Sequence[str] | None, size: int) -> Iterator[np.ndarray]:
    """The same as `values_of`, about so many rows at a time."""
    # Whole chunks, as each is unpacked anew for any of its rows.
    chunk = dataset.chunks[0] if dataset.chunks else 1
    step = -(-size // chunk) * chunk
    for start in range(0, dataset.shape[0], step):
        yield values_of(source, dataset, fields, slice(start, start + step))


def values_of(
    source: str, dataset: Any, fields: Sequence[str] | None = None, rows: slice | tuple[()] = ()
) -> np.ndarray:
    """All values, or the named fields of a structured dataset; or these in some rows.

    Raises:
        ReadError: naming the package, if they are compressed in a way that h5py does not know by itself; or if the
            dataset claims values that were never written, or more than memory holds, as h5py makes up the rest.
    """
    _require_values(source, dataset)
    try:
        return _read(dataset, fields, rows)
    except OSError as error:
        missing = _missing_filter(dataset)
        if missing is None:
            raise
        try:
            import hdf5plugin  # type: ignore[import-not-found]  # noqa: F401  # importing it makes its filters known
        except ImportError:
            raise ReadError(
                f"{source}: '{dataset.name.lstrip('/')}' is compressed by {missing}, which needs hdf5plugin; run pip"
                " install hdf5plugin, or write the file without"
            ) from error
        return _read(dataset, fields, rows)


def _require_values(source: str, dataset: Any) -> None:
    stored = dataset.id.get_storage_size() or dataset.is_virtual or dataset.external
    wanted = dataset.size * dataset.dtype.itemsize
    if wanted and (not stored or wanted > _MEMORY):
        lies = f"that is {wanted / 2**30:,.3g} GiB, more than the memory here" if stored else "none was ever written"
        raise ReadError(
            f"{source}: '{dataset.name.lstrip('/')}' claims {dataset.size:,} values, but {lies}; write it again"
        )


def _read(dataset: Any, fields: Sequence[str] | None, rows: slice | tuple[()]) -> np.ndarray:
    return np.asarray(dataset.fields(fields)[rows] if fields else dataset[rows])


def _missing_filter(dataset: Any) -> str | None:
    import h5py

    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return next(
        (name.decode() or f"filter {code}" for code, _, _, name in filters if not h5py.h5z.filter_avail(code)), None
    )
