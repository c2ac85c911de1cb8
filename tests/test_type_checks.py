"""Wrong arrays are seen with `-p tests.type_checks`, and pass without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CALLS = """
import numpy as np
import pytest
from nplm.data.binning import poisson_interval

RIGHT, ANOTHER_DTYPE, MORE_DIMENSIONS = np.ones(3), np.ones(3, dtype=np.float32), np.ones((3, 2))


@pytest.mark.parametrize("counts", [RIGHT, ANOTHER_DTYPE, MORE_DIMENSIONS])
def test_counts(counts):
    poisson_interval(counts)
"""


@pytest.mark.parametrize(
    ("options", "outcome"), [(["-p", "tests.type_checks"], "2 failed, 1 passed"), ([], "3 passed")]
)
def test_wrong_arrays_are_seen(options: list[str], outcome: str, tmp_path: Path) -> None:
    (tmp_path / "test_calls.py").write_text(CALLS)
    given = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    given += ["-c", str(ROOT / "pyproject.toml"), *options, str(tmp_path / "test_calls.py")]
    run = subprocess.run(given, cwd=ROOT, capture_output=True, text=True)
    assert outcome in run.stdout, run.stdout + run.stderr
