"""Every command that README and guides show is run, in its order, on the files that the document talks about."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from nplm.cli import parser as commands
from nplm.cli.errors import ExitCode
from nplm.cli.main import main
from nplm.models.network.search_settings import BoxSearch
from tests.docs.quick import quick_search
from tests.docs.shown import DOCUMENTS, ROOT, Shown, blocks, shown_in
from tests.docs.workplace import FILES, STREAMS, late_run

# What is made smaller, so that it ends soon; all else of a command is as the document has it. Of these toys, a command
# runs as many more as there were commands before it, so that none finds the toys of its store done. Networks search
# little (tests/docs/quick.py), and Dask's workers are threads of this process.
SIZES = {
    ("--toys", "20"): "10",
    ("--toys", "200"): "20",
    ("--toys", "400"): "40",
    ("--toys", "1000"): "60",
    ("--toys", "10000"): "110",
    ("--n-reference", "200000"): "20000",
    ("--workers", "8"): "2",
    ("--jobs", "100"): "1",
    ("--fakes", "200"): "3",
    ("--walkers", "10"): "2",
}
# What runs elsewhere, or cannot be run by a test; by program, or by command.
ELSEWHERE = {
    "make": "its targets: tests/test_readme.py",
    "pip": "installs from the network",
    "condor_submit": "needs HTCondor; what its jobs run: tests/docs/test_clusters.py",
    "python -m experiments": "hours; in short: tests/experiments",
    "python slurm_dask.py --dry-run": "tests/docs/test_clusters.py",
    "nplm test --model mine": "a package of the reader's; one is made in tests/models/test_model_from_outside.py",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=100 python slurm_dask.py": "the same program with a setting of Dask",
}
# What commands write into the folder given with -o, as README and guides say.
WRITTEN: dict[str, tuple[str, ...]] = {
    "test": ("result.json", "report.html", "plots/*.png", "plots/*.pdf", "events.csv", "localization.json"),
    "validate": ("result.json", "report.html", "plots/*.png"),
    "measure": ("result.json", "report.html", "plots/*.png", "plots/*.pdf"),
    "hunt": ("result.json", "report.html", "plots/*.png", "plots/*.pdf", "events.csv"),
    "channels combine": ("result.json", "report.html", "plots/*.png"),
    "channels regions": ("result.json", "report.html", "plots/*.png", "plots/*.pdf"),
    "channels graph": ("result.json", "report.html", "plots/*.png"),
    "channels explain": ("result.json", "report.html", "plots/*.png"),
    "monitor": ("monitor.html", "history/*.parquet"),
    "learn": ("*.npz", "*.png", "*.yaml"),
    "closure": ("report.html", "closure.json", "closure.txt", "closure.png"),
    "tune": ("tune.json", "tune.md", "*.png"),
    "prepare": (),
    "power": (),
    "toys run": ("campaign.json", "*.parquet"),
    "toys status": (),
    "toys merge": ("campaign.json", "*.parquet"),
    "toys show": ("toys.json", "toys.txt", "*.png"),
}
# The name of a command or an option, not something to be run, as the program finds.
INCOMPLETE = re.compile(r"is missing|expected one argument|say what is expected|give two samples|^$")
SHOWN = {document: shown_in(document) for document in DOCUMENTS}


def elsewhere(command: Shown) -> bool:
    words = command.text.split()
    return bool({command.text, words[0], " ".join(words[:3])} & ELSEWHERE.keys())


IN_BLOCKS = [c for shown in SHOWN.values() for c in shown if not c.in_text and not elsewhere(c)]


def test_documents_have_commands_and_what_runs_elsewhere_is_among_them() -> None:
    assert {document.name for document, shown in SHOWN.items() if shown} >= FILES.keys()
    everything = [command.text for shown in SHOWN.values() for command in shown]
    assert ELSEWHERE.keys() <= {*everything, *(text.split()[0] for text in everything)}
    assert {command.text.split()[0] for command in IN_BLOCKS} == {"nplm", "python", "sbatch"}


def test_every_command_is_shown() -> None:
    shown = {_name(command.words()[1:]) for command in IN_BLOCKS if command.text.startswith("nplm ")}
    assert shown == commands.command_parsers()[1].keys() - {"doctor"} == WRITTEN.keys()


@pytest.mark.parametrize("command", [c for c in IN_BLOCKS if c.text.startswith("nplm ")], ids=lambda c: c.place)
def test_commands_parse(command: Shown, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        commands, "import_module", lambda name: import_module(name) if "options" in name else _NothingBehindOptions()
    )
    assert main(command.words()[1:]) == 0, capsys.readouterr().err


class _NothingBehindOptions:
    def __getattr__(self, name: str) -> Any:
        return lambda options: 0


class Desk:
    """The current folder of a reader, who types one command after the other."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture
        self.share: list[str] | None = None
        self.before = 0

    def run(self, command: Shown) -> None:
        """Runs a command and looks at what it left behind."""
        words = command.words()
        smaller = [self.smaller(*pair) for pair in zip(["", *words], words, strict=False)]
        self.before += 1
        program, arguments = smaller[0], smaller[1:]
        self.capture.readouterr()
        if program == "sbatch":
            code = self.submit(*arguments)
        elif program == "python":
            code = self.python(*arguments)
        elif "--follow" in arguments:
            code = self.follow(*arguments)
        elif arguments[:2] == ["toys", "merge"]:
            code = self.merge(arguments)
        elif "--dask" in arguments:
            with _workers() as cluster:
                code = main([cluster.scheduler_address if a.startswith("tcp://") else a for a in arguments])
        else:
            if "--shard" in arguments:
                self.share = arguments
            if "--stream" in arguments:
                stream = STREAMS[arguments[arguments.index("--stream") + 1]](12_000)
                self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream)))
            code = main(arguments)
        out, err = self.capture.readouterr()
        where = f"{command.place}: {command.text}\nexit code {code}\n{err[-2000:]}"
        if command.in_text and code == ExitCode.USAGE:
            assert INCOMPLETE.search(err), where
            return
        assert code in _codes(arguments, out), where
        if program == "nplm":
            _require_written(arguments, out, where)

    def smaller(self, option: str, value: str) -> str:
        """The value of an option, small."""
        size = SIZES.get((option, value), value)
        return str(int(size) + self.before) if option == "--toys" and size != value else size

    def merge(self, arguments: list[str]) -> int:
        """Merges stores: those of other jobs, too, which ran the same command elsewhere."""
        for store in arguments[2 : arguments.index("-o")]:
            if not Path(store).exists():
                assert self.share is not None
                number = store.rpartition("-")[2]
                at = self.share.index("--shard") + 1
                share = [*self.share[:at], f"{number}/{self.share[at].partition('/')[2]}", *self.share[at + 1 :]]
                assert main([*share[: share.index("-o")], "-o", store]) == 0
        return main(arguments)

    def follow(self, *arguments: str) -> int:
        """A monitor that would wait forever, until it has seen one more file."""
        process = subprocess.Popen(
            [sys.executable, "-m", "nplm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        late_run()
        assert process.stdout is not None
        last = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert last["source"] == "run9.npz", last
        print(err, file=sys.stderr)
        return process.returncode

    def submit(self, script: str) -> int:
        """One job of an array, with this machine as the cluster."""
        shutil.copy(ROOT / "docs/clusters" / script, script)
        Path("bin").mkdir()
        nplm = Path("bin/nplm")
        nplm.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.docs.quick "$@"\n')
        nplm.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "TOYS": SIZES["--toys", "10000"],
            "SLURM_ARRAY_TASK_ID": "100",
        }
        return subprocess.run(["bash", script], env=environment, check=False).returncode

    def python(self, script: str, *arguments: str) -> int:
        """A program of docs/clusters, with workers of this process in the place of those of a batch system."""
        import dask_jobqueue

        shutil.copy(ROOT / "docs/clusters" / script, script)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with self.patch.context() as patch, _workers() as cluster:
            patch.setattr(cluster, "adapt", lambda minimum_jobs, maximum_jobs: cluster.scale(maximum_jobs))
            patch.setattr(dask_jobqueue, "SLURMCluster", lambda **settings: cluster)
            patch.setattr(sys, "argv", [script, *arguments])
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(script, run_name="__main__")
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return int(ended.value.code or 0)


@contextmanager
def _workers() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp"
    ) as cluster:
        yield cluster


def _name(arguments: list[str]) -> str:
    """The command that the words after `nplm` name."""
    return " ".join(arguments[: 1 + (arguments[0] in ("toys", "channels"))])


def _codes(arguments: list[str], out: str) -> set[int]:
    """The exit codes that the table of docs/command_line.md gives for what happened."""
    if arguments[0] == "doctor":
        return {0, 1}
    if "--follow" in arguments:
        return {ExitCode.INTERRUPTED}
    if arguments[0] == "monitor":
        found = {json.loads(line)["status"] for line in out.splitlines()}
        return {ExitCode.ALARM if "alarm" in found else ExitCode.DONE if found <= {"ok"} else ExitCode.UNTESTED}
    return {ExitCode.DONE}


def _require_written(arguments: list[str], out: str, where: str) -> None:
    """Is there what the command should have written, or printed?"""
    if "-o" in arguments:
        output = Path(arguments[arguments.index("-o") + 1])
        assert output.exists(), where
        for pattern in WRITTEN[_name(arguments)]:
            assert any(file.stat().st_size for file in output.glob(pattern)), f"no {output}/{pattern}\n{where}"
    if "--follow" not in arguments:
        assert out, where
    if "--json" in arguments:
        json.loads(out)


def _completed_by_hand() -> None:
    """The nuisances that the guide shows, in the place of those that `nplm learn` wrote."""
    (text,) = (block for block in blocks(ROOT / "docs/nuisances.md", "yaml") if block.startswith("learned:"))
    written = Path("learned/nuisances.yaml")
    shown, learned = yaml.safe_load(text), yaml.safe_load(written.read_text(encoding="utf-8"))
    assert {name: shown[name] for name in learned} == learned
    assert shown.keys() > learned.keys()
    written.write_text(text, encoding="utf-8")


def _to_run(document: Path) -> Any:
    """A document, which takes its time if it has commands outside of sentences, where they are complete."""
    complete = any(not command.in_text for command in SHOWN[document] if not elsewhere(command))
    return pytest.param(document, id=str(document.relative_to(ROOT)), marks=[pytest.mark.slow] if complete else [])


@pytest.mark.parametrize("document", [_to_run(d) for d in DOCUMENTS if SHOWN[d]])
def test_commands_run(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(BoxSearch, "default", quick_search)
    for write in FILES.get(document.name, ()):
        write()
    desk = Desk(tmp_path, monkeypatch, capfd)
    for command in SHOWN[document]:
        if not elsewhere(command):
            desk.run(command)
            if document.name == "nuisances.md" and command.text.startswith("nplm learn "):
                _completed_by_hand()
    if document.name == "index.md":
        (example,) = blocks(document, "python")
        exec(compile(example.replace("toys=200", "toys=20"), document.name, "exec"), {})
        assert "p-value" in capfd.readouterr().out
