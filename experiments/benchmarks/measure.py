"""CPU seconds, wall seconds and compilations of a piece of work."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
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
    running = True

    def listen(event: str, seconds: float, **_: object) -> None:
        if running and event == COMPILED:
            cost.compilations += 1
            cost.compile_seconds += seconds

    # JAX has no way to take one listener back, so it is switched off instead.
    jax.monitoring.register_event_duration_secs_listener(listen)
    cpu, wall = time.process_time(), time.perf_counter()
    yield cost
    cost.cpu, cost.wall = time.process_time() - cpu, time.perf_counter() - wall
    running = False


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
