"""The guide to data quality: its commands parse, and its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from nplm.cli.commands import command_parsers
from nplm.cli.monitor_options import Options
from nplm.cli.options import given

GUIDE = (Path(__file__).parents[2] / "docs/monitor.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    nplm (monitor .*)$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    assert Options.of(given(command_parsers()[0].parse_args(shlex.split(command))))


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(example, "monitor.md", "exec"), names)
    assert len(names["verdicts"]) == 20
    assert "p-values are uniform" in capsys.readouterr().out
