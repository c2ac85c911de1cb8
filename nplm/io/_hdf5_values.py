"""The values of an HDF5 dataset, however they are compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nplm.io._table import ReadError


def values_of(source: str, dataset: Any, fields: Sequence[str] | None = None) -> np.ndarray:
    """All values, or the named fields of a structured dataset.

    Raises:
        ReadError: naming the package, if they are compressed in a way that h5py does not know by itself.
    """
    try:
        return _read(dataset, fields)
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
        return _read(dataset, fields)


def _read(dataset: Any, fields: Sequence[str] | None) -> np.ndarray:
    return np.asarray(dataset.fields(fields)[()] if fields else dataset[()])


def _missing_filter(dataset: Any) -> str | None:
    import h5py

    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return next(
        (name.decode() or f"filter {code}" for code, _, _, name in filters if not h5py.h5z.filter_avail(code)), None
    )
