"""The example of the guide to nuisances runs. Its commands: tests/docs/test_commands.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.shown import ROOT, blocks


@pytest.mark.slow
def test_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "docs/nuisances.md", "python")
    names: dict[str, Any] = {}
    exec(compile(example, "nuisances.md", "exec"), names)
    assert "(scale, yield profiled)" in capsys.readouterr().out
