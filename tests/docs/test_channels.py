"""The examples of the guide to many results run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.shown import ROOT, blocks


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks(ROOT / "docs/channels.md", "python"):
        exec(compile(block, "channels.md", "exec"), names)
    out = capsys.readouterr().out
    assert "Mild excess in C of leptons" in out
    assert names["found"].extremes[0].region == "C"
    assert list(names["best"].explanation) == ["s"]
    assert names["best"].null.shape == (20,)
