"""The examples of the guide to effective theories run. Its commands: tests/docs/test_commands.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.shown import ROOT, blocks


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks(ROOT / "docs/effective_theories.md", "python"):
        exec(compile(block, "effective_theories.md", "exec"), names)
    out = capsys.readouterr().out
    assert "weights of degree 2 in c_even: 3 coefficients from 3 basis points" in out
    assert names["ratio"].validation.passed
    assert names["kept"] > 0.9
