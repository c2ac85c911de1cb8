"""The examples of the guide to two samples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "validate.md").read_text(encoding="utf-8")


@pytest.mark.slow
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
