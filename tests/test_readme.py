"""The README tells the truth: its commands parse, its example runs, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import nplm
from nplm.cli.closure_options import Options as ClosureOptions
from nplm.cli.commands import command_parsers
from nplm.cli.errors import MEANINGS
from nplm.cli.monitor_options import Options as MonitorOptions
from nplm.cli.options import given
from nplm.cli.power_options import Options as PowerOptions
from nplm.cli.prepare_options import Options as PrepareOptions
from nplm.cli.test_options import Options
from nplm.cli.toys_options import MergeOptions, RunOptions, ShowOptions, StatusOptions
from nplm.cli.tune_options import Options as TuneOptions
from nplm.cli.validate_options import Options as ValidateOptions
from nplm.ensemble.store import Store
from toys.demo import write_demo
from toys.exponential import BULK, draw_data

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_NAMED = "test|toys|tune|prepare|power|validate|closure|monitor"
COMMANDS = re.findall(rf"^    nplm ((?:{_NAMED}) .*)$", README, re.MULTILINE)
OPTIONS = {
    ("test", None): Options,
    ("tune", None): TuneOptions,
    ("prepare", None): PrepareOptions,
    ("power", None): PowerOptions,
    ("validate", None): ValidateOptions,
    ("closure", None): ClosureOptions,
    ("monitor", None): MonitorOptions,
    ("toys", "run"): RunOptions,
    ("toys", "status"): StatusOptions,
    ("toys", "merge"): MergeOptions,
    ("toys", "show"): ShowOptions,
}


def test_every_command_is_shown() -> None:
    words = [shlex.split(command) for command in COMMANDS]
    assert {(w[0], w[1] if w[0] == "toys" else None) for w in words} == OPTIONS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    parser, _ = command_parsers()
    values = given(parser.parse_args(shlex.split(command)))
    assert OPTIONS[values["command"], values.get("subcommand")].of(values)


def test_exit_codes_are_those_of_the_program() -> None:
    table = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert table == [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]


def test_links_lead_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if not t.startswith("https://")]
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets


def test_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == nplm.__version__


@pytest.mark.slow
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    first, kernels, nuisances, second = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    names: dict[str, Any] = {"draw_null": draw_data, "draw_signal": partial(draw_data, signal=BULK)}
    exec(compile(first, "README.md", "exec"), names)
    t, p_value, z = map(float, capsys.readouterr().out.split())
    assert t > 0
    assert 0 < p_value < 0.05
    assert z > 1.6
    exec(compile(kernels, "README.md", "exec"), names)
    assert names["test"].formula().name in capsys.readouterr().out
    exec(compile(nuisances, "README.md", "exec"), names)
    assert "(scale, yield profiled)" in capsys.readouterr().out
    # Fewer toys than a reader would run.
    exec(compile(second.replace("400", "20").replace("200", "6"), "README.md", "exec"), names)
    assert "Power(kind='empirical'" in capsys.readouterr().out
    assert len(Store.open("null").read()) == 20
    assert names["signal"].t.mean() > names["null"].t.mean()
