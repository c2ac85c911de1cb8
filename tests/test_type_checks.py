"""Wrong arrays and wrong annotations are seen with `-p tests.type_checks`, in all of nplm, and pass without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float64

from tests.type_checks import checked, where_arrays_are

ROOT = Path(__file__).parent.parent
CALLS = """
import numpy as np
import pytest
from nplm.data.binning import poisson_interval
from nplm.stats.control_variates import Controls

RIGHT, ANOTHER_DTYPE, MORE_DIMENSIONS = np.ones(3), np.ones(3, dtype=np.float32), np.ones((3, 2))


@pytest.mark.parametrize("counts", [RIGHT, ANOTHER_DTYPE, MORE_DIMENSIONS])
def test_of_a_function(counts):
    poisson_interval(counts)


@pytest.mark.parametrize("expected", [np.ones(2), np.ones(3)])
def test_of_a_dataclass(expected):
    Controls(np.ones((5, 2)), expected, toys=5)
"""
MODULES = """
import importlib
import pkgutil
import nplm


def test_modules():
    names = [module.name for module in pkgutil.walk_packages(nplm.__path__, "nplm.")]
    assert len(names) > 400
    loaders = {name: type(importlib.import_module(name).__loader__) for name in names if "__main__" not in name}
    assert {loader.__module__ for loader in loaders.values()} == {"jaxtyping._import_hook"}, loaders
"""


@pytest.mark.parametrize(
    ("options", "outcome"), [(["-p", "tests.type_checks"], "3 failed, 2 passed"), ([], "5 passed")]
)
def test_wrong_arrays_are_seen(options: list[str], outcome: str, tmp_path: Path) -> None:
    output = _output(CALLS, options, tmp_path)
    assert outcome in output, output


def test_every_module_has_checks(tmp_path: Path) -> None:
    output = _output(MODULES, ["-p", "tests.type_checks"], tmp_path)
    assert "1 passed" in output, output


def test_a_wrong_annotation_is_seen() -> None:
    x = np.ones(3)
    assert _with_checks(_kept)(x) is x
    for wrong in (_of_another_dtype, _of_another_length):
        assert len(wrong(x))
        with pytest.raises(TypeError, match="return value"):
            _with_checks(wrong)(x)


def test_functions_without_arrays_are_left_alone() -> None:
    def of_numbers(x: float, words: list[str]) -> float:
        return x * len(words)

    assert _with_checks(of_numbers) is of_numbers


def _kept(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return x


def _of_another_dtype(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return x.astype(np.int64)


def _of_another_length(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return x[1:]


def _with_checks(function: Callable[..., Any]) -> Callable[..., Any]:
    return where_arrays_are(typechecker=checked)(function)


def _output(tests: str, options: list[str], folder: Path) -> str:
    (folder / "test_calls.py").write_text(tests)
    given = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    given += ["-c", str(ROOT / "pyproject.toml"), *options, str(folder / "test_calls.py")]
    run = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
    return run.stdout + run.stderr
