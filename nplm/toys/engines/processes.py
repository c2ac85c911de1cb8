"""Toys on several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_connection
from multiprocessing.queues import SimpleQueue

from nplm._util.cores import available_cores
from nplm.toys.campaign import Campaign, SamplerError
from nplm.toys.engines.base import Batch, EngineError
from nplm.toys.table import ToyTable

# Batches that wait in line for each worker, so that none is idle.
_AHEAD = 2
# How often in a row a dead worker is replaced before a single batch has been finished.
_MOST_DEATHS = 3


@dataclass(frozen=True)
class LocalProcesses:
    """Runs the toys in processes of their own, each bound to one core and so to one thread.

    A worker that dies (the system kills it for its memory, say) is replaced, and its batch is run again.

    Arguments:
        workers: number of processes; default: one for each core that this process may use.
    """

    workers: int | None = None

    def run(self, campaign: Campaign, batches: Sequence[Batch]) -> Iterator[ToyTable]:
        """See `Engine.run`; a campaign that cannot be pickled is refused."""
        payload = pickled(campaign)
        left = [tuple(batch) for batch in batches]
        deaths = 0
        while left:
            try:
                for done, table in self._rounds(payload, tuple(left)):
                    left.remove(done)
                    deaths = 0
                    yield table
            except BrokenProcessPool:
                deaths += 1
                if deaths == _MOST_DEATHS:
                    raise EngineError(
                        f"worker processes died {deaths} times without finishing a batch: most likely the memory is"
                        " too small for so many; use fewer workers or smaller batches. (A script that starts them must"
                        " do so under `if __name__ == '__main__':`)"
                    ) from None

    def _rounds(self, payload: bytes, batches: Sequence[tuple[int, ...]]) -> Iterator[tuple[tuple[int, ...], ToyTable]]:
        """Runs the batches with one set of workers, and yields each with its toys."""
        cores = available_cores()
        workers = min(self.workers or len(cores), len(batches))
        context = multiprocessing.get_context("spawn")
        free_cores: SimpleQueue[int] = context.SimpleQueue()
        for worker in range(workers):
            free_cores.put(cores[worker % len(cores)])
        waiting = iter(batches)
        running: dict[Future[ToyTable], tuple[int, ...]] = {}
        failures: list[SamplerError] = []
        pool = ProcessPoolExecutor(workers, context, _begin, (payload, free_cores))
        try:
            while True:
                while not failures and len(running) < _AHEAD * workers and (batch := next(waiting, None)) is not None:
                    running[pool.submit(_run, batch)] = batch
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    batch = running.pop(future)
                    try:
                        table = future.result()
                    except SamplerError as error:  # the batches under way are finished first
                        failures.append(error)
                    else:
                        yield batch, table
            if failures:
                raise min(failures, key=lambda error: error.toy)
        finally:
            for process in list((pool._processes or {}).values()) if running else []:
                process.terminate()
            pool.shutdown(cancel_futures=True)


def pickled(campaign: Campaign) -> bytes:
    """The campaign as other processes receive it.

    Raises:
        SamplerError: if its sampler or model cannot be sent.
    """
    try:
        return pickle.dumps(campaign)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SamplerError(
            f"the campaign cannot be sent to other processes: {error}. Define its sampler and its functions at the top"
            " level of a module, not inside a function or as a lambda"
        ) from error


class _Worker:
    """What a worker process keeps from batch to batch."""

    payload: bytes
    campaign: Campaign | None = None


def _begin(payload: bytes, free_cores: SimpleQueue[int]) -> None:
    """Binds the worker to a core before JAX counts them."""
    # Ctrl-C reaches all processes of a terminal; the parent ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {free_cores.get()})
    _Worker.payload = payload


def _die_with_parent() -> None:
    """Ends a worker whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_connection([parent.sentinel])
        os._exit(1)


def _run(batch: Batch) -> ToyTable:
    if _Worker.campaign is None:
        _Worker.campaign = _unpickled(_Worker.payload)
    return _Worker.campaign.run(batch)


def _unpickled(payload: bytes) -> Campaign:
    """The campaign, prepared here.

    Raises:
        EngineError: if this process does not find what the campaign is made of.
    """
    try:
        campaign: Campaign = pickle.loads(payload)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"a worker process cannot rebuild the campaign: {error}. Define its sampler and its functions in a module"
            " that the workers can import, not at a prompt"
        ) from error
    return campaign
