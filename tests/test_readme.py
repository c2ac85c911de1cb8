"""The README tells the truth: its commands parse, its example runs, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

import nplm
from nplm.cli.errors import MEANINGS
from nplm.cli.main import _parsers
from nplm.cli.options import Options, given
from toys.demo import write_demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    nplm (test .*)$", README, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    parser, _ = _parsers()
    options = Options.of(given(parser.parse_args(shlex.split(command))))
    assert options.data.startswith("data.")
    assert options.reference


def test_exit_codes_are_those_of_the_program() -> None:
    table = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert table == [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]


def test_links_lead_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", README) if not t.startswith("https://")]
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
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(example, "README.md", "exec"), {})
    t, p_value, z = map(float, capsys.readouterr().out.split())
    assert t > 0
    assert 0 < p_value < 0.05
    assert z > 1.6
