"""The ten recipes run as they stand, and say what the text says. Their commands: tests/docs/test_commands.py."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.shown import blocks

GUIDE = Path(__file__).parents[2] / "docs" / "recipes.md"


def test_there_are_ten() -> None:
    numbers = re.findall(r"^## (\d+)\. ", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]


@pytest.mark.slow
def test_recipes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    said = []
    for block in blocks(GUIDE, "python"):
        exec(compile(block, str(GUIDE), "exec"), names)
        said.append(capsys.readouterr().out)
    (toys,) = [out.split() for out in said if out.startswith("2.57")]
    assert toys == [f"{names['largest_z'](200)}", "740", "73975"]
    # What the scale of jets explains is no discovery.
    (scale,) = [out for out in said if out.startswith("without")]
    assert "(jes profiled)" in scale
    assert names["profiled"].z < names["unprofiled"].z
    assert names["generator"].effective_size < 0.8 * len(names["generator"])
    after, before, crossed = (names[name].total_weight for name in ("after", "before", "crossed"))
    assert after == pytest.approx(1000)
    assert before == pytest.approx(900 * math.exp(-0.5) + 600 * math.exp(-1), rel=0.03)
    assert crossed == pytest.approx(before * 140 * 6.4 / 900, rel=0.02)
    assert len(names["toys"]) == 200
    assert (tmp_path / "quoted" / "report.html").exists()
    assert (tmp_path / "quoted.npz").exists()
    assert "a default value?" in said[-1]
