"""What goes wrong with toys: the exit code says of which kind it is, the message names the culprit and the remedy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nplm.cli.errors import MEANINGS
from nplm.cli.parser import command_parsers
from nplm.toys.engines import dask as dask_engine
from nplm.toys.store import PARTS, Store

pytestmark = pytest.mark.usefixtures("folder")

RUN = ("toys", "run", "--reference", "wref.npz", "--weights", "w", "--model", "histogram")
OUT = ("--toys", "12", "-o", "out")
PROBLEM = ("toys", "run", "--problem", "toys.exponential", "--model", "histogram")
COMMANDS = (
    "toys",
    "toys run",
    "toys status",
    "toys merge",
    "toys show",
    "tune",
    "test",
    "prepare",
    "learn",
    "power",
    "closure",
    "validate",
    "hunt",
    "measure",
    "channels",
    "channels combine",
    "channels regions",
    "channels graph",
    "channels explain",
    "monitor",
    "doctor",
)


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("toys", "run", "-o", "out"), ("--reference", "--problem")),
        (RUN, ("-o",)),
        ((*RUN, *OUT, "--problem", "toys.exponential"), ("--problem", "--reference")),
        ((*PROBLEM, *OUT, "--pool", "ref.npz"), ("--problem", "--pool")),
        ((*PROBLEM, *OUT, "--features", "x"), ("--problem", "--features")),
        ((*PROBLEM, *OUT, "--where", "x < 1"), ("--problem", "--where")),
        ((*PROBLEM, *OUT, "--generator", "a:b"), ("--problem", "--generator")),
        ((*RUN, *OUT, "--generator", "a:b", "--pool", "ref.npz"), ("--generator", "--pool")),
        ((*RUN, *OUT, "--generator", "a:b", "--toy-yield", "9"), ("--generator", "--toy-yield")),
        ((*RUN, *OUT, "--expectation", "--reference-per-toy"), ("--expectation", "--reference-per-toy")),
        ((*RUN, *OUT, "--expectation", "--pool", "ref.npz"), ("--expectation", "--pool")),
        ((*RUN, *OUT, "--dask", "local", "--workers", "2"), ("--dask", "--workers")),
        ((*RUN, *OUT, "--signal", "data.npz"), ("--signal FILE", "--signal-yield")),
        ((*RUN, *OUT, "--signal-yield", "9"), ("--signal-yield", "--signal")),
        ((*RUN, *OUT, "--events", "9"), ("--events", "--shape-only")),
        ((*RUN, *OUT, "--shape-only"), ("--shape-only", "--events")),
        ((*RUN, *OUT, "--shape-only", "--events", "9", "--toy-yield", "9"), ("--shape-only", "--toy-yield")),
        ((*RUN, *OUT, "--shape-only", "--events", "9", "--expected-yield", "9"), ("--shape-only", "--expected-yield")),
        ((*RUN, *OUT, "--n-reference", "9"), ("--n-reference", "--problem")),
        ((*RUN, *OUT, "--clip", "9"), ("--clip", "histogram")),
        ((*RUN, *OUT, "--toys", "0"), ("--toys", "0")),
        ((*RUN, *OUT, "--batch", "0"), ("--batch", "0")),
        ((*RUN, *OUT, "--first", "-1"), ("--first", "-1")),
        ((*RUN, *OUT, "--workers", "0"), ("--workers", "0")),
        ((*RUN, *OUT, "--shard", "3/2"), ("--shard", "I/N", "'3/2'")),
        ((*RUN, *OUT, "--shard", "0/2"), ("--shard", "'0/2'")),
        ((*RUN, *OUT, "--shard", "half"), ("--shard", "'half'")),
        (("toys", "frobnicate"), ("frobnicate", "run")),
        (("toys", "status"), ("STORE",)),
        (("toys", "merge", "-o", "out"), ("STORE",)),
        (("toys", "merge", "a", "b"), ("-o",)),
        (("toys", "show"), ("STORE",)),
        (("toys", "show", "a", "--z", "2"), ("--z", "--null")),
        (("toys", "show", "a", "--ideal-z", "2"), ("--ideal-z", "--null")),
        (("toys", "show", "a", "--null", "b", "--observed", "2"), ("--observed", "--null")),
        (("toys", "show", "a", "--degrees-of-freedom", "0"), ("--degrees-of-freedom", "'0'")),
    ],
)
def test_wrong_usage_is_refused_by_name(nplm, words, culprits) -> None:
    outcome = nplm(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    first, last = outcome.err.splitlines()
    for culprit in culprits:
        assert culprit in first
    assert last == f"nplm: all options: nplm {' '.join(words[: 1 if words[1] == 'frobnicate' else 2])} --help"
    assert not Path("out").exists()


def test_toys_alone_show_the_help(nplm) -> None:
    outcome = nplm("toys")
    assert outcome.code == 2
    for name in ("run", "status", "merge", "show"):
        assert f"\n    {name}" in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_does_not_wait_for_jax(command: str) -> None:
    script = (
        "import sys; from nplm.cli.main import main; code = main(sys.argv[1:]);"
        " sys.exit(code or 'jax' in sys.modules or 'matplotlib' in sys.modules or 'pyarrow' in sys.modules)"
    )
    words = [sys.executable, "-c", script, *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: nplm {command} ")


def test_there_is_no_command_without_a_test_of_its_help() -> None:
    assert set(COMMANDS) == {"toys", "channels", *command_parsers()[1]}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != "doctor"])
def test_help_documents_every_exit_code(nplm, command: str) -> None:
    out = nplm(*command.split(), "--help").out
    for code, meaning in MEANINGS.items():
        assert f"  {code:<5}{meaning}" in out


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("--pool", "missing.npz"), ("missing.npz",)),
        (("--signal", "missing.npz", "--signal-yield", "9"), ("missing.npz",)),
        (("--signal", "short.npz", "--signal-yield", "9"), ("short.npz lacks y",)),
        (("--generator", "no_such_module:draw"), ("'no_such_module:draw' cannot be imported", "no_such_module")),
        (("--generator", "broken_toys:absent"), ("the module broken_toys has no 'absent'",)),
        (("--generator", "broken_toys"), ("'broken_toys' is not a function: name it as MODULE:FUNCTION",)),
        (("--generator", "broken_toys:raises"), ("a toy drawn on trial", "no licence", "broken_toys:raises")),
        (("--generator", "broken_toys:nan"), ("a toy drawn on trial", "'y' of toy is not finite")),
        (("--generator", "broken_toys:narrow"), ("a toy drawn on trial", "broken_toys:narrow")),
        (("--generator", "broken_toys:nothing"), ("a toy drawn on trial",)),
    ],
)
def test_bad_input_makes_no_store(nplm, words, culprits) -> None:
    np.savez("short.npz", x=np.ones(5))
    Path("broken_toys.py").write_text(
        "import numpy as np\n"
        "def raises(rng): raise RuntimeError('no licence')\n"
        "def nan(rng): return [[1.0, np.nan]]\n"
        "def narrow(rng): return np.ones((5, 1))\n"
        "def nothing(rng): return None\n"
    )
    outcome = nplm(*RUN, *OUT, *words)
    assert outcome.code == 3, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    for culprit in culprits:
        assert culprit in outcome.err
    assert not Path("out").exists()


def test_a_toy_that_cannot_be_drawn_is_named_and_those_before_it_stay(nplm) -> None:
    Path("fragile.py").write_text(
        "import numpy as np\n"
        "def draw(rng):\n"
        "    x = rng.exponential(size=(400, 2))\n"
        "    return np.full_like(x, np.nan) if 0.9 < rng.random() < 0.97 else x\n"
    )
    outcome = nplm(*RUN, "--generator", "fragile:draw", "--toys", "200", "--batch", "5", "-o", "out")
    assert outcome.code == 3
    done = len(Store.open("out").read())
    assert 0 < done < 200
    assert f"toy {done} could not be drawn: feature 'x' of toy is not finite" in outcome.err
    assert f"{done} of 200 toys are in out" in outcome.err


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("--problem", "toys.nothing"), ("'toys.nothing' cannot be imported",)),
        (("--problem", "json"), ("'json' is not a problem", "SIGNALS", "draw_reference")),
        (
            ("--problem", "toys.exponential", "--signal", "peak"),
            ("toys.exponential has no signal 'peak': choose tail or bulk or broad",),
        ),
    ],
)
def test_a_bad_problem_is_refused_with_the_choices(nplm, words, culprits) -> None:
    outcome = nplm("toys", "run", *words, "--model", "histogram", *OUT)
    assert outcome.code == 3
    for culprit in culprits:
        assert culprit in outcome.err
    assert not Path("out").exists()


def test_other_files_are_not_mixed_with_toys(nplm) -> None:
    Path("out").mkdir()
    Path("out/thesis.tex").touch()
    outcome = nplm(*RUN, *OUT)
    assert outcome.code == 4
    assert "out holds other files (thesis.tex)" in outcome.err
    outcome = nplm(*RUN, "--toys", "12", "-o", "data.npz")
    assert outcome.code == 4
    assert "data.npz is not a folder" in outcome.err


@pytest.mark.parametrize("command", [("status",), ("show",), ("merge", "-o", "merged")])
def test_what_is_no_store_is_named(nplm, command) -> None:
    Path("empty").mkdir()
    for name, reason in (("nowhere", "is not a folder"), ("empty", "is not a toy store: it has no campaign.json")):
        outcome = nplm("toys", *command, name)
        assert outcome.code == 3
        assert f"{name} {reason}" in outcome.err
    Path("empty/campaign.json").write_text('{"schema": "nplm-campaign/99"}')
    assert "is not of the schema nplm-campaign/2" in nplm("toys", *command, "empty").err
    Path("empty/campaign.json").write_text("{")
    outcome = nplm("toys", *command, "empty")
    assert outcome.code == 3
    assert "campaign.json cannot be read" in outcome.err
    assert not Path("merged").exists()


def test_a_store_without_toys_has_nothing_to_show(nplm) -> None:
    nplm(*RUN, *OUT)
    next(Path("out").glob(PARTS)).unlink()
    outcome = nplm("toys", "show", "out")
    assert outcome.code == 3
    assert "out holds no toys yet: run them with nplm toys run" in outcome.err
    assert "0 of 12 toys done, 12 missing" in nplm("toys", "status", "out").out


@pytest.mark.parametrize("command", ["status", "run", "merge"])
def test_a_damaged_part_is_named_and_set_aside(nplm, command: str) -> None:
    nplm(*RUN, "--toys", "6", "-o", "out")
    nplm(*RUN, *OUT)
    parts = sorted(Path("out").glob(PARTS))
    assert len(parts) == 2
    parts[1].write_bytes(parts[1].read_bytes()[:-200])
    words = {"run": (*RUN, *OUT), "status": ("toys", "status", "out"), "merge": ("toys", "merge", "out", "-o", "new")}
    outcome = nplm(*words[command])
    assert outcome.code == 0
    assert f"{parts[1]} is damaged and is set aside as {parts[1].name}.corrupt; its toys are missing now" in outcome.err
    assert "Traceback" not in outcome.err
    assert Path(f"{parts[1]}.corrupt").exists()
    assert ("12 of 12 toys done" if command == "run" else "6 of 12 toys done, 6 missing") in outcome.out
    # The command that made the store mends it.
    assert nplm(*RUN, *OUT).code == 0
    nplm(*RUN, "--toys", "12", "-o", "fresh")
    assert (Store.open("out").read().t == Store.open("fresh").read().t).all()


def test_shards_of_different_plans_are_not_merged(nplm) -> None:
    nplm(*RUN, "--toys", "4", "-o", "a")
    nplm(*RUN, "--toys", "4", "--seed", "2", "-o", "b")
    outcome = nplm("toys", "merge", "a", "b", "-o", "out")
    assert outcome.code == 3
    assert "the toys in b are of another plan (seed: 1 here, 2 there" in outcome.err
    assert not Path("out").exists()


def test_a_target_with_other_content_is_not_merged_into(nplm) -> None:
    nplm(*RUN, "--toys", "4", "-o", "a")
    nplm(*RUN, "--toys", "4", "--seed", "2", "-o", "b")
    outcome = nplm("toys", "merge", "a", "-o", "b")
    assert outcome.code == 4
    assert "the toys in b are of another plan (seed: 1 here, 2 there;" in outcome.err
    Path("out").mkdir()
    Path("out/thesis.tex").touch()
    outcome = nplm("toys", "merge", "a", "-o", "out")
    assert outcome.code == 4
    assert "out holds other files (thesis.tex)" in outcome.err
    assert [path.name for path in Path("out").iterdir()] == ["thesis.tex"]


def test_a_scheduler_that_does_not_answer_is_named(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "DaskWorkers", partial(dask_engine.DaskWorkers, timeout=1.0))
    began = time.monotonic()
    outcome = nplm(*RUN, *OUT, "--dask", "tcp://127.0.0.1:1")
    assert outcome.code == 6
    assert time.monotonic() - began < 10
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in outcome.err
    assert "0 of 12 toys are in out" in outcome.err
    # Nothing stands in the way of running them here.
    assert nplm(*RUN, *OUT).code == 0


def test_errors_leave_stdout_to_json(nplm) -> None:
    nplm(*RUN, "--toys", "6", "-o", "out")
    part = next(Path("out").glob(PARTS))
    part.write_bytes(b"PAR1")
    outcome = nplm("toys", "status", "out", "--json")
    assert json.loads(outcome.out)[0]["done"] == 0
    assert "damaged" in outcome.err
