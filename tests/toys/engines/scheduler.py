"""What the scheduler of Dask knows, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import distributed


def tasks_known(client: distributed.Client) -> int:
    """How many tasks the scheduler knows of."""
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))


def tasks_left(client: distributed.Client) -> int:
    """How many tasks the scheduler knows of, once it has had time to forget those that nobody wants."""
    end = time.monotonic() + 5
    while (known := tasks_known(client)) and time.monotonic() < end:
        time.sleep(0.05)
    return known


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)
