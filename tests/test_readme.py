"""The README tells the truth: its example runs, its links lead somewhere. Its commands: tests/docs/test_commands.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import nplm
from tests.docs.shown import blocks
from toys.demo import write_demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_links_lead_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if not t.startswith("https://")]
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets


def test_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == nplm.__version__


@pytest.mark.slow
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    of_family, of_network = capsys.readouterr().out.splitlines()
    assert float(of_family.split()[0]) < 0.05
    t, p_value, z = map(float, of_network.split())
    assert t > 0
    assert 0 < p_value < 0.05
    assert z > 1.6
    assert (tmp_path / "run8" / "report.html").exists()
    assert nplm.load_result("network.npz").p_value == pytest.approx(p_value)
