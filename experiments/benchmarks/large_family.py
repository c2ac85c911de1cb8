"""`nplm test`, the family, on 10,000,000 reference and 1,000,000 data events of five features, from Parquet files."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nplm.wording.markdown import markdown_table

N_REFERENCE, N_DATA, AT_ONCE = 10_000_000, 1_000_000, 1_000_000


def run() -> str:
    """The command as a user gives it, timed from outside, and the times that it foresaw."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        reference, data, output = (Path(folder) / name for name in ("reference.parquet", "data.parquet", "run"))
        _write(rng, reference, N_REFERENCE)
        _write(rng, data, N_DATA)
        command = [sys.executable, "-m", "nplm", "test", str(data), "--reference", f"{reference}={N_DATA}"]
        began = time.perf_counter()
        done = subprocess.run([*command, "-o", str(output)], check=True, capture_output=True, text=True)
        wall = time.perf_counter() - began
        result = json.loads((output / "result.json").read_text())
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime
    foreseen = [line.removeprefix("nplm: ") for line in done.stderr.splitlines() if " left; next: " in line]
    row = [f"{wall:.0f}", f"{cpu:.0f}", f"{cpu / (N_REFERENCE + N_DATA) * 1e6:.0f}", f"{usage.ru_maxrss / 2**20:.2f}"]
    row += [f"{result['p_value']:.2g}"]
    table = markdown_table(["wall s", "CPU s", "CPU s a million events", "peak memory GiB", "p"], [row])
    return table + "\n\nSaid on the way:\n\n" + "\n".join(f"- {line}" for line in foreseen)


def _write(rng: np.random.Generator, path: Path, count: int) -> None:
    """Five features with correlations of .4, in row groups, so that all are never in memory here."""
    root = np.linalg.cholesky(0.4 + 0.6 * np.eye(5))
    schema = pa.schema([(f"x{j}", pa.float64()) for j in range(5)])
    with pq.ParquetWriter(path, schema) as file:
        for _ in range(count // AT_ONCE):
            events = rng.normal(size=(AT_ONCE, 5)) @ root.T
            file.write_table(pa.table(list(events.T), schema=schema))
