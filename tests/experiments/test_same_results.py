"""What a tree has written is read in full, but for what is another each time, and a difference is seen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.same_results.commands import RUNS
from experiments.same_results.numbers import Numbers, largest_difference, numbers_in


def written(
    folder: Path, t: float = 4.0, seconds: float = 1.0, part: str = "part-0-ab.parquet", **more: float
) -> Numbers:
    out = folder / "out"
    out.mkdir(parents=True)
    document = {"t": 1.0, "seconds": seconds, "plan_hash": "ab", "tests": [{"p_value": 0.5}, {"p_value": None}], **more}
    (out / "result.json").write_text(json.dumps(document), encoding="utf-8")
    pq.write_table(pa.table({"index": [1, 0], "t": [t, 3.0], "seconds": [seconds, seconds]}), out / part)
    np.savez(out / "state.npz", header=np.array(json.dumps({"n": 2})), sums=np.array([1.0, np.nan]))
    (out / "events.csv").write_text('"row","log_ratio"\n3,0.5\n4,0.25\n', encoding="utf-8")
    return numbers_in(folder, ["out"])


def test_twenty_runs_have_commands() -> None:
    assert len(RUNS) == 20
    assert all(RUNS.values())


def test_numbers_of_all_files_are_read_and_durations_are_not(tmp_path: Path) -> None:
    numbers = written(tmp_path)
    assert numbers["out/result.json/tests[0]/p_value"] == 0.5
    assert numbers["out/result.json/plan_hash"] == "ab"
    assert numbers["out/parts[1]/t"] == 4.0
    assert numbers["out/state.npz/header/n"] == 2
    assert numbers["out/events.csv/log_ratio[1]"] == 0.25
    assert not any("seconds" in key for key in numbers)


def test_what_is_another_each_time_is_no_difference(tmp_path: Path) -> None:
    one = written(tmp_path / "one")
    other = written(tmp_path / "other", seconds=2.0, part="part-0-cd.parquet")
    assert largest_difference(one, other) == (0.0, "")


def test_a_difference_and_a_missing_number_are_found(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one"), written(tmp_path / "other", t=4.0 + 4e-9)
    size, where = largest_difference(one, other)
    assert size == pytest.approx(1e-9)
    assert where == "out/parts[1]/t"
    assert largest_difference(one, written(tmp_path / "more", z=1.0)) == (math.inf, "out/result.json/z")
