"""A folder with small input files, and the command line as a function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from nplm.cli.main import main


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: data.npz agrees with ref.npz; wref.npz has weights that add up to the data's yield."""
    rng = np.random.default_rng(7)
    x, y = rng.exponential(size=8000), rng.normal(size=8000)
    np.savez(tmp_path / "ref.npz", x=x, y=y)
    np.savez(tmp_path / "wref.npz", x=x, y=y, w=np.full(8000, 0.05))
    np.savez(tmp_path / "nref.npz", x=x, y=y, w=np.where(rng.random(8000) < 0.2, -0.1, 0.1))
    np.savez(tmp_path / "data.npz", x=rng.exponential(size=400), y=rng.normal(size=400))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nplm(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
    """Runs `nplm` with the words of one or more texts; what a command imports from the test's folder is forgotten."""

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield run
    # Modules that users write have names like "mine" in more than one test.
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
