"""The table of kills counts what a command that forgets has lost, and nothing of one that does not."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")

from experiments.kills.commands import Command, Made
from experiments.kills.killing import Runs

# Writes ten numbers, each in a file; if it forgets, others after a first run than in it.
PROGRAM = """
import pathlib, sys, time
out, forgets = pathlib.Path(sys.argv[1]), sys.argv[2] == "forgets"
out.mkdir(exist_ok=True)
shift = 1 if forgets and any(out.iterdir()) else 0
for i in range(10):
    file = out / f"{i}"
    if forgets or not file.exists():
        part = out / ".part"
        part.write_text(f"{i + shift}.0")
        part.rename(file)
        time.sleep(0.05)
"""


class Programs(Runs):
    """Runs of that program in place of nplm."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def _start(self, command: Command, out: str, shard: int = 0) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", PROGRAM, str(self.folder / out), *command.words])


def numbers_in(out: Path) -> Made:
    return {file.name: (float(file.read_text()),) for file in out.glob("[0-9]")}


@pytest.mark.parametrize("way", ["remembers", "forgets"])
def test_what_a_kill_has_cost_is_counted(tmp_path: Path, way: str) -> None:
    command = Command(way, (way,), lambda out: any(out.glob("[0-9]")), numbers_in)
    runs = Programs(tmp_path)
    whole, seconds = runs.undisturbed(command, "whole")
    assert whole == {str(i): (float(i),) for i in range(10)}
    killed = runs.killed(command, "out", random.Random(1), whole, seconds, 1e-10, early=False)
    assert 0 < killed.stored <= 10
    assert not killed.helped
    assert (killed.lost, killed.different) == ((0, 0) if way == "remembers" else (killed.stored, 10))
