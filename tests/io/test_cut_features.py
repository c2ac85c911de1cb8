"""Cuts that name features which are expressions of columns, in every format."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nplm import as_sample, read_reference, read_sample, write_sample
from nplm.cli.options import InputOptions
from nplm.cli.processes import processes_of
from nplm.cli.types import ReferenceFile
from nplm.cuts.cut import parse_cut
from nplm.data.sample import Sample
from nplm.io import BeforeCut, ReadError, row_numbers
from nplm.io.columns import read_columns
from tests.cli.conftest import Command
from tests.cli.conftest import nplm as nplm
from tests.io.test_nanoaod import MASS, events, write_root

RATIO = "r = pt / (1 + abs(eta))"


def _flat(n: int = 300) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {"pt": rng.exponential(30, n), "eta": rng.normal(size=n), "run": np.arange(n) % 3 * 1.0}


def _npz(path: Path, columns: dict[str, np.ndarray]) -> None:
    np.savez(path, **columns)  # type: ignore[arg-type]


def _hdf5(path: Path, columns: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values


def _csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    np.savetxt(path, np.column_stack(list(columns.values())), delimiter=",", header=",".join(columns), comments="")


def _parquet(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table({k: ak.to_arrow(ak.Array(v), extensionarray=False) for k, v in columns.items()}), path)


WRITERS: dict[str, Callable[[Path, Any], None]] = {
    ".npz": _npz,
    ".csv": _csv,
    ".h5": _hdf5,
    ".parquet": _parquet,
    ".root": write_root,
}


def _nano(path: Path) -> dict[str, Any]:
    """Muons, of which some events have one, with their numbers."""
    columns = events(1)
    columns["nMuon"] = ak.to_numpy(ak.num(columns["Muon_pt"])).astype(np.float64)
    WRITERS[path.suffix](path, columns)
    return columns


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("part", [200_000, 70])
def test_a_cut_names_a_feature_in_every_format(
    tmp_path: Path, suffix: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", part)
    columns, path = _flat(), tmp_path / f"flat{suffix}"
    WRITERS[suffix](path, columns)
    r = columns["pt"] / (1 + abs(columns["eta"]))
    kept = (columns["run"] > 0) & (r > 10)
    where = "run > 0 and r > 10"
    sample = read_sample(path, features=[RATIO, "eta"], where=where)
    np.testing.assert_allclose(sample["r"], r[kept])
    np.testing.assert_allclose(sample["eta"], columns["eta"][kept])
    rows = row_numbers(path, features=[RATIO, "eta"], where=where)
    assert rows is not None
    np.testing.assert_array_equal(rows, np.flatnonzero(kept))
    np.testing.assert_allclose(read_columns(path, [RATIO], where=where)[RATIO], r[kept])
    both = read_reference([path, path], [BeforeCut(300), BeforeCut(300)], features=[RATIO, "eta"], where=where)
    assert both.total_weight == pytest.approx(2 * kept.sum())


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
@pytest.mark.parametrize("part", [200_000, 700])
@pytest.mark.parametrize("where", ["nMuon >= 2 and mll > 60", "(60 < mll) & (nMuon >= 2)"])
def test_a_feature_is_computed_where_the_other_conditions_hold(
    tmp_path: Path, suffix: str, part: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", part)
    path = tmp_path / f"nano{suffix}"
    _nano(path)
    all_pairs = read_sample(path, features=[MASS], where="nMuon >= 2")
    heavy = all_pairs["mll"] > 60
    sample = read_sample(path, features=[MASS], where=where)
    assert 0 < len(sample) < len(all_pairs)
    np.testing.assert_array_equal(sample["mll"], all_pairs["mll"][heavy])
    rows = row_numbers(path, features=[MASS], where=where)
    pairs = row_numbers(path, where="nMuon >= 2")
    assert rows is not None
    assert pairs is not None
    np.testing.assert_array_equal(rows, pairs[heavy])


@pytest.mark.parametrize("part", [200_000, 700])
@pytest.mark.parametrize("where", ["mll > 60", "nMuon >= 2 or mll > 60", "mll > 60 and dpt < 100"])
def test_an_element_that_is_missing_is_told_over_all_parts(
    tmp_path: Path, part: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", part)
    columns = _nano(tmp_path / "nano.root")
    one = int((columns["nMuon"] < 2).sum())
    message = rf"nano\.root: Muon_pt\[1\] is missing in {one:,} of 3,000 events, .* cut on their lengths"
    features = [MASS, "dpt = Muon_pt[0] - Muon_pt[1]"]
    with pytest.raises(ReadError, match=message):
        read_sample(tmp_path / "nano.root", features=features, where=where)
    with pytest.raises(ReadError, match=message):
        row_numbers(tmp_path / "nano.root", features=features, where=where)
    with pytest.raises(ReadError, match=message):
        read_columns(tmp_path / "nano.root", features, where=where)


def test_a_column_of_that_name_is_meant_before_the_feature(tmp_path: Path) -> None:
    _npz(tmp_path / "flat.npz", {"pt": np.array([1.0, 2.0, 3.0]), "r": np.array([1.0, 0.0, 1.0])})
    sample = read_sample(tmp_path / "flat.npz", features=["r = -pt"], where="r > 0.5")
    assert sample["r"].tolist() == [-1.0, -3.0]


def test_a_column_by_another_name_keeps_its_integers_and_lists() -> None:
    large = {"event": np.array([2**53 + 1, 2**53 + 2]), "jets": ak.Array([[1.0, 40.0], [2.0]])}
    features = ["id = event", "j = jets"]
    assert parse_cut(f"id == {2**53 + 1}", large, features)(large).tolist() == [True, False]
    assert parse_cut("count(j > 30) >= 1 and id > 0", large, features)(large).tolist() == [True, False]
    assert parse_cut("id > 0", large, features).columns == ("event",)


def test_conditions_without_columns_and_events_without_any_left() -> None:
    columns = {"pt": np.array([1.0, 2.0])}
    cut = parse_cut("1 < 2 and twice > 2 and (0 < 1 or pt > 9)", columns, ["twice = 2 * pt"])
    assert cut(columns).tolist() == [False, True]
    assert not parse_cut("pt > 5 and twice > 2", columns, ["twice = 2 * pt"])(columns).any()
    assert not parse_cut("2 < 1 and twice > 2", columns, ["twice = 2 * pt"])(columns).any()
    with pytest.raises(ReadError, match=r"there is no column 'twise' \(did you mean 'twice'\?\)"):
        parse_cut("twise > 1", columns, ["twice = 2 * pt"])
    with pytest.raises(ReadError, match=r"the cut 'twice > 1' is refused: .*there is no column 'p'"):
        parse_cut("twice > 1", columns, ["twice = 2 * p"])


def test_features_of_a_table_in_memory_are_cut_by_name() -> None:
    columns = _flat()
    sample = as_sample(columns, features=[RATIO, "eta"]).where("r > 10 and eta > 0")
    assert len(sample) == ((columns["pt"] / (1 + abs(columns["eta"])) > 10) & (columns["eta"] > 0)).sum()


def test_the_command_takes_it_and_knows_the_rows(tmp_path: Path, nplm: Command) -> None:
    rng = np.random.default_rng(0)
    for name, n in (("data", 200), ("a", 400), ("b", 400)):
        x = np.column_stack([rng.exponential(30, n), rng.normal(size=n)])
        write_sample(Sample(x, features=("pt", "eta")), tmp_path / f"{name}.npz")
    files = [str(tmp_path / f"{name}.npz") for name in ("data", "a", "b")]
    asked = ["--features", "eta", RATIO, "--where", "r > 10 and pt < 100", "--model", "kernel", "--shape-only"]
    done = nplm("test", files[0], "--reference", *files[1:], *asked, "-o", str(tmp_path / "out"))
    assert done.code == 0, done.err
    with (tmp_path / "out" / "events.csv").open() as lines:
        told = list(csv.DictReader(lines))
    data = np.load(files[0])
    rows = [int(line["row"]) for line in told]
    assert rows
    r = data["pt"] / (1 + abs(data["eta"]))
    np.testing.assert_allclose([float(line["r"]) for line in told], r[rows])


def test_the_parts_of_a_reference_are_counted_with_the_same_cut(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _npz(tmp_path / f"{name}.npz", _flat(300 if name == "a" else 200))
    paths = [str(tmp_path / f"{name}.npz") for name in ("a", "b")]
    features, where = ("eta", RATIO), "r > 10 and pt < 100"
    options = InputOptions(reference=tuple(ReferenceFile(path, None) for path in paths), features=features, where=where)
    parts = processes_of(options, read_reference(paths, [None, None], features=features, where=where))
    assert [part.name for part in parts] == ["a", "b"]
    assert parts[0].events == len(read_sample(paths[0], features=features, where=where))
