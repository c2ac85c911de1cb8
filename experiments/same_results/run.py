"""Same results: twenty runs of nplm by an earlier tree and by this one, number by number."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.experiment import Check, read_config
from experiments.same_results.commands import EXITS, QUICK_SEARCH, RUNS, SEARCHES_LITTLE, write_input
from experiments.same_results.numbers import EXCLUDED, Numbers, largest_difference, numbers_in
from nplm.wording.markdown import markdown_table

_HERE = Path(__file__).resolve().parents[2]


def run(work: Path, results: Path, short: bool, before: str | None = None) -> tuple[str, list[Check]]:
    """Gives the same commands to both trees.

    Arguments:
        before: the revision of the earlier tree; default: that of config.yaml.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("same_results", short)
    before = before or config["before"]
    work = work.resolve()
    names = config["only"] or list(RUNS)
    began = time.monotonic()
    with _checkout(before, work / "tree") as earlier:
        first = _numbers(earlier, work / "before", work / "compiled", names)
    second = _numbers(_HERE, work / "after", work / "compiled", names)
    rows, checks = [], []
    for name in names:
        size, where = largest_difference(first[name], second[name])
        rows.append([name, str(len(second[name])), f"{size:.2g}", where if size > config["rounding"] else ""])
        checks.append(Check(name, size, 0, 0, config["rounding"], "0"))
        # Without a number to compare, nothing is shown to be the same.
        if not second[name]:
            checks.append(Check(f"numbers of {name}", 0, 0, 1, float("inf"), "1 or more"))
        print(*rows[-1], sep=" | ", flush=True)
    total = sum(len(numbers) for numbers in second.values())
    text = (
        f"Revision {before} beside the present tree: {total} numbers of {len(names)} runs, in"
        f" {time.monotonic() - began:.0f} s. Not compared, by name: {', '.join(sorted(EXCLUDED))}."
        f"\n\n{markdown_table(['run', 'numbers', 'largest relative difference', 'where, if it is one'], rows)}"
    )
    return text, checks


@contextmanager
def _checkout(revision: str, folder: Path) -> Iterator[Path]:
    """A work tree of a revision, which is removed afterwards."""
    git = ("git", "-C", str(_HERE), "worktree")
    _remove(folder)
    subprocess.run([*git, "add", "--quiet", "--force", "--detach", str(folder), revision], check=True)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Removes a work tree, also one that a killed run has left."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "-C", str(_HERE), "worktree", "prune"], check=True)


def _numbers(tree: Path, folder: Path, compiled: Path, names: list[str]) -> dict[str, Numbers]:
    """Runs all in a folder that is emptied, with the nplm of a tree; the numbers of each run by its name."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_input(folder)
    (folder / "quick_search.py").write_text(QUICK_SEARCH, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "OPENBLAS_NUM_THREADS": "1",
        # Most of the time is compilation: what is computed alike is compiled once, quickly, for both trees.
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1",
    }
    found = subprocess.run(
        [sys.executable, "-c", "import nplm; print(nplm.__file__)"],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if Path(found).resolve().parents[1] != tree.resolve():
        raise RuntimeError(f"{tree} was to be run, but Python finds nplm in {found}")
    numbers = {}
    for name in names:
        there, began = {path.name for path in folder.iterdir()}, time.monotonic()
        for i, command in enumerate(RUNS[name]):
            program = ["quick_search.py"] if name in SEARCHES_LITTLE else ["-m", "nplm"]
            done = subprocess.run(
                [sys.executable, *program, *shlex.split(command)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            if done.returncode not in EXITS:
                # Its numbers are missing, which the table says.
                print(f"nplm {command}\nfailed with {done.returncode} in {folder}: {done.stderr[-2000:]}", flush=True)
            if done.stdout.startswith("{"):
                # One document, or one on each line, as a monitor prints.
                kind = "json" if done.stdout.startswith("{\n") else "jsonl"
                (folder / f"{name}-printed{i}.{kind}").write_text(done.stdout, encoding="utf-8")
        written = sorted({path.name for path in folder.iterdir()} - there)
        numbers[name] = numbers_in(folder, [each for each in written if each != "__pycache__"])
        print(f"{folder.name}: {name}, {time.monotonic() - began:.0f} s", flush=True)
    return numbers
