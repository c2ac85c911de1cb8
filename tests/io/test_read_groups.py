"""Groups of HDF5, trees of ROOT and records of Parquet; and the files of a reference."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import uproot

from nplm.io import ReadError, read_reference, read_sample


def test_hdf5_names_with_and_without_their_group(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file["jet/pt"] = [1.0, 2.0]
        file["muon/pt"] = [3.0, 4.0]
        file["muon/eta"] = [5.0, 6.0]
        file["alias"] = h5py.SoftLink("/muon/eta")
    assert read_sample(path).features == ("jet/pt", "muon/pt", "eta", "alias")
    sample = read_sample(
        path, features=["muon/eta", "jet/pt"], where='col("muon/pt") > 3 and col("muon/eta") > eta - 1'
    )
    assert sample.features == ("muon/eta", "jet/pt")
    np.testing.assert_array_equal(sample.events, [[6.0, 2.0]])
    assert "eta" not in read_sample(path, weights="muon/eta").features  # the weights, whatever they are called


def test_root_branches_that_are_no_features(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    _root_with_lists(path)
    for tree, flat in (("flat", ("x", "good", "njets")), ("ntuple", ("good", "x"))):
        with pytest.warns(UserWarning, match=r"jets, (muon, muon\.pt, )?p4 \(lists of values\)\. To choose"):
            sample = read_sample(path, tree=tree)
        assert sample.features == flat
        np.testing.assert_array_equal(sample.events[:, flat.index("x")], [0.0, 1.0, 2.0])
        again = read_sample(f"{path}:{tree}", where="good", features=["x"])
        np.testing.assert_array_equal(again.events[:, 0], [0.0, 2.0])


def test_the_only_tree_is_found_among_cycles_and_histograms(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        for scale in (1.0, 2.0):
            file.mktree("folder/events", {"x": np.dtype("f8")})
            file["folder/events"].extend({"x": scale * np.arange(1.0, 4.0)})
        file["h"] = np.histogram([1.0, 2.0])
    with uproot.open(path) as file:
        assert {"folder/events;1", "folder/events;2"} <= set(file.keys())
    np.testing.assert_array_equal(read_sample(path).events[:, 0], [2.0, 4.0, 6.0])
    np.testing.assert_array_equal(read_sample(path, tree="folder/events").events[:, 0], [2.0, 4.0, 6.0])
    np.testing.assert_array_equal(read_sample(f"{path}:folder/events;1").events[:, 0], [1.0, 2.0, 3.0])


def _root_with_lists(path: Path) -> None:
    columns = {
        "x": np.arange(3, dtype="f4"),
        "good": np.array([True, False, True]),
        "jets": ak.Array([[1.0], [], [2.0, 3.0]]),
        "p4": np.ones((3, 4)),
    }
    kinds = {"x": "f4", "good": "?", "jets": "var * float64", "p4": np.dtype(("f8", (4,)))}
    with uproot.recreate(path) as file:
        file.mktree("flat", kinds)
        file["flat"].extend(columns)
        file.mkrntuple("ntuple", {**columns, "muon": ak.zip({"pt": columns["jets"]})})


def test_a_reference_adds_its_processes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=[1.0, 2.0], w=[1.0, 3.0])
    np.savez(tmp_path / "b.npz", x=[3.0, 4.0], w=[1.0, -0.5])
    paths = [tmp_path / "a.npz", str(tmp_path / "b.npz")]
    scaled = read_reference(paths, [8.0, 1.0], weights="w")
    assert scaled.name == "a.npz + b.npz"
    np.testing.assert_array_equal(scaled.events[:, 0], [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(scaled.weights, [2.0, 6.0, 2.0, -1.0])
    plain = read_reference(paths, [None, None], weights="w", where="x > 1", name="reference")
    assert plain.name == "reference"
    np.testing.assert_array_equal(plain.weights, [3.0, 1.0, -0.5])
    cut = read_reference(paths, [8.0, 2.0], weights="w", where="x < 4 and x > 1")  # the yield is that after the cut
    np.testing.assert_allclose(cut.weights, [8.0, 2.0])


def test_the_columns_of_the_files_of_a_reference_may_have_any_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=[1.0, 2.0], y=[5.0, 6.0])
    np.savez(tmp_path / "b.npz", y=[7.0], x=[3.0])
    total = read_reference([tmp_path / "a.npz", tmp_path / "b.npz"], [None, None])
    assert total.features == ("x", "y")
    np.testing.assert_array_equal(total.events, [[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])


def test_records_of_parquet_have_columns_with_dots(tmp_path: Path) -> None:
    kind = pa.struct([("pt", pa.float64()), ("more", pa.struct([("eta", pa.float64())]))])
    rows = [{"pt": 1.0, "more": {"eta": 2.0}}, {"pt": 3.0, "more": {"eta": 4.0}}, {"pt": 5.0, "more": None}]
    jets = pa.array(rows, kind)
    table = pa.table({"jet": jets, "x": [1.0, 2.0, 3.0]})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    sample = read_sample(tmp_path / "a.parquet", where="jet.pt < 4")
    assert sample.features == ("jet.pt", "jet.more.eta", "x")
    np.testing.assert_array_equal(sample.events, [[1.0, 2.0, 1.0], [3.0, 4.0, 2.0]])
    np.testing.assert_array_equal(
        read_sample(tmp_path / "a.parquet", features=["jet.pt"]).events[:, 0], [1.0, 3.0, 5.0]
    )
    with pytest.raises(ReadError, match=r"'jet\.more\.eta' is missing or not finite in 1 of 3 rows"):
        read_sample(tmp_path / "a.parquet")


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 1)])
def test_lists_of_one_value_in_parquet_are_that_value(tmp_path: Path, kind: pa.DataType) -> None:
    pa.parquet.write_table(pa.table({"w": pa.array([[1.0], [2.0], [3.0]], kind)}), tmp_path / "a.parquet")
    np.testing.assert_array_equal(read_sample(tmp_path / "a.parquet").events[:, 0], [1.0, 2.0, 3.0])
