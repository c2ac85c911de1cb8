"""Refuses to compute in a process that was forked from one in which JAX runs: it would wait for ever for a lock."""

from __future__ import annotations

import os
from functools import cache


@cache
def _process_that_started() -> int:
    """The process that first computed with JAX for us; a fork inherits the answer."""
    return os.getpid()


def require_not_forked() -> None:
    """Before anything is computed with JAX.

    Raises:
        RuntimeError: if this process was forked after its parent had computed.
    """
    if _process_that_started() != os.getpid():
        raise RuntimeError(
            "this process was forked from one in which JAX runs, whose threads it lacks, and would hang: start"
            " processes with multiprocessing.get_context('spawn'), or use nplm.toys.LocalProcesses"
        )
