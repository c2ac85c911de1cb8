"""The examples of the guide to measurements run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "measure.md").read_text(encoding="utf-8")
MEASURED, ELSEWHERE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_measurement_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(MEASURED, "measure.md", "exec"), names)
    result = names["result"]
    assert abs(result["lifetime"] - 0.095) < 3 * result.errors[0]
    assert result.goodness_of_fit.p_value > 0.01


def test_a_fit_of_iminuit_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("iminuit")
    exec(compile(ELSEWHERE, "measure.md", "exec"), {})
    first, second = re.findall(r"p = ([\d.e+-]+), Z", capsys.readouterr().out)
    assert float(first) > 0.01
    assert float(second) < 1e-3
