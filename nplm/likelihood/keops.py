"""Kernel products by KeOps: float64, no row of the kernel matrix is ever held, and on a GPU if KeOps finds one.

It serves the sums of kernels over events, sum_e v_e k(x_e, c), from which samples enter a fit, and over centres,
sum_c a_c k(x, c), which make f. The modes of the reference, its second moments and the loss are matrix products with
many columns, and stay with XLA: there a pass of the loss by KeOps took five times as long on a CPU.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64

Engine = Literal["xla", "keops"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

Reduction = Callable[..., Float64[np.ndarray, "rows 1"]]


def require_engine(engine: str) -> None:
    """Looks whether an engine is there, before any work.

    Raises:
        ValueError: if there is none of that name, or KeOps is not installed.
    """
    if engine not in ENGINES:
        raise ValueError(f"kernels are summed by the engine {' or '.join(ENGINES)}, not '{engine}'")
    if engine == "keops" and find_spec("pykeops") is None:
        raise ValueError('the engine keops needs pykeops: pip install "nplm-jax[keops]", or take the engine xla')


def keops_sum(
    events: Float64[np.ndarray, "n d"],
    weights: Float64[np.ndarray, " n"],
    centers: Float64[np.ndarray, "c d"],
    width: float,
) -> Float64[np.ndarray, " c"]:
    """sum_e v_e k(x_e, c) for each centre, shape (c,)."""
    return _sums(centers, events, weights, width)


def keops_product(
    events: Float64[np.ndarray, "n d"],
    coefficients: Float64[np.ndarray, " c"],
    centers: Float64[np.ndarray, "c d"],
    width: float,
) -> Float64[np.ndarray, " n"]:
    """sum_c a_c k(x, c) for each event, shape (n,)."""
    return _sums(events, centers, coefficients, width)


def _sums(at: np.ndarray, over: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    if len(at) == 0 or len(over) == 0:
        return np.zeros(len(at))
    scale = 1 / (np.sqrt(2) * width)
    columns = np.ascontiguousarray(values[:, None], dtype=np.float64)
    return compiled(at.shape[1])(np.ascontiguousarray(at * scale), np.ascontiguousarray(over * scale), columns)[:, 0]


@cache
def compiled(dimension: int) -> Reduction:
    """sum_j v_j exp(-|x_i - y_j|^2) for so many features; KeOps compiles it at its first use on a machine, in seconds.

    Raises:
        ValueError: if KeOps cannot be loaded, or has no compiler that works.
    """
    said = StringIO()
    try:
        with _alone(), redirect_stdout(said):
            from pykeops.numpy import Genred

            # KeOps writes its tables when the process ends: what is registered later is called earlier.
            atexit.unregister(_lock)
            atexit.register(_lock)
            variables = [f"x = Vi({dimension})", f"y = Vj({dimension})", "v = Vj(1)"]
            reduction: Reduction = Genred("Exp(-SqDist(x, y)) * v", variables, reduction_op="Sum", axis=1)
            reduction(*(np.zeros((1, columns)) for columns in (dimension, dimension, 1)))
    except (ImportError, OSError, EOFError, UnpicklingError) as error:
        words = " ".join((said.getvalue() or str(error)).split())
        raise ValueError(
            f"KeOps cannot compile its kernels ({words}): install a C++ compiler such as g++, or empty the cache of"
            f" KeOps in {_folder()}, or take the engine xla"
        ) from error
    return reduction


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time: KeOps writes sources, libraries and tables where other processes read them."""
    lock = _lock()
    try:
        yield
    finally:
        os.close(lock)


def _lock() -> int:
    """Waits for the lock, which is given back when the descriptor is closed, or the process ends."""
    import fcntl

    _folder().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_folder() / "nplm-keops.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _folder() -> Path:
    """Where KeOps keeps what it compiled."""
    return Path(os.environ.get("KEOPS_CACHE_FOLDER") or Path.home() / ".cache")
