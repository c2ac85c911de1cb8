"""The examples of the guide to bump hunts run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "hunt.md").read_text(encoding="utf-8")


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "hunt.md", "exec"), names)
    out = capsys.readouterr().out
    assert "Strong excess at m = 4.4" in out
    assert names["result"].leads == "features"
    assert names["cut"].p_value < 1e-3
