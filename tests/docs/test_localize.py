"""The examples of the guide to localization run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "localize.md").read_text(encoding="utf-8")


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "localize.md", "exec"), names)
    assert capsys.readouterr().out.endswith("True\n")
    assert (tmp_path / "events.csv").read_text().count("\n") == 101
    # The spot is at x = 1.5, y = 0.
    assert names["found"].excess.box.holds(names["np"].array([[1.5, 0.0]])).all()
