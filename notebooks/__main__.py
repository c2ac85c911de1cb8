"""`python -m notebooks [NAME ...]`: runs the scripts of this folder and writes each beside itself as a notebook."""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).parent
NAMES = ("first_search", "systematics", "generator_validation", "data_quality", "anomaly_score")
# Enough for lines and their smooth edges, at a third of the bytes.
COLOURS = 64


def read_script(name: str) -> NotebookNode:
    """The cells of a script, numbered, so that running it again gives the same file."""
    notebook = jupytext.read(HERE / f"{name}.py")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return nbformat.from_dict({**notebook, "metadata": {"kernelspec": KERNEL, "jupytext": PAIRED}})


def executed(name: str, folder: Path) -> NotebookNode:
    """The notebook with its outputs, run in a folder that takes the files that it writes.

    Raises:
        CellExecutionError: if a cell fails.
    """
    notebook = read_script(name)
    before = {name: os.environ.get(name) for name in ("PATH", "PYTHONPATH")}
    # Cells that call nplm mean that of this interpreter, which is not on the path if its environment is not active; and
    # toys is that of this repository, whatever the folder that cells run in.
    for name, first in (("PATH", Path(sys.executable).parent), ("PYTHONPATH", HERE.parent)):
        os.environ[name] = os.pathsep.join([str(first), *filter(None, [before[name]])])
    try:
        place = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=600, record_timing=False, coalesce_streams=True, resources=place).execute()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    # It has the version of Python, which differs from machine to machine.
    notebook.metadata.pop("language_info", None)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = smaller(output.data["image/png"])
    return notebook


def smaller(picture: str) -> str:
    """A picture in PNG, encoded in base64, with a palette of few colours."""
    into = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        image.convert("RGB").quantize(COLOURS).save(into, format="PNG", optimize=True)
    return base64.b64encode(into.getvalue()).decode()


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PAIRED = {"formats": "ipynb,py:percent"}


def main() -> int:
    """Runs the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"there is no notebook '{name}': choose from {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(name, Path(folder))
        nbformat.write(notebook, HERE / f"{name}.ipynb")
        print(f"notebooks/{name}.ipynb")
    return 0


if __name__ == "__main__":
    sys.exit(main())
