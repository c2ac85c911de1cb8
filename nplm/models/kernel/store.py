"""A prepared kernel model on disk: plain arrays with a JSON header, never pickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nplm._util.arrays_file import ChangedError, read_npz, write_npz
from nplm.data.coordinates import coordinates_in
from nplm.likelihood.log_linear import Blocks
from nplm.models.base import PreparedError
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.modes import Modes
from nplm.models.kernel.quadrature_1d import Line, LineModes

_KIND = "nplm-prepared/"
SCHEMA = f"{_KIND}2"
# Without a digest of its contents, as earlier versions wrote it.
_OLDER_SCHEMA = f"{_KIND}1"


def write_prepared(path: Path, prepared: PreparedKernel, header: Mapping[str, Any]) -> None:
    """Writes a prepared kernel model as an npz file, whole or not at all.

    Arguments:
        path: the file.
        prepared: the model with its reference.
        header: JSON values that say which test it belongs to.

    Raises:
        ValueError: if the folder does not exist.
        OSError: if the file cannot be written.
    """
    modes, blocks, line = prepared.modes, prepared.blocks, prepared.line
    scalars = {
        "width": modes.width,
        "dropped": modes.dropped,
        "negative": modes.negative,
        "events": prepared.events,
        "total": prepared.total,
        "solver": prepared.solver,
        "event_weight": prepared.event_weight,
        "streamed": blocks.centers is not None,
        "line": None if line is None else vars(line.line),
    }
    arrays: dict[str, Any] = {
        "centers": modes.centers,
        "transform": modes.transform,
        "penalty": modes.penalty,
        **prepared.scaler.arrays(),
        "rows": np.asarray(blocks.x),
        "weights": np.asarray(blocks.weights),
        "expected": prepared.expected,
        "noise": prepared.noise,
    }
    if line is not None:
        arrays["line_phi"] = line.phi
    write_npz(path, {"schema": SCHEMA, **header, "kernel": scalars}, arrays)


def is_prepared(path: Path) -> bool:
    """Whether a file is one that `write_prepared` wrote, of this version or another."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(json.loads(str(file["header"]))["schema"]).startswith(_KIND)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
        return False


def read_prepared(path: Path) -> tuple[dict[str, Any], PreparedKernel]:
    """Reads what `write_prepared` wrote.

    Returns:
        The header, and the prepared model.

    Raises:
        PreparedError: if the file is something else, was changed, or cannot be read.
    """
    try:
        header, arrays = read_npz(path, SCHEMA)
        if header["schema"] not in (SCHEMA, _OLDER_SCHEMA):
            raise PreparedError(f"{path} has the schema {header['schema']}, not {SCHEMA}: prepare it anew")
        scalars = header.pop("kernel")
        modes = Modes(
            *(arrays["centers"], scalars["width"], arrays["transform"], arrays["penalty"]),
            *(scalars["dropped"], scalars["negative"]),
        )
        with jax.enable_x64(True):
            blocks = Blocks(*map(jnp.asarray, (arrays["rows"], arrays["weights"])))
            if scalars["streamed"]:
                blocks = blocks._replace(
                    centers=jnp.asarray(arrays["centers"]),
                    width=jnp.asarray(np.float64(modes.width)),
                    transform=jnp.asarray(arrays["transform"]),
                    expected=jnp.asarray(arrays["expected"]),
                )
        return header, PreparedKernel(
            modes=modes,
            scaler=coordinates_in(arrays),
            blocks=blocks,
            line=None if scalars["line"] is None else LineModes(Line(**scalars["line"]), arrays["line_phi"]),
            expected=arrays["expected"],
            noise=arrays["noise"],
            events=scalars["events"],
            total=scalars["total"],
            solver=scalars["solver"],
            event_weight=scalars.get("event_weight", 0.0),
        )
    except OSError as error:
        raise PreparedError(f"{path} cannot be read: {error.strerror or error}") from error
    except ChangedError as error:
        raise PreparedError(f"{error}: make it anew with nplm prepare") from error
    except (KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise PreparedError(f"{path} holds no prepared model: make it with nplm prepare") from error
    except ValueError as error:
        if isinstance(error, PreparedError):
            raise
        raise PreparedError(f"{path} holds no prepared model ({error}): make it with nplm prepare") from error
