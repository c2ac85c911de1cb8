"""Threads of BLAS: one for small matrices, and wherever t is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

# Matrices of up to so many rows are worked on by one thread.
_SMALL = 1000


@contextmanager
def blas_threads(rows: int = 0) -> Iterator[None]:
    """Work on matrices of so many rows, with one thread if they are small, as a context or a decorator.

    Threads of BLAS wait for each other in turns, at full speed. Where other processes use the cores as well, two
    threads took 0.3 CPU seconds for the eigenvalues of a 200 x 200 matrix, and one thread 0.004; where nothing else
    runs, more threads save little.

    Several threads also add numbers up in another order than one does. The modes of kernels that hardly differ make
    1e-6 of such 1e-16, so that t would depend on the number of threads: where t is made there is one, whatever the size
    of the matrices.
    """
    if rows > _SMALL:
        yield
        return
    _shared.enter()
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _shared.leave()


class _Shared:
    """One thread for libraries whose threads all callers share, until the last caller that asked for it is done.

    threadpoolctl leaves such a library to the first thread that asks, and the limit ends with that thread's, whoever
    else has asked meanwhile: toys that are fitted side by side would get one thread or several as chance has it.
    """

    def __init__(self) -> None:
        self._lock, self._within = Lock(), 0
        self._before: list[tuple[Any, int]] = []

    def enter(self) -> None:
        with self._lock:
            if self._within == 0:
                self._before = [(library, library.get_num_threads()) for library in _shared_libraries()]
                for library, _ in self._before:
                    _set_threads(library, 1)
            self._within += 1

    def leave(self) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                for library, threads in self._before:
                    _set_threads(library, threads)


_shared = _Shared()


def _shared_libraries() -> list[Any]:
    libraries = _controller().select(user_api="blas").lib_controllers
    return [library for library in libraries if getattr(library, "threading_layer", None) != "openmp"]


def _set_threads(library: Any, threads: int) -> None:
    # Newer versions of threadpoolctl ask there who the first was.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)


@cache
def _controller() -> ThreadpoolController:
    # SciPy brings a BLAS of its own, which is found once it is loaded.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()
