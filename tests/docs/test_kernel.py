"""The example of the guide to one kernel runs. Its commands: tests/docs/test_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.shown import ROOT, blocks
from toys.demo import write_demo


@pytest.mark.slow
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "docs/kernel.md", "python")
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "kernel.md", "exec"), names)
    assert names["test"].asymptotic_null().name in capsys.readouterr().out
