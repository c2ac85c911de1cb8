"""A process that is forked after JAX has run ends with a message, and one that is spawned computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import multiprocessing, sys, warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import numpy as np
from nplm import HistogramModel, NPLMTest, Sample

def t(test):
    return float(test.fit([Sample(np.linspace(0.1, 3, 50))]).t[0])

def t_of_new(reference):
    return t(NPLMTest(reference, HistogramModel(5)))

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    reference = Sample(np.random.default_rng(1).exponential(size=500), np.full(500, 0.1))
    test = NPLMTest(reference, HistogramModel(5))
    for work, given in ((t_of_new, reference), (t, test)):
        with ProcessPoolExecutor(1, multiprocessing.get_context(sys.argv[1])) as pool:
            try:
                print(pool.submit(work, given).result() == t(test))
            except BrokenProcessPool:  # a test that is sent to a process is prepared there, before the work begins
                print("broken")
            except RuntimeError as error:
                print(error)
"""


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_forked_process_says_how_to_start_one(start: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), start], capture_output=True, text=True, timeout=120, check=False
    )
    lines = done.stdout.splitlines()
    if start == "spawn":
        assert lines == ["True", "True"], done.stderr
    else:
        assert "get_context('spawn')" in lines[0]
        assert lines[1:] == ["broken"]
        assert "get_context('spawn')" in done.stderr
