"""Runs of a command, killed at a moment and given again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from experiments.kills.commands import Command, Made

# Seconds after which a command that does not end has failed, and moments that are drawn for one kill at most.
_LONGEST, _MOST_TRIES = 900, 6


@dataclass(frozen=True)
class Killed:
    """What became of a run that was killed.

    Arguments:
        stored: what there was when the kill came.
        lost: of that, what the end does not have as it was.
        different: what the end has otherwise than an undisturbed run.
        helped: whether it took more than the same command to end well.
    """

    stored: int
    lost: int
    different: int
    helped: bool


class Runs:
    """Runs of commands in a folder with their input, which share what JAX compiles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            # Also for the functions that draw toys, of which the command is told by name.
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        }

    def undisturbed(self, command: Command, out: str) -> tuple[Made, float]:
        """What a command makes, and the seconds that it takes once all is compiled."""
        seconds = 0.0
        for name in (f"{out}-compiling", out):
            began = time.monotonic()
            if not self._ends_well(command, self._start(command, name)):
                raise RuntimeError(f"{command.name} failed without a kill: {self._errors(name)}")
            seconds = time.monotonic() - began
        return command.made(self._folder / out), seconds

    def killed(
        self,
        command: Command,
        out: str,
        chance: random.Random,
        whole: Made,
        seconds: float,
        rounding: float,
        early: bool,
    ) -> Killed:
        """Kills a run and gives its command again.

        Arguments:
            command: what is run.
            out: its folder; other moments are tried in others, if it has ended before one.
            chance: draws the moment.
            whole: what an undisturbed run makes.
            seconds: how long that takes.
            rounding: largest difference of numbers that is none.
            early: kill at any time, not only once something was stored.
        """
        for attempt in range(_MOST_TRIES):
            folder = self._folder / f"{out}-{attempt}"
            processes = [self._start(command, folder.name, shard) for shard in range(command.shards)]
            shard = chance.randrange(command.shards)
            victim = processes[shard]
            if early:
                hit = _waited(lambda: True, victim, chance.uniform(0, seconds))
            else:
                hit = _waited(lambda f=folder: command.begun(f), victim, chance.uniform(0, min(1.0, seconds / 4)))  # type: ignore[misc]
            hit = hit and (_kill_worker(victim, chance) if command.kills_worker else _kill(victim))
            stored = command.made(folder)
            again = hit and not command.kills_worker
            well = [self._ends_well(command, each) for each in processes if not (again and each is victim)]
            if again:
                well.append(self._ends_well(command, self._start(command, folder.name, shard)))
            if not hit:
                continue
            now = command.made(folder)
            lost = sum(not _same(value, now.get(name), rounding) for name, value in stored.items())
            different = sum(not _same(whole.get(name), now.get(name), rounding) for name in {*whole, *now})
            return Killed(len(stored), lost, different, not all(well))
        raise RuntimeError(f"{command.name} ended before a kill {_MOST_TRIES} times: give it more to do")

    def _start(self, command: Command, out: str, shard: int = 0) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "nplm", *command.of_shard(shard), "-o", out]
        stdin = Path(os.devnull) if command.stdin is None else self._folder / command.stdin
        with stdin.open("rb") as read, (self._folder / f"{out}.err").open("ab") as errors:
            return subprocess.Popen(
                words,
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self._folder,
                env=self._environment,
            )

    def _errors(self, out: str) -> str:
        return (self._folder / f"{out}.err").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _ends_well(self, command: Command, process: subprocess.Popen[bytes]) -> bool:
        return process.wait(_LONGEST) in command.exits


def _waited(after: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits until so many seconds after something has happened; whether the command still runs then."""
    while process.poll() is None and not after():
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is None


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """Kills a command without warning, once its workers have noticed."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    psutil.wait_procs(children, timeout=60)
    return True


def _kill_worker(process: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kills one of the processes that run the toys of a command; whether there was one."""
    workers = [p for p in psutil.Process(process.pid).children() if any("spawn_main" in word for word in p.cmdline())]
    if workers:
        chance.choice(workers).kill()
    return bool(workers)


def _same(one: tuple[object, ...] | None, other: tuple[object, ...] | None, rounding: float) -> bool:
    """Whether all values are the same, numbers to rounding."""
    if one is None or other is None or len(one) != len(other):
        return one is other
    return all(
        abs(a - b) <= rounding or (a != a and b != b) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(one, other, strict=True)
    )
