"""Processes of a reference: yields before the cut, cross-sections, and several files by a pattern."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from nplm.io.processes import BeforeCut, matching_files, read_reference
from nplm.io.read import ReadError, read_sample


def write(path: Path, x: np.ndarray, w: np.ndarray | None = None) -> Path:
    np.savez(path, x=x, **({} if w is None else {"w": w}))
    return path


def write_nano(path: Path, n: int, sums: tuple[float, ...] = ()) -> Path:
    """Events of weight 2 with a list for each, and a tree Runs that has counted more of them."""
    counts = np.full(n, 2)
    events = {"Muon_pt": ak.unflatten(np.arange(2.0 * n), counts), "genWeight": np.full(n, 2.0)}
    with uproot.recreate(path) as file:
        file.mktree("Events", {k: ak.type(ak.Array(v)).content for k, v in events.items()}).extend(events)
        if sums:
            runs = {"genEventSumw": np.array(sums), "genEventCount": (np.array(sums) / 4).astype(np.int64)}
            file.mktree("Runs", {name: values.dtype for name, values in runs.items()}).extend(runs)
    return path


def test_a_yield_before_the_cut_is_scaled_by_the_weight_that_passes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", np.arange(10.0), np.array([1.0] * 5 + [3.0] * 5))
    said: list[str] = []
    found = read_reference([path], [BeforeCut(200.0)], weights="w", where="x >= 5", notify=said.append)
    assert found.total_weight == pytest.approx(200 * 15 / 20)
    assert said[-1] == f"{path}: 200 events expected of all 20 before the cut, 150 after the cut"
    # Without weights events are counted, and without a cut all of them are left.
    assert read_reference([path], [BeforeCut(200.0)], features=["x"], where="x >= 8").total_weight == pytest.approx(40)
    assert read_reference([path], [BeforeCut(200.0)], features=["x"]).total_weight == pytest.approx(200)


def test_expressions_and_lists_are_weighed_before_the_cut_too(tmp_path: Path) -> None:
    path = write_nano(tmp_path / "mc.root", 10)
    settings = {"features": ["pt = Muon_pt[0]"], "where": "Muon_pt[0] >= 10"}
    for weights in ("genWeight", "3 * genWeight", None):
        found = read_reference([path], [BeforeCut(1000.0)], weights=weights, **settings)
        assert found.total_weight == pytest.approx(500), weights


def test_a_cross_section_is_of_all_that_was_generated(tmp_path: Path) -> None:
    path = write_nano(tmp_path / "mc.root", 10, sums=(30.0, 10.0))
    settings = {"features": ["pt = Muon_pt[0]"], "where": "Muon_pt[0] >= 10"}
    said: list[str] = []
    generated = BeforeCut(1000.0, generated=True)
    found = read_reference([path], [generated], weights="genWeight", notify=said.append, **settings)
    assert found.total_weight == pytest.approx(1000 * 10 / 40)
    assert "all that was generated (tree Runs: 40)" in said[-1]
    # Without weights it is the number of events that was generated.
    found = read_reference([f"{path}:Events"], [generated], **settings)
    assert found.total_weight == pytest.approx(1000 * 5 / 9)
    # Files that know no more than themselves.
    plain = write_nano(tmp_path / "plain.root", 10)
    assert read_reference([plain], [generated], weights="genWeight", **settings).total_weight == pytest.approx(500)
    other = write(tmp_path / "a.npz", np.arange(10.0))
    assert read_reference([other], [generated], where="x < 5").total_weight == pytest.approx(500)


def test_a_pattern_is_all_its_files_together(tmp_path: Path) -> None:
    write(tmp_path / "mc2.npz", np.array([3.0, 4.0]), np.array([1.0, 1.0]))
    write(tmp_path / "mc1.npz", np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    write(tmp_path / "other.npz", np.array([9.0, 8.0]), np.array([1.0, 1.0]))
    pattern = str(tmp_path / "mc*.npz")
    found = read_reference([pattern, tmp_path / "other.npz"], [1200.0, 50.0], weights="w")
    np.testing.assert_allclose(found.events[:, 0], [1, 2, 3, 4, 9, 8])
    np.testing.assert_allclose(found.weights, [450, 450, 150, 150, 25, 25])
    assert found.name == "mc*.npz + other.npz"
    np.testing.assert_allclose(read_reference([pattern], [None], weights="w").weights, [3, 3, 1, 1])
    before = read_reference([pattern], [BeforeCut(80.0)], weights="w", where="x > 1 and x < 4")
    assert before.total_weight == pytest.approx(80 * 4 / 8)


def test_patterns_know_trees_folders_and_files_that_are_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a1.root", "a2.root"):
        write_nano(tmp_path / name, 4, sums=(8.0,))
    assert matching_files(f"{tmp_path}/a*.root:Events") == [f"{tmp_path}/a{i}.root:Events" for i in (1, 2)]
    found = read_reference(
        [f"{tmp_path}/a?.root:Events"],
        [BeforeCut(64.0, generated=True)],
        features=["max(Muon_pt)"],
        weights="genWeight",
    )
    assert found.total_weight == pytest.approx(64)
    write(tmp_path / "b[1].npz", np.array([1.0, 2.0]))
    monkeypatch.chdir(tmp_path)
    assert matching_files("b[1].npz") == ["b[1].npz"]
    assert matching_files("a?.root") == ["a1.root", "a2.root"]
    assert matching_files("root://host/*.root") == ["root://host/*.root"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"no file matches the pattern .*mc\*\.npz"):
        read_reference([tmp_path / "mc*.npz"], [1200.0])
    path = write(tmp_path / "a.npz", np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, -5.0]))
    with pytest.raises(ReadError, match="add up to -3"):
        read_reference([path], [BeforeCut(10.0)], weights="w", where="x < 3")
    one, two = write_nano(tmp_path / "n1.root", 4, sums=(8.0,)), write_nano(tmp_path / "n2.root", 4)
    assert read_sample(two, features=["max(Muon_pt)"]).name == "n2.root"
    with pytest.raises(ReadError, match=r"n2\.root has no tree Runs"):
        read_reference(
            [tmp_path / "n?.root"],
            [BeforeCut(10.0, generated=True)],
            features=["max(Muon_pt)"],
            weights="genWeight",
            tree="Events",
        )
    assert one.exists()


def test_trees_that_keep_books_are_not_taken_for_that_of_the_events(tmp_path: Path) -> None:
    path = write_nano(tmp_path / "mc.root", 4, sums=(8.0,))
    assert len(read_sample(path, features=["max(Muon_pt)"])) == 4
    with uproot.update(path) as file:
        file.mktree("More", {"x": np.dtype(float)}).extend({"x": np.zeros(3)})
    with pytest.raises(ReadError, match="several trees"):
        read_sample(path, features=["max(Muon_pt)"])
