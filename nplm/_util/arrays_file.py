"""Arrays with a header of JSON values in one npz file, and a digest of both; never pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nplm._util.files import atomic_path

_HEADER, _DIGEST = "header", "digest"


class ChangedError(ValueError):
    """Raised when a file does not hold what was written."""


def write_npz(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes a file whole or not at all.

    Arguments:
        path: the file.
        header: JSON values.
        arrays: by name.

    Raises:
        ValueError: if the folder does not exist.
        OSError: if the file cannot be written.
    """
    text = json.dumps(header, allow_nan=False)
    values = {name: np.asarray(array) for name, array in arrays.items()}
    digest = np.array(_digest(text, values))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{_HEADER: np.array(text), _DIGEST: digest}, **values)  # type: ignore[arg-type]


def read_npz(path: str | Path, *schemas: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads what `write_npz` wrote.

    Arguments:
        path: the file.
        schemas: those of the headers of files with a digest; others, such as those of earlier versions, have none.

    Returns:
        The header, and the arrays by name.

    Raises:
        ChangedError: if the file was changed since it was written.
        OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile: if it is another file.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    text = str(arrays.pop(_HEADER))
    header: dict[str, Any] = json.loads(text)
    digest = arrays.pop(_DIGEST, None)
    if header["schema"] in schemas and (digest is None or str(digest) != _digest(text, arrays)):
        raise ChangedError(f"{path} was changed: its contents are not those that were written")
    return header, arrays


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the header and of every value, as hexadecimal digits."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
