"""The programs of docs/clusters on a real SLURM, whose jobs are preempted, cancelled and killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store
from nplm.toys.table import ToyTable
from tests.slurm.cluster import SlurmCluster, wait_until

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "clusters"
TASKS, TOYS = 4, 20
# A job needs a quarter of a minute to start and to compile, and more where it shares its core.
LONG = 600.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reference.npz, which jobs see, and with the toys that this machine makes without SLURM."""
    folder = tmp_path_factory.mktemp("toys")
    rng = np.random.default_rng(1)
    np.savez(folder / "reference.npz", x=rng.exponential(size=500), weight=np.full(500, 0.1))
    options = ["--reference", "reference.npz", "--weights", "weight", "--clip", "7", "--toys", str(TOYS), "--seed", "1"]
    command = [sys.executable, "-m", "nplm", "toys", "run", *options, "--batch", "1", "--quiet", "-o", "local"]
    subprocess.run(command, cwd=folder, env={**os.environ, **variables()}, check=True)
    return folder


def variables() -> dict[str, str]:
    """An environment in which `nplm` and `python` are those that are tested."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "NPROC": "1"}


def stored(store: Path) -> ToyTable:
    """The toys of a store, which may not be there yet; a part that cannot be read fails the test."""
    return Store.open(store, pytest.fail).read() if (store / CAMPAIGN_FILE).exists() else ToyTable.empty()


def task_of(toys: ToyTable) -> list[int]:
    """The task of the array that runs each toy."""
    return (toys.index % TASKS + 1).tolist()


def require_same(folder: Path, store: str) -> None:
    """Demands that a store holds the toys made without SLURM, each once."""
    local, there = stored(folder / "local"), stored(folder / store)
    assert there.index.tolist() == local.index.tolist() == list(range(TOYS))
    np.testing.assert_allclose(there.t, local.t, rtol=0, atol=1e-9)
    rows = np.concatenate([ToyTable.read(part).index for part in (folder / store).glob(PARTS)])
    assert len(rows) == TOYS, "a toy was run twice"


def test_an_array_of_which_one_job_is_preempted_and_one_cancelled(slurm: SlurmCluster, folder: Path) -> None:
    store, settings = folder / "null", {**variables(), "SHARES": str(TASKS), "TOYS": str(TOYS)}

    def submit(tasks: str) -> str:
        words = ("sbatch", "--parsable", f"--array={tasks}", str(SCRIPTS / "slurm_array.sh"))
        return slurm.run(*words, cwd=folder, **settings).strip()

    job = submit(f"1-{TASKS}")
    for task, command in ((1, ("scontrol", "requeue")), (2, ("scancel",))):
        wait_until(lambda task=task: task in task_of(stored(store)), f"job {task} has stored a toy", LONG)
        slurm.run(*command, f"{job}_{task}")
    # SLURM would wait two minutes before it starts the preempted job again.
    wait_until(lambda: f"{job}_1" in slurm.jobs("--states=PENDING"), "the preempted job waits")
    slurm.run("scontrol", "update", f"JobId={job}_1", "StartTime=now")
    wait_until(lambda: not slurm.jobs(f"--jobs={job}"), "the array is done", LONG)
    assert "Restarts=1" in slurm.run("scontrol", "show", "job", f"{job}_1")
    assert "JobState=CANCELLED" in slurm.run("scontrol", "show", "job", f"{job}_2")
    there = task_of(stored(store))
    assert [there.count(task) for task in (1, 3, 4)] == [TOYS // TASKS] * 3
    assert 1 <= there.count(2) < TOYS // TASKS
    again = submit("2")
    wait_until(lambda: not slurm.jobs(f"--jobs={again}"), "the cancelled share is done", LONG)
    require_same(folder, "null")


def test_dask_of_which_one_worker_is_killed(slurm: SlurmCluster, folder: Path) -> None:
    words = ["--reference", "reference.npz", "--toys", str(TOYS), "--jobs", "2", "--store", "dask"]
    before = slurm.jobs("--states=all")
    program = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "slurm_dask.py"), *words],
        cwd=folder,
        env={**slurm.environment, **variables()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(stored(folder / "dask")) >= 2 or program.poll() is not None, "toys are stored", LONG)
        assert program.poll() is None, program.communicate()
        slurm.run("scancel", "--signal=KILL", "--full", slurm.jobs("--states=RUNNING")[0])
        out, errors = program.communicate(timeout=LONG)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0, errors
    assert re.search(rf"^{TOYS} toys in dask, mean t ", out, re.MULTILINE)
    wait_until(lambda: not slurm.jobs(), "the workers have ended")
    assert len(slurm.jobs("--states=all")) >= len(before) + 3, "the killed worker was not replaced"
    require_same(folder, "dask")
