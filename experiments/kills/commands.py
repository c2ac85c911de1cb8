"""The commands that are killed, their input, and what each of them leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nplm.monitor.history import read_history
from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store

# What a command has made, by name: the t of a toy, the numbers of a verdict, the p-value of a test, a file.
Made = Mapping[str, tuple[Any, ...]]

GENERATOR = """
import time
def draw(rng):
    time.sleep(0.01)
    n = rng.poisson(400)
    return [[a, b] for a, b in zip(rng.exponential(size=n), rng.normal(size=n))]
"""
LEARN = """
central: wref.npz
weights: w
features: [x, y]
settings: {members: 2, hidden: [3]}
nuisances: {scale: {sigma: 0.2, files: {-0.2: down.npz, 0.2: up.npz}, inputs: [x]}}
"""
_WEIGHTED = ("--reference", "wref.npz", "--weights", "w", "--model", "histogram")


@dataclass(frozen=True)
class Command:
    """A command that is killed.

    Arguments:
        name: what the table calls it.
        words: of the command, without its folder.
        like: the name of the command without a kill whose end is to be that of this one; default: itself.
        shards: as how many processes it runs, which write into one folder.
        kills_worker: whether one of its workers is killed, and not the command.
        stdin: the file that it reads from there.
        exits: exit codes of a run that has ended well.
        begun: whether a run into a folder has come so far that there is something to lose.
        made: what it has made there.
    """

    name: str
    words: tuple[str, ...]
    begun: Callable[[Path], bool]
    made: Callable[[Path], Made]
    like: str = ""
    shards: int = 1
    kills_worker: bool = False
    stdin: str | None = None
    exits: tuple[int, ...] = (0,)

    def of_shard(self, shard: int) -> tuple[str, ...]:
        """The words of one of its processes."""
        return self.words if self.shards == 1 else (*self.words, "--shard", f"{shard + 1}/{self.shards}")


def commands(toys: int, test_toys: int) -> tuple[Command, ...]:
    """All of them.

    Arguments:
        toys: of `nplm toys run`.
        test_toys: of `nplm test`.
    """
    drawn = ("--generator", "slow_toys:draw", "--batch", "5", "--quiet")
    run = ("toys", "run", *_WEIGHTED, *drawn, "--toys", str(toys))
    test = ("test", "data.npz", *_WEIGHTED, "--toys", str(test_toys))
    family = ("test", "data.npz", "--reference", "ref.npz=400", "--family", "one", "--toys", "99")
    monitor = (
        "monitor",
        "ref.npz",
        "--width",
        "2",
        "--centers",
        "30",
        "--window",
        "330",
        "--step",
        "30",
        "--no-reports",
    )
    processes, dask = (*run, "--workers", "2"), (*run, "--dask", "local")
    verdicts: dict[str, Any] = {"begun": has_verdicts, "made": verdicts_in, "exits": (0, 7, 8)}
    # Toys are the same however many processes run them.
    toy: dict[str, Any] = {"begun": has_toys, "made": toys_in, "like": "nplm toys run"}
    return (
        Command("nplm test, histogram", test, lambda out: has_toys(out / "toys"), answer_in),
        Command("nplm test, the family", family, Path.exists, answer_in),
        Command("nplm toys run", run, **toy),
        Command("nplm toys run --workers 2", processes, **toy),
        Command("nplm toys run --workers 2, a worker", processes, kills_worker=True, **toy),
        Command("nplm toys run --dask local", dask, **toy),
        Command("nplm toys run --dask local, a worker", dask, kills_worker=True, **toy),
        Command("nplm toys run --shard, one of 3", run, shards=3, **toy),
        Command("nplm learn", ("learn", "learn.yaml"), Path.exists, files_in),
        Command("nplm monitor --folder", (*monitor, "--folder", "runs"), **verdicts),
        Command(
            "nplm monitor --stream", (*monitor, "--stream", "jsonl", "--replayed"), stdin="events.jsonl", **verdicts
        ),
    )


def write_input(folder: Path) -> None:
    """The files that the commands read."""
    rng = np.random.default_rng(1)

    def write(name: str, size: int, scale: float = 1.0, weight: float | None = None) -> None:
        columns = {"x": scale * rng.exponential(size=size), "y": rng.normal(size=size)}
        np.savez(folder / name, **(columns if weight is None else {**columns, "w": np.full(size, weight)}))

    write("data", 400)
    write("ref", 20_000)
    write("wref", 8000, weight=0.05)
    write("up", 8000, float(np.exp(0.2)), weight=0.05)
    write("down", 8000, float(np.exp(-0.2)), weight=0.05)
    (folder / "runs").mkdir()
    for i in range(60):
        write(f"runs/run{i:03d}", int(rng.integers(100, 700)))
    with (folder / "events.jsonl").open("w", encoding="utf-8") as stream:
        for _ in range(60):
            n = int(rng.integers(10, 900))
            batch = {"x": rng.exponential(size=n).tolist(), "y": rng.normal(size=n).tolist()}
            stream.write(f"{json.dumps(batch)}\n")
    (folder / "slow_toys.py").write_text(GENERATOR, encoding="utf-8")
    (folder / "learn.yaml").write_text(LEARN, encoding="utf-8")


def has_toys(store: Path) -> bool:
    """Whether any toy is stored."""
    return any(store.glob(PARTS))


def toys_in(store: Path) -> Made:
    """The toys of a store, which a command that was killed may not have made yet."""
    if not (store / CAMPAIGN_FILE).exists():
        return {}
    table = Store.open(store).read()
    return {f"toy {i}": (t,) for i, t in zip(table.index.tolist(), table.t.tolist(), strict=True)}


def answer_in(out: Path) -> Made:
    """The toys of a test, and its answer once there is a report."""
    found = dict(toys_in(out / "toys"))
    if (out / "report.html").exists():
        result = json.loads((out / "result.json").read_text(encoding="utf-8"))
        found["answer"] = (result["p_value"], result["z"])
    return found


def files_in(out: Path) -> Made:
    """The files in a folder, none of which is there before it is whole."""
    files = [file for file in out.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return {str(file.relative_to(out)): (file.read_bytes(),) for file in files}


def has_verdicts(out: Path) -> bool:
    """Whether any verdict is stored."""
    return any(out.glob("history/part-*.parquet"))


def verdicts_in(out: Path) -> Made:
    """The verdicts of a monitor, each by its row."""
    found = read_history(out) if has_verdicts(out) else []
    return {f"verdict {v.row}": (v.source, v.status, v.first, v.p_shape, v.drift_shape) for v in found}
