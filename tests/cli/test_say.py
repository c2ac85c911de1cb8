"""A reader who leaves early, such as head, costs nothing but the lines that it does not want."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NPLM = (sys.executable, "-m", "nplm.cli.main")
RUN = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "histogram", "--toys", "5")


@pytest.mark.parametrize("words", [(*RUN, "--json"), (*RUN, "-o", "out"), ("--cite",), ("--help",), ("--version",)])
def test_closed_stdout_is_no_error(folder: Path, words: tuple[str, ...]) -> None:
    with subprocess.Popen([*NPLM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # long before Python has started
        error = process.stderr.read()
    assert process.returncode == 0, error
    assert all(line.startswith("nplm: ") for line in error.splitlines())
    assert "error" not in error
    if "-o" in words:
        assert json.loads((folder / "out" / "result.json").read_text())["complete"] is True


def test_closed_stderr_does_not_stop_the_run(folder: Path) -> None:
    with subprocess.Popen([*NPLM, *RUN, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        result = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert result["complete"] is True
