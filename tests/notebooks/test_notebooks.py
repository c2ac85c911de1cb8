"""The tutorials: notebooks are the scripts beside them with outputs, and what they say is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from notebooks.__main__ import HERE, NAMES, executed, read_script
from nplm.cli.parser import command_parsers

ROOT = HERE.parent
# A repository keeps every version of them.
_LARGEST = 400_000


def _written(name: str) -> NotebookNode:
    return nbformat.read(HERE / f"{name}.ipynb", as_version=4)


def _pictures(notebook: NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def test_all_are_known() -> None:
    assert sorted(path.stem for path in HERE.glob("*.ipynb")) == sorted(NAMES)
    assert sorted(path.stem for path in HERE.glob("[a-z]*.py")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_has_the_cells_of_its_script(name: str) -> None:
    script, notebook = read_script(name), _written(name)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in script.cells
    ]


@pytest.mark.parametrize("name", NAMES)
def test_notebook_was_run_in_order_and_without_errors(name: str) -> None:
    notebook = _written(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert _pictures(notebook)
    assert (HERE / f"{name}.ipynb").stat().st_size < _LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    texts = [cell.source for cell in _written(name).cells if cell.cell_type == "markdown"]
    targets = re.findall(r"\]\(([^)#]+)\)", "\n".join(texts))
    assert targets
    assert [t for t in targets if not t.startswith("https://") and not (HERE / t).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_parse(name: str) -> None:
    texts = [cell.source for cell in _written(name).cells if cell.cell_type == "markdown" or "%%bash" in cell.source]
    lines = re.findall(r"^ *nplm (.*)$", "\n".join(texts).replace("\\\n", " "), re.MULTILINE)
    assert lines
    parser, _ = command_parsers()
    for line in lines:
        parser.parse_args(shlex.split(line.partition(" > ")[0]))


def test_each_is_listed_in_the_documentation() -> None:
    page = (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"(../notebooks/{name}.ipynb)" not in page] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_script_runs_and_its_own_checks_pass(name: str, tmp_path: Path) -> None:
    notebook = executed(name, tmp_path)
    assert len(_pictures(notebook)) == len(_pictures(_written(name)))


def test_a_wrong_statement_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.py").write_text("# %%\nassert 1 + 1 == 3\n", encoding="utf-8")
    monkeypatch.setattr("notebooks.__main__.HERE", tmp_path)
    with pytest.raises(CellExecutionError, match="AssertionError"):
        executed("wrong", tmp_path)
