"""Toys on Dask workers: the same as in this process, whatever happens to the workers; clear words when it cannot be."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.model import NetworkModel
from nplm.optimize.adam import Adam
from nplm.toys.campaign import Campaign, SamplerError
from nplm.toys.engines.base import EngineError
from nplm.toys.run import run_campaign
from nplm.toys.samplers import GeneratorSampler, Sampler, ToyKey, generator
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from tests.toys.engines.scheduler import tasks_known, tasks_left, wait_until

distributed = pytest.importorskip("distributed")

from nplm.toys.engines.dask import DaskWorkers, _payload, _Preparation  # noqa: E402

ROOT = Path(__file__).parents[3]
# Seconds that a worker may take to start: a machine of which others take a part took more than 30.
SLOW_START = 240
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@dataclass(frozen=True)
class Draw:
    """Draws a toy after a while, and writes down where: a line for each toy."""

    log: Path
    seconds: float = 0.0
    bad: tuple[int, ...] = ()
    deadly: bool = False

    def __call__(self, key: ToyKey) -> Sample:
        time.sleep(self.seconds)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        with self.log.open("a") as log:
            log.write(f"{os.getpid()} {cores}\n")
        if tuple(jax.random.key_data(key).tolist()) == self.bad:
            raise RuntimeError("out of events")
        if self.deadly and threading.current_thread() is not threading.main_thread():
            os.kill(os.getpid(), signal.SIGKILL)
        rng = generator(key)
        return Sample(rng.exponential(size=rng.poisson(100)), features=("x",), name="toy")

    def describe(self) -> str:
        return "slow toys"

    @property
    def lines(self) -> list[tuple[int, str]]:
        """Process and cores of each toy."""
        words = [line.split(maxsplit=1) for line in self.log.read_text().splitlines()]
        return [(int(process), cores) for process, cores in words]

    @property
    def processes(self) -> set[int]:
        return {process for process, _ in self.lines}


@dataclass(frozen=True)
class Counted(NetworkModel):
    """Writes down each process that prepares it."""

    log: Path = Path(os.devnull)

    def prepare(self, reference: Sample, scaler: Scaler) -> PreparedNetwork:
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        return super().prepare(reference, scaler)


def reference() -> Sample:
    return Sample(np.random.default_rng(1).exponential(size=1000), np.full(1000, 0.1), ("x",), "reference")


def campaign_of(sampler: Sampler) -> Campaign:
    return Campaign(NPLMTest(reference(), HistogramModel(bins=5)), sampler, seed=3)


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    log = tmp_path / "draws"
    log.touch()
    return Draw(log)


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    """Two workers in processes of their own, which the tests share."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: distributed.LocalCluster) -> Iterator[distributed.Client]:
    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def both_workers(cluster: distributed.LocalCluster, client: distributed.Client) -> None:
    """Waits until the nanny has replaced a worker that an earlier test killed."""
    client.wait_for_workers(2, timeout=SLOW_START)


@pytest.mark.slow
def test_workers_of_this_machine_have_a_core_each_and_prepare_once(draw: Draw, tmp_path: Path) -> None:
    log = tmp_path / "prepared"
    test = NPLMTest(reference(), Counted((2,), 3.0, optimizer=Adam(epochs=2000), log=log))
    campaign = Campaign(test, replace(draw, seconds=0.2), seed=3)
    here = campaign.run(range(8))
    assert np.isfinite(here.t).all()
    log.unlink()
    draw.log.write_text("")
    there = run_campaign(campaign, 8, engine=DaskWorkers(workers=2), batch=1)
    assert same(here, there)
    assert len(draw.processes - {os.getpid()}) == 2
    assert sorted(log.read_text().split()) == sorted(str(process) for process in draw.processes)
    if hasattr(os, "sched_getaffinity"):
        assert all(len(json.loads(cores)) == 1 for _, cores in draw.lines)
        assert len({cores for _, cores in draw.lines}) == min(2, CORES)


def test_threads_of_a_worker_share_what_was_prepared(tmp_path: Path) -> None:
    log = tmp_path / "prepared"
    campaign = Campaign(NPLMTest(reference(), Counted((2,), 3.0, log=log)), Draw(tmp_path / "draws"))
    preparation = _Preparation(_payload(campaign), bind=False)
    preparation.setup(None)
    log.unlink()
    with ThreadPoolExecutor(4) as pool:
        campaigns = list(pool.map(lambda _: preparation.campaign(), range(4)))
    assert len(log.read_text().splitlines()) == 1
    assert all(c is campaigns[0] for c in campaigns)


def test_client_stays_open_and_is_left_clean(client: distributed.Client, draw: Draw) -> None:
    campaign = campaign_of(draw)
    assert same(run_campaign(campaign, 30, engine=DaskWorkers(client), batch=4), campaign.run(range(30)))
    assert client.status == "running"
    plugins = client.run(lambda dask_worker: list(dask_worker.plugins)).values()
    assert not [name for names in plugins for name in names if name.startswith("nplm")]
    assert tasks_left(client) == 0


def test_lambdas_travel(client: distributed.Client) -> None:
    toys = GeneratorSampler(lambda rng: rng.exponential(size=50), "a lambda", ("x",))
    table = run_campaign(campaign_of(toys), 4, engine=DaskWorkers(client), batch=1)
    assert table.total_weight.tolist() == [50] * 4


@pytest.mark.usefixtures("both_workers")
def test_a_killed_worker_loses_nothing(client: distributed.Client, draw: Draw, tmp_path: Path) -> None:
    campaign, killed = campaign_of(replace(draw, seconds=0.05)), list[int]()

    def kill_one(table: ToyTable) -> None:
        if not killed:
            # The plan's toy was drawn in this process.
            killed.append(min(draw.processes - {os.getpid()}))
            os.kill(killed[0], signal.SIGKILL)

    table = run_campaign(campaign, 30, store=tmp_path / "store", engine=DaskWorkers(client), batch=2, on_toys=kill_one)
    uninterrupted = run_campaign(campaign, 30, store=tmp_path / "other")
    assert same(table, uninterrupted)
    assert same(Store.open(tmp_path / "store").read(), uninterrupted)


def test_workers_that_join_late_are_used(draw: Draw) -> None:
    notes: list[str] = []
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def start_one(note: str) -> None:
            notes.append(note)
            cluster.scale(1)

        def start_another(table: ToyTable) -> None:
            if len(cluster.worker_spec) == 1:
                cluster.scale(2)
                client.wait_for_workers(2, timeout=SLOW_START)

        campaign = campaign_of(replace(draw, seconds=0.05))
        table = run_campaign(campaign, 20, engine=DaskWorkers(client, notify=start_one), batch=1, on_toys=start_another)
    assert len(table) == 20
    assert len(draw.processes) == 2
    assert notes == ["the Dask cluster has no workers yet; the toys wait for them"]


@pytest.mark.usefixtures("both_workers")
def test_few_batches_are_submitted_ahead(client: distributed.Client, draw: Draw) -> None:
    known: list[int] = []
    run_campaign(
        campaign_of(draw), 60, engine=DaskWorkers(client), batch=1, on_toys=lambda _: known.append(tasks_known(client))
    )
    assert 1 <= max(known) <= 10


def test_a_toy_that_cannot_be_drawn_is_named(client: distributed.Client, draw: Draw, tmp_path: Path) -> None:
    bad = jax.random.fold_in(jax.random.key(3), 12)
    campaign = campaign_of(replace(draw, bad=tuple(jax.random.key_data(bad).tolist())))
    with pytest.raises(SamplerError, match=r"^toy 12 could not be drawn: out of events"):
        run_campaign(campaign, 40, store=tmp_path / "store", engine=DaskWorkers(client), batch=1)
    stored = Store.open(tmp_path / "store").read()
    # At most four are submitted before one of them is finished.
    assert len(stored) >= 9
    assert 12 not in stored.index
    assert same(stored, campaign.run(stored.index.tolist()))
    assert tasks_left(client) == 0


def test_a_toy_that_kills_its_workers_ends_the_campaign(
    cluster: distributed.LocalCluster, client: distributed.Client, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(EngineError, match=r"^1 workers died while .* memory is too small"):
        run_campaign(campaign_of(replace(draw, deadly=True)), 1, engine=DaskWorkers(client))


@pytest.mark.usefixtures("both_workers")
def test_a_module_that_the_workers_lack_is_named(
    client: distributed.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def generate(rng):\n    return rng.exponential(size=50)\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("only_here")
    campaign = campaign_of(GeneratorSampler(module.generate, "a function of a module", ("x",)))
    with pytest.raises(EngineError, match=r"cannot load the campaign: No module named 'only_here'.*PYTHONPATH"):
        run_campaign(campaign, 4, engine=DaskWorkers(client))


def test_a_worker_without_nplm_is_named(
    client: distributed.Client, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def register(*arguments: object, **options: object) -> None:
        # What Dask 2026.8 raised for a worker in another environment.
        raise Exception("ModuleNotFoundError(\"No module named 'nplm'\")")

    monkeypatch.setattr(client, "register_plugin", register)
    with pytest.raises(EngineError, match=r"^a worker cannot load nplm: .*No module named 'nplm'.*install it"):
        run_campaign(campaign_of(draw), 4, engine=DaskWorkers(client))


def test_a_closed_client_is_refused(cluster: distributed.LocalCluster, draw: Draw) -> None:
    with distributed.Client(cluster, set_as_default=False) as client:
        pass
    with pytest.raises(ValueError, match="closed or asynchronous"):
        run_campaign(campaign_of(draw), 4, engine=DaskWorkers(client))


def test_a_campaign_that_cannot_be_sent_is_refused(client: distributed.Client) -> None:
    lock = threading.Lock()
    toys = GeneratorSampler(lambda rng: [lock.locked()], "holds a lock", ("x",))
    with pytest.raises(ValueError, match=r"cannot be sent to the Dask workers: cannot pickle '_thread.lock' object"):
        run_campaign(campaign_of(toys), 4, engine=DaskWorkers(client))


def test_leaving_early_cancels_what_waits(client: distributed.Client, draw: Draw) -> None:
    engine = DaskWorkers(client)
    toys = engine.run(campaign_of(replace(draw, seconds=0.2)), [[i] for i in range(50)])
    next(toys)
    assert tasks_known(client) > 0
    toys.close()
    assert tasks_left(client) == 0
    assert len(draw.lines) < 10


@pytest.mark.parametrize("address", ["closed", "silent", "no port", "no-scheme://127.0.0.1:1", ""])
def test_a_scheduler_out_of_reach_is_named(
    address: str, draw: Draw, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if address == "closed":
            server.close()
        if address in ("closed", "silent"):
            address = f"tcp://127.0.0.1:{port}"
        campaign = campaign_of(draw)
        capfd.readouterr()
        began = time.monotonic()
        with pytest.raises(EngineError, match=re.escape(f"no Dask scheduler answers at '{address}'")):
            run_campaign(campaign, 4, engine=DaskWorkers(address, timeout=0.5))
    assert time.monotonic() - began < 3
    assert capfd.readouterr().err == ""
    assert not recwarn.list


def test_a_scheduler_at_an_address_that_dies(draw: Draw, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    options = ["--no-dashboard", "--host", "127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as log:
        scheduler, worker = (
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--scheduler-file", str(file), *more],
                env=environment,
                stderr=log,
            )
            for what, more in (("scheduler", ["--port", "0"]), ("worker", ["--nthreads", "1", "--no-nanny"]))
        )
    try:
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]

        def kill_scheduler(table: ToyTable) -> None:
            scheduler.kill()
            scheduler.wait()

        campaign = campaign_of(replace(draw, seconds=0.1))
        engine = DaskWorkers(address, timeout=1)
        with pytest.raises(EngineError, match=r"^the connection to the Dask scheduler was lost"):
            run_campaign(campaign, 50, store=tmp_path / "store", engine=engine, batch=1, on_toys=kill_scheduler)
        assert draw.processes - {os.getpid()} == {worker.pid}
        assert 1 <= len(Store.open(tmp_path / "store").read()) < 50
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def test_interrupt_ends_the_workers_quietly(draw: Draw, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(
        "from tests.toys.engines.test_dask import *\n"
        "if __name__ == '__main__':\n"
        "    campaign = campaign_of(Draw(Path(sys.argv[1]), 0.3))\n"
        "    try:\n"
        "        run_campaign(campaign, 1000, store=sys.argv[2], engine=DaskWorkers(workers=2), batch=1)\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(file), str(draw.log), str(tmp_path / "store")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # The first toys of each worker wait for its compilation, so lines of drawn toys are no sign of stored ones.
        wait_until(lambda: len(draw.lines) > 5 and len(Store.open(tmp_path / "store").read()) > 0)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == ""
    assert not [worker for worker in draw.processes if Path(f"/proc/{worker}").exists()]
    assert len(Store.open(tmp_path / "store").read()) >= 1


def test_without_dask_the_package_works_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, nplm.toys.run, nplm.cli.commands.toys.run; print('distributed' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "False"
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "nplm.toys.engines.dask")
    with pytest.raises(ImportError, match=r"pip install 'nplm-jax\[cluster\]'"):
        importlib.import_module("nplm.toys.engines.dask")


def same(one: ToyTable, two: ToyTable) -> bool:
    return one.index.tolist() == two.index.tolist() and np.allclose(one.t, two.t, rtol=1e-10, atol=1e-10)
