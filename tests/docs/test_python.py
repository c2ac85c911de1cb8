"""The examples of the guide to Python run, and say what the text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.slow
def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), names)
    out = capsys.readouterr().out
    assert "('jet.pt', 'jet.eta')" in out
    assert "without a signal" in out
    assert "True 1000" in out
    assert (tmp_path / "pt_eta" / "report.html").exists()
    assert names["doubled"].total_weight == pytest.approx(200)
    assert names["estimator"].t_ == pytest.approx(names["result"].t, rel=1e-6)
