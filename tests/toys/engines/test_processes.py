"""Toys on worker processes: the same ones, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from nplm.data.sample import Sample
from nplm.models.base import Model
from nplm.toys.campaign import Campaign, SamplerError
from nplm.toys.engines import processes
from nplm.toys.engines.base import EngineError
from nplm.toys.engines.processes import LocalProcesses
from nplm.toys.run import run_campaign
from nplm.toys.samplers import GeneratorSampler
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from tests.toys.programs import EDGES, QUICK, ROOT, At, Exponential, exponential_campaign


def workers_in(log: Path) -> set[int]:
    """The processes that have drawn a toy."""
    return {int(line) for line in log.read_text().split()} if log.exists() else set()


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    # A zombie has ended; whoever adopted it has not looked yet.
    return state != "Z"


# Each worker compiles the network anew.
@pytest.mark.parametrize("model", [EDGES, pytest.param(QUICK, marks=pytest.mark.slow)], ids=["histogram", "network"])
def test_workers_make_the_toys_that_one_process_makes(
    model: Model, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    log = tmp_path / "log"
    # Slow enough that no worker has done all of it before the other has started.
    campaign = exponential_campaign(Exponential(log=log, pause=0.05), model, keep_parameters=True)
    batch = 1 if model is EDGES else None
    sizes: list[int] = []
    table = run_campaign(
        campaign,
        40,
        store=tmp_path / "s",
        engine=LocalProcesses(2),
        batch=batch,
        on_toys=lambda table: sizes.append(len(table)),
    )
    # The plan's toy was drawn here.
    workers = workers_in(log) - {os.getpid()}
    assert len(workers) == 2, "each worker is started once"
    assert sizes == [1] * 40, "a worker has one core, so it fits one toy of a network at a time"
    assert_same(table, run_campaign(replace(campaign, sampler=Exponential()), 40), 1e-10)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, assert_same: Callable[..., None]) -> None:
    campaign = exponential_campaign(At(7, "kill", once=tmp_path / "killed"))
    expected = run_campaign(exponential_campaign(), 20)
    table = run_campaign(campaign, 20, batch=2, engine=LocalProcesses(2))
    assert (tmp_path / "killed").exists()
    assert_same(table, expected)


def test_workers_that_die_each_time_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_same: Callable[..., None]
) -> None:
    monkeypatch.setattr(processes, "_MOST_DEATHS", 2)
    campaign = exponential_campaign(At(3, "exit"))
    with pytest.raises(EngineError, match=r"worker processes died 2 times without finishing a batch.*memory"):
        run_campaign(campaign, 6, store=tmp_path, batch=1, engine=LocalProcesses(1))
    stored = Store.open(tmp_path).read()
    assert stored.index.tolist() == [0, 1, 2]
    # The same campaign goes on once the reason has gone.
    assert_same(run_campaign(exponential_campaign(), 6, store=tmp_path), run_campaign(exponential_campaign(), 6))


def test_a_toy_that_cannot_be_drawn_is_named_and_those_before_it_are_kept(tmp_path: Path) -> None:
    campaign = exponential_campaign(At(5, "raise"))
    with pytest.raises(SamplerError, match=r"toy 5 could not be drawn: the detector was off") as error:
        run_campaign(campaign, 12, store=tmp_path, batch=4, engine=LocalProcesses(1))
    assert error.value.toy == 5
    stored = Store.open(tmp_path).read().index.tolist()
    assert stored[:5] == [0, 1, 2, 3, 4]
    assert not {5, 6, 7} & set(stored)


def test_a_sampler_that_cannot_be_sent_is_refused(campaign: Campaign) -> None:
    nowhere = replace(campaign, sampler=GeneratorSampler(lambda rng: rng.exponential(size=300), "a lambda"))
    with pytest.raises(ValueError, match=r"cannot be sent to other processes: .*lambda.*top level of a module"):
        run_campaign(nowhere, 2, engine=LocalProcesses(1))


def test_a_sampler_that_the_workers_do_not_know_is_named(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been typed at a prompt: it can be pickled, but its module is here alone."""
    prompt = ModuleType("prompt")
    exec("class Typed:\n    def __call__(self, key): ...\n    def describe(self): return 'typed'\n", prompt.__dict__)
    monkeypatch.setitem(sys.modules, "prompt", prompt)
    with pytest.raises(EngineError, match=r"cannot rebuild the campaign: No module named 'prompt'.*can import"):
        run_campaign(replace(campaign, sampler=prompt.Typed()), 2, engine=LocalProcesses(1))


class Recorder:
    """An engine that only looks at the batches."""

    sizes: list[int]

    def run(self, campaign: Campaign, batches: list[list[int]]) -> list[ToyTable]:
        self.sizes = [len(batch) for batch in batches]
        return []


def test_a_worker_gets_the_share_of_one_core(campaign: Campaign) -> None:
    """What is best for all cores of this machine in one batch would leave the workers idle."""
    whole = campaign.test.prepared.batch_size
    engine = Recorder()
    run_campaign(campaign, whole, engine=engine)
    cores = len(processes.available_cores())
    assert max(engine.sizes) == whole // cores
    run_campaign(campaign, whole, engine=engine, batch=whole)
    assert engine.sizes == [whole]


def start_slow_campaign(folder: Path) -> tuple[subprocess.Popen[str], set[int]]:
    """A campaign of hours on two workers, once both have drawn toys."""
    log = folder / "log"
    arguments = [folder / "store", 1000, 1, 0.3, log, 2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.toys.programs", *map(str, arguments)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(workers := workers_in(log) - {process.pid}) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, workers


def require_ended(workers: set[int]) -> None:
    deadline = time.monotonic() + 20
    while running := {worker for worker in workers if alive(worker)}:
        assert time.monotonic() < deadline, f"left behind: {running}"
        time.sleep(0.1)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    process, workers = start_slow_campaign(tmp_path)
    assert all(alive(worker) for worker in workers)
    process.kill()
    process.communicate(timeout=60)
    require_ended(workers)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_quietly(tmp_path: Path) -> None:
    """A terminal sends it to all processes at once."""
    process, workers = start_slow_campaign(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    require_ended(workers)
    assert err.count("Traceback") == 1, err
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert isinstance(Store.open(tmp_path / "store", warn=pytest.fail).read(), ToyTable)


def test_a_toy_of_weights_goes_to_a_worker_and_back(campaign: Campaign) -> None:
    """The campaign that a worker prepares anew is the one that was sent."""
    received = processes._unpickled(processes.pickled(campaign))
    assert received.plan().hash == campaign.plan().hash
    assert received.run([3]).t[0] == campaign.run([3]).t[0]
    assert isinstance(received.draw(0), Sample)
