"""The documentation builds strictly, describes all of the public API, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import nplm

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DESCRIBED = re.compile(r"^::: nplm\.(\S+)$", re.MULTILINE)


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "expected_yield" in (tmp_path / "api" / "tests.html").read_text(encoding="utf-8")


def test_every_public_name_is_described_once() -> None:
    described = [name for page in PAGES for name in DESCRIBED.findall(page.read_text(encoding="utf-8"))]
    folders = {name: getattr(nplm, name) for name in nplm.__all__ if isinstance(getattr(nplm, name), ModuleType)}
    top = {*nplm.__all__} - folders.keys()
    below = {f"{folder}.{name}" for folder, module in folders.items() for name in {*module.__all__} - top}
    assert sorted(described) == sorted(top | below)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        assert f": {page.relative_to(ROOT / 'docs')}\n" in navigation
