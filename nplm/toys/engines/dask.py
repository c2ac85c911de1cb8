"""Toys on the workers of a Dask cluster."""

# Most functions of distributed have no annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.resource_tracker import ensure_running
from threading import Lock

try:
    import cloudpickle  # type: ignore[import-untyped]
    from distributed import (
        CancelledError,
        Client,
        Future,
        KilledWorker,
        LocalCluster,
        Security,
        Worker,
        WorkerPlugin,
        get_worker,
        wait,
    )
    from distributed.comm.core import connect
except ImportError as error:
    raise ImportError(
        f"{error}: the Dask engine needs dask and distributed; pip install 'nplm-jax[cluster]'"
    ) from error

from nplm._util.cores import available_cores
from nplm.toys.campaign import Campaign
from nplm.toys.engines.base import Batch, EngineError
from nplm.toys.table import ToyTable

# Batches that are submitted for each thread of the workers: one that runs, and one so that none is idle. The scheduler
# keeps something of each, and has to forget it after Ctrl-C, so a million at once would be a burden.
_AHEAD = 2
# How often, in seconds, workers that have joined or left are looked for while no batch is finished.
_LOOK = 2.0
# What a campaign that cannot be loaded on a worker needs.
_REMEDY = (
    "all that the toys need must be importable on the workers: install it where they run, set PYTHONPATH to its folder"
    " before they start, or send a module with client.upload_file()"
)


@dataclass(frozen=True)
class DaskWorkers:
    """Runs the toys on the workers of a Dask cluster; a worker that dies or joins in mid-campaign loses nothing.

    Arguments:
        cluster: a client of `dask.distributed`, which stays open; the address of a scheduler; or None to start workers
            on this machine, each a process with one thread, bound to one core.
        workers: number of workers to start on this machine; default: one for each core.
        timeout: seconds to wait for the scheduler at an address.
        notify: told when toys wait because the cluster has no workers.
    """

    cluster: Client | str | None = None
    workers: int | None = None
    timeout: float = 10.0
    notify: Callable[[str], None] = lambda message: None

    def run(self, campaign: Campaign, batches: Sequence[Batch]) -> Iterator[ToyTable]:
        """See `Engine.run`.

        Raises:
            ValueError: if the campaign cannot be pickled, or the client is closed or asynchronous.
            EngineError: if the scheduler is out of reach, the workers cannot load the campaign, or die again and again.
        """
        if not batches:
            return
        plugin = _Preparation(_payload(campaign), bind=self.cluster is None)
        with self._client(len(batches)) as client:
            try:
                with _registered(client, plugin):
                    yield from self._rounds(client, plugin.name, batches)
            except KilledWorker as error:
                raise EngineError(
                    f"{error.allowed_failures + 1} workers died while they ran the same toys (the last one was"
                    f" {error.last_worker.address}): most likely their memory is too small, or the batch system ended"
                    " them. Their logs say more; use smaller batches, or give each worker more memory or time"
                ) from error
            except (CancelledError, OSError) as error:
                raise EngineError(f"the connection to the Dask scheduler was lost ({_one_line(error)})") from error

    def _rounds(self, client: Client, name: str, batches: Sequence[Batch]) -> Iterator[ToyTable]:
        """Keeps the workers busy, and yields toys as they are finished."""
        waiting = iter(batches)
        running: set[Future] = set()
        told = False
        try:
            while True:
                threads = sum(client.nthreads().values())
                if not threads and not told:
                    self.notify("the Dask cluster has no workers yet; the toys wait for them")
                    told = True
                for batch in islice(waiting, max(0, _AHEAD * max(1, threads) - len(running))):
                    # Not pure: a key of the arguments' hash would find results of another campaign of that name.
                    running.add(client.submit(_run, name, tuple(batch), pure=False))
                if not running:
                    return
                with suppress(TimeoutError), client.as_current():
                    wait(running, timeout=_LOOK, return_when="FIRST_COMPLETED")
                # An error ends all, so it comes after the toys that are there.
                finished = sorted((f for f in running if f.done()), key=lambda f: f.status == "error")
                for future in finished:
                    table = future.result()
                    running.remove(future)
                    future.release()
                    yield table
        finally:
            client.cancel(list(running))

    @contextmanager
    def _client(self, batches: int) -> Iterator[Client]:
        if isinstance(self.cluster, Client):
            if self.cluster.asynchronous or self.cluster.status == "closed":
                raise ValueError(
                    "the Dask client is closed or asynchronous: give an open one without asynchronous=True"
                )
            yield self.cluster
        elif self.cluster is not None:
            _require_scheduler(self.cluster, self.timeout)
            with Client(self.cluster, timeout=self.timeout, set_as_default=False) as client:
                yield client
        else:
            with (
                _local_cluster(min(self.workers or len(available_cores()), batches)) as cluster,
                Client(cluster, set_as_default=False) as client,
            ):
                yield client


class _Preparation(WorkerPlugin):
    """Brings the campaign to each worker, those that join later too; its first toys unpickle and so prepare it."""

    def __init__(self, payload: bytes, bind: bool) -> None:
        self.payload, self.bind = payload, bind
        self.name = f"nplm-{secrets.token_hex(8)}"

    def setup(self, worker: Worker) -> None:
        """Binds a worker of this machine to a core, before JAX starts and counts the cores."""
        self._lock = Lock()
        self._campaign: Campaign | None = None
        if not self.bind:
            return
        # They tell of each toy and heartbeat under way when workers are ended, as after Ctrl-C. What goes wrong in a
        # toy comes back as its exception.
        for name in ("distributed.worker", "distributed.worker.state_machine"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if hasattr(os, "sched_setaffinity"):
            cores = available_cores()
            # The workers of a LocalCluster are numbered.
            os.sched_setaffinity(0, {cores[int(worker.name) % len(cores)]})

    def campaign(self) -> Campaign:
        """The campaign, prepared once in this process."""
        # Not in setup: that runs in the thread that answers the scheduler, which would take the worker for dead.
        with self._lock:
            if self._campaign is None:
                self._campaign = pickle.loads(self.payload)
            return self._campaign


def _run(name: str, batch: Batch) -> ToyTable:
    """Runs a batch on a worker."""
    worker = get_worker()
    preparation = worker.plugins[name]
    assert isinstance(preparation, _Preparation)
    try:
        campaign = preparation.campaign()
    except Exception as error:  # whatever it is, it happens to each batch on this worker
        raise EngineError(
            f"the worker {worker.address} cannot load the campaign: {_one_line(error)}; {_REMEDY}"
        ) from error
    return campaign.run(batch)


@contextmanager
def _registered(client: Client, plugin: _Preparation) -> Iterator[None]:
    """Gives the workers a plugin, and takes it away again."""
    try:
        try:
            client.register_plugin(plugin, name=plugin.name)
        except OSError:  # no worker's fault
            raise
        except Exception as error:  # Dask hands on a worker's ImportError as a bare Exception
            raise EngineError(f"a worker cannot load nplm: {_one_line(error)}; {_REMEDY}") from error
        yield
    finally:
        if not plugin.bind:  # workers of this process end with the campaign
            with suppress(Exception):  # a scheduler that is gone has forgotten it
                client.unregister_worker_plugin(plugin.name)


@contextmanager
def _local_cluster(workers: int) -> Iterator[LocalCluster]:
    """Workers on this machine, which Ctrl-C does not reach: this process ends them."""
    with _without_interrupts():
        # Any free port: None would be the usual one, and a warning if another campaign has it.
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
        )
    try:
        yield cluster
    finally:
        # They tell of workers, and of calls, that are ended with a toy under way, as after Ctrl-C.
        loggers = [logging.getLogger(name) for name in ("distributed.nanny", "tornado.application")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        cluster.close()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Makes Ctrl-C wait; processes and threads that begin meanwhile never get it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    ensure_running()  # the first process would start it, and let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _payload(campaign: Campaign) -> bytes:
    """The campaign as the workers receive it; functions of the main script and lambdas travel with it.

    Raises:
        ValueError: if it cannot be sent.
    """
    try:
        return cloudpickle.dumps(campaign)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the campaign cannot be sent to the Dask workers: {_one_line(error)}. Its sampler and model must not hold"
            " open files, locks, connections or generators: let them open or make these when they are called"
        ) from error


def _require_scheduler(address: str, timeout: float) -> None:
    """Returns if a Dask scheduler answers.

    Client() itself waits for ever, or leaves its threads behind, where something else answers or an address is wrong.

    Raises:
        EngineError: if none answers.
    """

    async def ask() -> None:
        arguments = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=timeout, **arguments), timeout)
        comm.abort()

    try:
        # In a thread: a notebook has a running event loop in its own.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, ask()).result()
    except Exception as error:
        raise EngineError(
            f"no Dask scheduler answers at '{address}' within {timeout:g} s: start one with `dask scheduler`, and give"
            " its address as it prints it (tcp://HOST:PORT)"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
