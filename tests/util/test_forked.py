"""A process that is forked after JAX has run ends with a message, and one that is spawned computes."""

from __future__ import annotations

import os
import signal
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
    out, errors = _run(program, start)
    lines = out.splitlines()
    if start == "spawn":
        assert lines == ["True", "True"], errors
    else:
        assert "get_context('spawn')" in lines[0]
        assert lines[1:] == ["broken"]
        assert "get_context('spawn')" in errors


def _run(program: Path, start: str) -> tuple[str, str]:
    """What the program prints. A fork may wait for a lock of others before any line of ours runs: then once more."""
    out, errors = program.with_suffix(".out"), program.with_suffix(".err")
    for _ in range(3):
        # Files, as a pipe is open for as long as the forked process waits; and a session, which ends with it.
        with out.open("w") as to_out, errors.open("w") as to_errors:
            command = [sys.executable, str(program), start]
            process = subprocess.Popen(command, stdout=to_out, stderr=to_errors, start_new_session=True)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                continue
        return out.read_text(), errors.read_text()
    raise AssertionError("the forked process waited three times")
