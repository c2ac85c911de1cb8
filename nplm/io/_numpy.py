"""NumPy files: npz archives and npy arrays. Nothing is ever unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from nplm.cuts.columns import ReadError
from nplm.io._arrays import Header, InRows, Key, array_table, columns_of_arrays
from nplm.io._table import Options, Table, decoding, require_distinct

_ERRORS = (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@contextmanager
def open_npz(source: str, options: Options) -> Iterator[Table]:
    """The arrays of an npz archive; only the headers are read until columns are asked for."""
    with decoding(source, "npz", _ERRORS), zipfile.ZipFile(source) as archive:
        require_distinct([name.removesuffix(".npy") for name in archive.namelist()], source)
        members: dict[Key, str] = {(name.removesuffix(".npy"),): name for name in archive.namelist()}

        def load(key: Key, fields: Sequence[str] | None) -> np.ndarray:
            with archive.open(members[key]) as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

        def blocks(key: Key, fields: Sequence[str] | None, size: int) -> Iterator[np.ndarray]:
            with archive.open(members[key]) as stream:
                yield from _blocks(stream, size)

        headers: dict[Key, Header] = {}
        for key, member in members.items():
            with archive.open(member) as stream:
                headers[key] = _header(stream)
                size = archive.getinfo(member).file_size - stream.tell()
            _require_values(f"'{member}' of {source}", "npz", headers[key], size)
        columns, others = columns_of_arrays(headers)
        yield array_table(source, columns, load, others, options.tree, InRows(_lengths(headers), blocks))


@contextmanager
def open_npy(source: str, options: Options) -> Iterator[Table]:
    """One array: 1-D is the column x0, 2-D is x0, x1, ..., structured has a column for each field."""
    with decoding(source, "npy", _ERRORS), Path(source).open("rb") as stream:
        header = _header(stream)
        _require_values(source, "npy", header, Path(source).stat().st_size - stream.tell())

        def load(key: Key, fields: Sequence[str] | None) -> np.ndarray:
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)

        def blocks(key: Key, fields: Sequence[str] | None, size: int) -> Iterator[np.ndarray]:
            stream.seek(0)
            return _blocks(stream, size)

        key: Key = () if header.dtype.names or len(header.shape) == 2 else ("x0",)
        columns, others = columns_of_arrays({key: header})
        yield array_table(source, columns, load, others, in_rows=InRows(_lengths({key: header}), blocks))


def _require_values(what: str, kind: str, header: Header, size: int) -> None:
    """Refuses an array whose header claims more values than there are bytes, before memory is taken for them."""
    claimed = math.prod(header.shape)
    if claimed * header.dtype.itemsize > size and not header.dtype.hasobject:
        raise ReadError(
            f"{what} cannot be read as {kind}: its header claims {claimed:,} values, for which {size:,} bytes are too"
            " few; is it complete?"
        )


def _lengths(headers: Mapping[Key, Header]) -> dict[Key, int]:
    """The rows of arrays that are stored row after row."""
    by_rows = {key: header for key, header in headers.items() if header.shape and header.shape[0]}
    return {key: h.shape[0] for key, h in by_rows.items() if not h.by_columns and not h.dtype.hasobject}


def _blocks(stream: IO[bytes], size: int) -> Iterator[np.ndarray]:
    """An array from its beginning, so many rows at a time."""
    header = _header(stream)
    width = math.prod(header.shape[1:]) * header.dtype.itemsize
    for start in range(0, header.shape[0], size):
        rows = min(size, header.shape[0] - start)
        data = stream.read(rows * width)
        if len(data) != rows * width:
            raise EOFError(f"row {start + len(data) // max(width, 1)} of {header.shape[0]} is the last")
        yield np.frombuffer(data, header.dtype).reshape(rows, *header.shape[1:])
    stream.read(1)  # of an archive the check sum is compared at the end


def _header(stream: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(stream)
    if version >= (3, 0) and dtype.names:  # the same header, but in UTF-8 where version 2 has Latin-1
        dtype.names = tuple(name.encode("latin1").decode("utf-8") for name in dtype.names)
    return Header(shape, dtype, by_columns and len(shape) > 1)
