"""The page on the command line tells the truth: its exit codes are those of the program."""

from __future__ import annotations

import re

from nplm.cli.errors import MEANINGS
from tests.docs.shown import ROOT

PAGE = (ROOT / "docs/command_line.md").read_text(encoding="utf-8")


def test_exit_codes_are_those_of_the_program() -> None:
    table = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert table == [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]
