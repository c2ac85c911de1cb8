"""docs/design.md tells the truth: what it names exists, and its tree has all folders and the layers of the linter."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
# A line of the tree: a bar if it is side by side with its neighbours, a name, and what is in there.
_LINE = re.compile(r"^ {4}([ |]) ([\w.]+?)/? {2,}\S", re.MULTILINE)


def layers_of_the_page() -> list[set[str]]:
    """The layers of the tree, the upper first."""
    layers: list[set[str]] = []
    beside = False
    for bar, name in _LINE.findall(PAGE):
        if beside and bar == "|":
            layers[-1].add(name.removesuffix(".py"))
        else:
            layers.append({name.removesuffix(".py")})
        beside = bar == "|"
    return layers


def test_layers_are_those_of_the_linter() -> None:
    linter = configparser.ConfigParser()
    linter.read(ROOT / ".importlinter", encoding="utf-8")
    lines = linter["importlinter:contract:layers"]["layers"].split("\n")
    assert layers_of_the_page() == [set(re.split(r" *\| *", line)) for line in lines if line]


def test_every_folder_is_named() -> None:
    folders = {path.name for path in (ROOT / "nplm").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert [name for name in sorted(folders) if not re.search(rf"\b{name}/", PAGE)] == []
    in_the_tree = set().union(*layers_of_the_page())
    assert folders - in_the_tree == {"schema"}
    assert in_the_tree <= {path.name.removesuffix(".py") for path in (ROOT / "nplm").iterdir()}


def test_every_path_exists() -> None:
    paths = re.findall(r"`((?:nplm|tests|toys|experiments|notebooks)/[^`\s]*)`", PAGE)
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_there_are_ten_formulas() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    assert all("`nplm/" in files for _, files in rows)
