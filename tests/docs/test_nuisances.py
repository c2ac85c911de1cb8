"""The commands of docs/nuisances.md are commands of this program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from nplm.cli import learn_options, test_options, toys_options
from nplm.cli.commands import command_parsers
from nplm.cli.options import given

PAGE = (Path(__file__).parents[2] / "docs" / "nuisances.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    nplm (.*)$", PAGE, re.MULTILINE)
OPTIONS = {
    "test": test_options.Options.of,
    "learn": learn_options.Options.of,
    "toys run": toys_options.RunOptions.of,
    "toys show": toys_options.ShowOptions.of,
}


def test_there_are_commands_of_each_kind() -> None:
    assert all(any(command.startswith(name) for command in COMMANDS) for name in OPTIONS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    (options_of,) = (of for name, of in OPTIONS.items() if command.startswith(name))
    parser, _ = command_parsers()
    options = options_of(given(parser.parse_args(shlex.split(command))))
    assert ("--nuisances" in command) == (getattr(options, "nuisances", None) is not None)
    assert ("--nu " in command) == bool(getattr(options, "nu", ()))
