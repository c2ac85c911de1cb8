"""The examples of the guide to two samples run, and its commands parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from nplm.cli.commands import command_parsers
from nplm.cli.options import given
from nplm.cli.validate_options import Options

GUIDE = (Path(__file__).parents[2] / "docs" / "validate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"^    nplm (.*)$", GUIDE, re.MULTILINE))
def test_commands_parse(command: str) -> None:
    parser, _ = command_parsers()
    assert Options.of(given(parser.parse_args(shlex.split(command)))).output is not None


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "validate.md", "exec"), names)
    out = capsys.readouterr().out
    assert "NPLM, two samples: " in out
    assert "subsamples of each size" in out
    assert len(names["matrix"].results) == 3
    # The deviation of y is 15% larger in one of them.
    assert names["result"].z > 2
