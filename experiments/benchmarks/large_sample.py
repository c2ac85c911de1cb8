"""`nplm test --toys 0` on 1,000,000 reference and 200,000 data events of five features, from Parquet files."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nplm import Sample, write_sample
from nplm.wording.markdown import markdown_table

N_REFERENCE, N_DATA = 1_000_000, 200_000


def run() -> str:
    """The command as a user gives it, timed from outside."""
    rng = np.random.default_rng(7)
    root = np.linalg.cholesky(0.4 + 0.6 * np.eye(5))
    with tempfile.TemporaryDirectory() as folder:
        reference, data, output = (Path(folder) / name for name in ("reference.parquet", "data.parquet", "run"))
        write_sample(Sample(rng.normal(size=(N_REFERENCE, 5)) @ root.T), reference)
        write_sample(Sample(rng.normal(size=(N_DATA, 5)) @ root.T), data)
        command = [sys.executable, "-m", "nplm", "test", str(data), "--reference", str(reference)]
        command += ["--expected-yield", str(N_DATA), "--toys", "0", "-o", str(output)]
        began = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall = time.perf_counter() - began
        result = json.loads((output / "result.json").read_text())
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    projected = next(line for line in done.stderr.splitlines() if "projected" in line).split("time: ")[1]
    row = [f"{wall:.0f}", f"{usage.ru_utime + usage.ru_stime:.0f}", f"{usage.ru_maxrss / 2**20:.2f}", projected]
    row += [f"{result['t']:.1f}", f"{result['seconds']:.0f}"]
    return markdown_table(
        ["wall s", "CPU s", "peak memory GiB", "projected", "t", "seconds of prepare, fit and toys"], [row]
    )
