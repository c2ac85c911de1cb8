"""The example of the guide to toys runs. Its commands: tests/docs/test_commands.py."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nplm.toys.store import Store
from tests.docs.shown import ROOT, blocks
from toys.demo import write_demo
from toys.exponential import BULK, draw_data


@pytest.mark.slow
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "docs/toys.md", "python")
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"draw_null": draw_data, "draw_signal": partial(draw_data, signal=BULK)}
    # Fewer toys than a reader would run.
    exec(compile(example.replace("400", "20").replace("200", "6"), "toys.md", "exec"), names)
    assert "Power(kind='empirical'" in capsys.readouterr().out
    assert len(Store.open("null").read()) == 20
    assert names["signal"].t.mean() > names["null"].t.mean()
