"""docs/clusters.md tells the truth: its scripts print sensible jobs, its links lead somewhere."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nplm.cli.commands.toys.options import RunOptions
from nplm.cli.commands.toys.run import _campaign
from nplm.cli.commands.toys.setup import setup_of
from nplm.cli.options import given
from nplm.cli.parser import command_parsers
from nplm.cli.terminal import Reporter

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = DOCS / "clusters"
PAGE = (DOCS / "clusters.md").read_text(encoding="utf-8")


def parsed(command: str) -> RunOptions:
    """The options of `nplm toys run`, as the program reads them."""
    parser, _ = command_parsers()
    return RunOptions.of(given(parser.parse_args(shlex.split(command))))


def text(script: str) -> str:
    return (SCRIPTS / script).read_text(encoding="utf-8")


def test_slurm_array_runs_all_shares_into_one_store() -> None:
    script = text("slurm_array.sh")
    subprocess.run(["bash", "-n", str(SCRIPTS / "slurm_array.sh")], check=True)
    (command,) = re.findall(r"^exec nplm ((?:.*\\\n)*.*)$", script, re.MULTILINE)
    # What bash makes of its variables.
    plain = re.sub(r"\$\{\w+:-(\w[\w.]*)\}", r"\1", command.replace("\\\n", " "))
    (jobs,) = re.findall(r"^#SBATCH --array=1-(\d+)$", script, re.MULTILINE)
    (shares,) = re.findall(r"^SHARES=\$\{SHARES:-(\d+)\}$", script, re.MULTILINE)
    assert jobs == shares
    options = parsed(plain.replace("$SLURM_ARRAY_TASK_ID", "7").replace("$SHARES", shares))
    assert options.shard == (7, int(shares))
    assert options.output == Path("null")


def test_htcondor_array_runs_all_shares_into_one_store() -> None:
    script = text("htcondor_array.sub")
    settings = dict(re.findall(r"^(\w+) *= *(.*)$", script, re.MULTILINE))
    assert re.search(rf"^queue {settings['shares']}$", script, re.MULTILINE)
    assert settings["share"] == "$(ProcId) + 1"
    words = settings["arguments"].replace("$INT(share)", "100").replace("$(shares)", settings["shares"])
    options = parsed(words)
    assert options.shard == (100, 100)
    assert options.output == Path("null")
    assert not Path(options.reference[0].path).is_absolute()


def test_arrays_run_the_same_toys() -> None:
    # So that a campaign begun on one cluster can be finished on the other.
    given_options = [
        re.sub(r"\s*\\\n\s*", " ", script).split("--weights")[1].split("--toys")[0].split()
        for script in (text("slurm_array.sh"), text("htcondor_array.sub"))
    ]
    assert given_options[0] == given_options[1] == ["weight", "--clip", "7"]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("slurm_dask.py", ["#SBATCH -J nplm-toys", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=2G", "export NPROC=1"]),
        ("htcondor_dask.py", ["MY.DaskWorkerCores = 1", "MY.DaskWorkerMemory = 2000000000", "Queue"]),
    ],
)
def test_dask_scripts_print_their_job(script: str, lines: list[str], tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    command = [sys.executable, str(SCRIPTS / script), "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stderr == ""
    assert set(lines) <= set(done.stdout.splitlines())
    assert re.search(r"distributed\.cli\.dask_worker tcp://\S+ .*--nthreads 1 .*--lifetime 220m", done.stdout)
    assert not (tmp_path / "null").exists()


@pytest.mark.parametrize("events", [500, 5000])
@pytest.mark.parametrize("script", ["slurm_dask.py", "htcondor_dask.py"])
def test_dask_scripts_run_the_toys_of_the_arrays(
    script: str, events: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Also where the reference is so small that each toy has one of its own.
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(1).exponential(size=events)
    np.savez("reference.npz", x=x, weight=np.full(events, 50 / events))
    program = runpy.run_path(str(SCRIPTS / script))
    campaign = program["campaign_of"](argparse.Namespace(reference="reference.npz"))
    options = "toys run --reference reference.npz --weights weight --clip 7 --toys 10 --seed 1 --output null"
    begun = parsed(options)
    there, _ = _campaign(begun, setup_of(begun, pytest.fail), Reporter(quiet=True))
    assert (there.reference_sampler is not None) == (events == 500)
    assert campaign.plan().differences(there.plan()) == []


def test_links_lead_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", PAGE) if not t.startswith("https://")]
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert [t for t in targets if not t.startswith("#") and not (DOCS / t).exists()] == []
    assert [t for t in targets if t.startswith("#") and t[1:] not in headings] == []
    assert {Path(t).name for t in targets if "/" in t} == {p.name for p in SCRIPTS.iterdir() if p.is_file()}
