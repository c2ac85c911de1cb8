"""CPU seconds, wall seconds and compilations of a piece of work."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax

COMPILED = "/jax/core/compile/backend_compile_duration"


@dataclass
class Cost:
    """What a piece of work cost; filled in when its block ends.

    Arguments:
        cpu: CPU seconds of this process, all threads.
        wall: seconds on the clock.
        compilations: programs that XLA compiled.
        compile_seconds: seconds that took, part of `wall`.
    """

    cpu: float = 0.0
    wall: float = 0.0
    compilations: int = 0
    compile_seconds: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measures the block."""
    cost = Cost()

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            cost.compilations += 1
            cost.compile_seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield cost
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
        cost.cpu, cost.wall = time.process_time() - cpu, time.perf_counter() - wall


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
