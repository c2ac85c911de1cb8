"""Threads of BLAS: one for small matrices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

# Matrices of up to so many rows are worked on by one thread.
_SMALL = 1000


@contextmanager
def blas_threads(rows: int = 0) -> Iterator[None]:
    """Work on matrices of so many rows, with one thread if they are small, as a context or a decorator.

    Threads of BLAS wait for each other in turns, at full speed. Where other processes use the cores as well, two
    threads took 0.3 CPU seconds for the eigenvalues of a 200 x 200 matrix, and one thread 0.004; where nothing else
    runs, more threads save little.
    """
    if rows > _SMALL:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # SciPy brings a BLAS of its own, which is found once it is loaded.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()
