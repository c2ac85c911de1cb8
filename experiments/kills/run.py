"""Commands that are killed without warning at random moments, and given again: toys and verdicts that are lost."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from experiments.experiment import Check, read_config
from experiments.kills.commands import commands, write_input
from experiments.kills.killing import Killed, Runs
from nplm.wording.markdown import markdown_table

_HEAD = ("killed", "kills", "toys, verdicts or files stored then", "lost", "different", "runs that needed help")


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Kills all commands.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("kills", short)
    folder = (work / "runs").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_input(folder)
    runs, load = Runs(folder), os.getloadavg()[0]
    found: dict[str, list[Killed]] = {}
    wholes = {}
    for number, command in enumerate(commands(config["toys"], config["test_toys"])):
        chance = random.Random(f"{config['seed']} {number}")
        if not command.like or command.like == command.name:
            wholes[command.name] = runs.undisturbed(command, f"whole{number}")
        whole, seconds = wholes[command.like or command.name]
        found[command.name] = [
            runs.killed(
                command,
                f"out{number}-{i}",
                chance,
                whole,
                seconds,
                config["rounding"],
                early=i % 2 == 1 and not command.kills_worker,
            )
            for i in range(config["kills"])
        ]
        print(*_row(command.name, found[command.name]), sep=" | ", flush=True)
    everything = [each for kills in found.values() for each in kills]
    rows = [_row(name, kills) for name, kills in found.items()]
    table = markdown_table(list(_HEAD), [*rows, _row("all", everything)])
    text = (
        "By turns a command is killed up to a second after the first toys, verdicts or files are there, and at any time"
        f" of a run. The load of the machine at the start was {load:.1f}.\n\n{table}"
    )
    checks = [
        Check("kills", len(everything), 0, 20 if not short else len(found), float("inf"), "20 or more"),
        Check("lost", sum(each.lost for each in everything), 0, 0, 0, "0"),
        Check("different from an undisturbed run", sum(each.different for each in everything), 0, 0, 0, "0"),
        Check("runs that needed help", sum(each.helped for each in everything), 0, 0, 0, "0"),
    ]
    return text, checks


def _row(name: str, kills: list[Killed]) -> list[str]:
    sums = [sum(each) for each in zip(*((k.stored, k.lost, k.different, k.helped) for k in kills), strict=True)]
    return [name, str(len(kills)), *map(str, sums)]
