"""Commands that are killed without warning at random moments: the same command again ends as if left in peace."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store
from nplm.toys.table import ToyTable

psutil = pytest.importorskip("psutil")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOYS = 400
# Toys that take 10 ms each, so that kills meet them.
GENERATOR = """
import time
def draw(rng):
    time.sleep(0.01)
    n = rng.poisson(400)
    return [[a, b] for a, b in zip(rng.exponential(size=n), rng.normal(size=n))]
"""
REFERENCE = ("--reference", "wref.npz", "--weights", "w", "--model", "histogram")
RUN = ("toys", "run", *REFERENCE, "--generator", "slow_toys:draw", "--toys", str(TOYS), "--batch", "5", "--quiet")
TEST = ("test", "data.npz", *REFERENCE, "--toys", "3000")
FAMILY = ("test", "data.npz", "--reference", "ref.npz=400", "--family", "one", "--toys", "99")
LEARN = """
central: wref.npz
weights: w
features: [x, y]
settings: {members: 2, hidden: [3]}
nuisances: {scale: {sigma: 0.2, files: {-0.2: down.npz, 0.2: up.npz}, inputs: [x]}}
"""


@dataclass
class Kills:
    """A row of the table: what became of a command that was killed.

    Arguments:
        command: its name.
        kills: how many there were.
        lost: stored toys that were not there, or not the same, in the end.
        helped: runs that did not end well by themselves.
    """

    command: str
    kills: int = 0
    lost: int = 0
    helped: int = 0


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Kills]]:
    """Filled by the tests, and shown at the end."""
    rows: list[Kills] = []
    yield rows
    lines = [f"{'command':36}  kills  toys lost  runs that needed help"]
    lines += [f"{row.command:36}  {row.kills:5}  {row.lost:9}  {row.helped:21}" for row in rows]
    lines.append(f"{'all':36}  {sum(row.kills for row in rows):5}")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines, sep="\n")


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with inputs, compiled functions that all runs share, and a place for temporary files."""
    (folder / "slow_toys.py").write_text(GENERATOR)
    (folder / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    return folder


def start(words: Sequence[str], out: str | Path) -> subprocess.Popen[bytes]:
    with Path(f"{out}.err").open("ab") as errors:
        command = [sys.executable, "-m", "nplm", *words, "-o", str(out)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)


def finish(words: Sequence[str], out: str | Path, row: Kills) -> None:
    """Runs a command again, which should need no help."""
    require_done(start(words, out), out, row)


def require_done(process: subprocess.Popen[bytes], out: str | Path, row: Kills) -> None:
    """Waits for a command that should end well."""
    if process.wait(300):
        row.helped += 1
        pytest.fail(Path(f"{out}.err").read_text())


def whole(words: Sequence[str]) -> float:
    """Runs a command undisturbed, into the folder `whole`; how long it takes once all is compiled."""
    for out in ("compiling", "whole"):
        began = time.monotonic()
        finish(words, out, Kills("undisturbed"))
    return time.monotonic() - began


def at_once() -> bool:
    """For a kill at any moment after the start."""
    return True


def wait_for(after: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits until so many seconds after something has happened; whether a command still runs then."""
    while process.poll() is None and not after():
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is None


def kill(process: subprocess.Popen[bytes], seconds: float, after: Callable[[], bool] = at_once) -> int:
    """Kills a command so many seconds after something has happened, unless it has ended; the number of kills."""
    if not wait_for(after, process, seconds):
        assert process.returncode == 0
        return 0
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, f"they outlive the command: {[child.cmdline() for child in alive]}"
    return 1


def kill_worker(process: subprocess.Popen[bytes], chance: random.Random) -> int:
    """Kills one of the processes that run the toys of a command, if there is one; the number of kills."""
    workers = [p for p in psutil.Process(process.pid).children() if any("spawn_main" in word for word in p.cmdline())]
    if workers:
        chance.choice(workers).kill()
    return bool(workers)


def stored(store: Path) -> ToyTable:
    """The toys of a store, which a killed command may not have made; a part that cannot be read fails the test."""
    return Store.open(store, pytest.fail).read() if (store / CAMPAIGN_FILE).exists() else ToyTable.empty()


def lost(before: ToyTable, store: Path) -> int:
    """How many toys are not as they were in the store."""
    toys = stored(store)
    now = dict(zip(toys.index.tolist(), toys.t.tolist(), strict=True))
    return sum(now.get(i) != t for i, t in zip(before.index.tolist(), before.t.tolist(), strict=True))


def require_whole(store: Path, undisturbed: Path) -> None:
    """Demands that a store holds the toys of an undisturbed one, each in one row, and no unfinished file."""
    one, other = stored(store), stored(undisturbed)
    assert one.index.tolist() == other.index.tolist()
    np.testing.assert_allclose(one.t, other.t, rtol=0, atol=1e-10)
    assert sum(len(ToyTable.read(part)) for part in store.glob(PARTS)) == len(one), "a toy was run twice"
    assert names(store) == names(undisturbed)
    require_clean()


def require_clean() -> None:
    """Demands that no file is left where the system has temporary ones, but locks that Dask always leaves there."""
    files = [file for file in Path("tmp").rglob("*") if file.is_file()]
    assert not [file for file in files if file.parent.name != "dask-scratch-space" or file.suffix != ".lock"]


def names(out: Path) -> list[str]:
    """All files in a folder, hidden ones too, but parts of toys, which have random names."""
    files = (str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())
    return sorted(name for name in files if not Path(name).match(PARTS))


def has_toys(store: Path) -> Callable[[], bool]:
    return lambda: any(store.glob(PARTS))


@pytest.mark.parametrize(("words", "kills"), [(TEST, 8), (FAMILY, 3)], ids=["histogram", "family"])
def test_a_test(place: Path, table: list[Kills], words: Sequence[str], kills: int) -> None:
    row, chance, took = Kills(f"nplm {' '.join(words[:1] + words[-4:-2])}"), random.Random(1), whole(words)
    table.append(row)
    undisturbed = json.loads(Path("whole/result.json").read_text())
    for i in range(kills):
        out = Path(f"out{i}")
        # By turns while the result is written, at any time, as soon as there is a folder, and once there are toys.
        moments = [
            ((out / "result.json").exists, 1.0),
            (at_once, took),
            (out.exists, 0.1),
            (has_toys(out / "toys"), 1.0),
        ]
        after, seconds = moments[i % 4]
        row.kills += kill(start(words, out), chance.uniform(0, seconds), after)
        before = stored(out / "toys")
        if not (out / "report.html").exists():  # the last moment is too late for a kill
            finish(words, out, row)
        row.lost += lost(before, out / "toys")
        again = json.loads((out / "result.json").read_text())
        assert all(again[key] == undisturbed[key] for key in ("p_value", "z"))
        assert names(out) == names(Path("whole"))
        require_clean()
        if words is TEST:
            require_whole(out / "toys", Path("whole/toys"))
    assert row.lost == 0 < row.kills


@pytest.mark.parametrize("engine", [("--workers", "2"), ("--dask", "local")], ids=["processes", "dask"])
def test_toys_on_workers(place: Path, table: list[Kills], engine: tuple[str, str]) -> None:
    words = (*RUN, *engine)
    name, took, chance = f"nplm toys run {' '.join(engine)}", whole(words), random.Random(2)
    main, workers = Kills(name), Kills(f"{name}, a worker")
    table += [main, workers]
    for i in range(3):
        out = Path(f"main{i}")
        after, seconds = ((has_toys(out), 1.0), (at_once, took))[i % 2]
        main.kills += kill(start(words, out), chance.uniform(0, seconds), after)
        before = stored(out)
        finish(words, out, main)
        main.lost += lost(before, out)
        require_whole(out, Path("whole"))
    for i in range(3):
        out = Path(f"worker{i}")
        process = start(words, out)
        assert wait_for(has_toys(out), process, chance.uniform(0, 0.5))
        before = stored(out)
        workers.kills += kill_worker(process, chance)
        require_done(process, out, workers)
        workers.lost += lost(before, out)
        require_whole(out, Path("whole"))
    assert main.lost == workers.lost == 0 < min(main.kills, workers.kills)


def test_shards(place: Path, table: list[Kills]) -> None:
    row, chance, took = Kills("nplm toys run --shard I/3"), random.Random(3), whole(RUN)
    table.append(row)
    for i in range(4):
        out = Path(f"out{i}")
        words = [(*RUN, "--shard", f"{shard}/3") for shard in (1, 2, 3)]
        shards = [start(one, out) for one in words]
        victim = chance.randrange(3)
        after, seconds = ((has_toys(out), 1.0), (at_once, took))[i % 2]
        row.kills += kill(shards.pop(victim), chance.uniform(0, seconds), after)
        before = stored(out)
        for other in shards:
            require_done(other, out, row)
        finish(words[victim], out, row)
        row.lost += lost(before, out)
        require_whole(out, Path("whole"))
    assert row.lost == 0 < row.kills


def test_learn(place: Path, table: list[Kills]) -> None:
    rng = np.random.default_rng(2)
    for name, scale in (("up", 0.2), ("down", -0.2)):
        x, y = np.exp(scale) * rng.exponential(size=8000), rng.normal(size=8000)
        np.savez(f"{name}.npz", x=x, y=y, w=np.full(8000, 0.05))
    Path("learn.yaml").write_text(LEARN)
    words = ("learn", "learn.yaml")
    row, chance, took = Kills("nplm learn"), random.Random(4), whole(words)
    table.append(row)
    for i in range(4):
        out = Path(f"out{i}")
        # By turns while all is written, and at any time.
        after, seconds = (((out / "scale.npz").exists, 1.0), (at_once, took))[i % 2]
        row.kills += kill(start(words, out), chance.uniform(0, seconds), after)
        finish(words, out, row)
        assert names(out) == names(Path("whole"))
        assert all((out / name).read_bytes() == (Path("whole") / name).read_bytes() for name in names(out))
        require_clean()
    assert row.kills > 0
