"""What the tests of `nplm monitor` share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

MODEL = ("--width", "2", "--centers", "30")


def write_run(path: Path, rng: np.random.Generator, n: int = 400, scale: float = 1.0) -> None:
    """A file of events that agree with those of `write_runs`, but for a scale of x."""
    np.savez(path, x=scale * rng.exponential(size=n), y=rng.normal(size=n))


def write_runs(folder: Path) -> Path:
    """ref.npz in the folder, and runs/ with five good files of 400 events."""
    rng = np.random.default_rng(3)
    np.savez(folder / "ref.npz", x=rng.exponential(size=20_000), y=rng.normal(size=20_000))
    (folder / "runs").mkdir()
    for i in range(5):
        write_run(folder / "runs" / f"run{i}.npz", rng)
    return folder


def verdicts_of(out: str) -> list[dict]:
    """The lines of standard output."""
    return [json.loads(line) for line in out.splitlines()]
