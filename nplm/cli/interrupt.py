"""Ctrl-C, and SIGTERM, with which batch systems end a job: interrupts that are not lost."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_came = False


@contextmanager
def interrupts() -> Iterator[None]:
    """Both signals raise KeyboardInterrupt; one that is ignored by this process stays ignored.

    Python prints and drops what is raised in a callback of its garbage collector, and JAX has one. So they are noted as
    well, see `raise_if_interrupted`, and not printed.
    """
    global _came
    _came = False
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    hook = sys.unraisablehook
    sys.unraisablehook = lambda dropped: None if dropped.exc_type is KeyboardInterrupt else hook(dropped)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def raise_if_interrupted() -> None:
    """Raises the interrupt that came, if it was dropped: to be called where nothing is half done.

    Raises:
        KeyboardInterrupt: once.
    """
    global _came
    if _came:
        _came = False
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
