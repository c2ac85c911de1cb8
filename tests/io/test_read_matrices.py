"""Matrices beside other columns of npz and HDF5 files, whose elements expressions name: jets[0]."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nplm.io.read import ReadError, column_names, read_sample, row_numbers

RNG = np.random.default_rng(3)
N = 50
JETS, X, W = RNG.normal(size=(N, 3)), RNG.normal(size=N), RNG.uniform(1, 2, N)
COLUMNS = {"x": X, "jets": JETS, "w": W}


@pytest.fixture(params=["npz", "h5"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"a.{request.param}"
    if request.param == "npz":
        np.savez(path, **COLUMNS)
    else:
        with h5py.File(path, "w") as file:
            for name, values in COLUMNS.items():
                file[name] = values
    return path


def test_elements_are_features_weights_and_cuts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", 7)  # several parts
    kept = JETS[:, 1] > 0
    chosen: dict[str, Any] = {"where": "jets[1] > 0"}
    sample = read_sample(path, features=["jets[2]", "x", "sum(jets)"], weights="abs(jets[0]) + w", **chosen)
    np.testing.assert_allclose(sample.events, np.column_stack([JETS[:, 2], X, JETS.sum(axis=1)])[kept])
    np.testing.assert_allclose(sample.weights, (np.abs(JETS[:, 0]) + W)[kept])
    np.testing.assert_array_equal(row_numbers(path, **chosen), np.flatnonzero(kept))
    # A cut alone, and the last element.
    np.testing.assert_array_equal(read_sample(path, features=["x"], **chosen).events[:, 0], X[kept])
    np.testing.assert_array_equal(read_sample(path, features=["jets[-1]"]).events[:, 0], JETS[:, 2])


def test_columns_of_a_matrix_keep_their_other_names(path: Path) -> None:
    np.testing.assert_array_equal(read_sample(path, features=["jets/x1", "x2"]).events, JETS[:, 1:])
    assert set(column_names(path)) >= {"x", "w", "jets", "x0", "jets/x0"}


def test_a_matrix_is_no_feature_by_itself(path: Path) -> None:
    with pytest.raises(ReadError, match=r"column 'jets' is jagged .*jets\[0\]"):
        read_sample(path, features=["x", "jets"])
    with pytest.raises(ReadError, match=r"jets\[3\] is missing in 50 of 50 events"):
        read_sample(path, features=["jets[3]"])


def test_a_matrix_has_the_name_of_its_group_where_another_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/jets"], file["b/jets"], file["b/x"] = JETS, -JETS, X
        file["text"] = np.array([["a", "b"]] * N, "S")
    assert read_sample(path, features=["`b/jets`[0] + x"]).events[:, 0] == pytest.approx(X - JETS[:, 0])
    assert read_sample(f"{path}:a", features=["jets[0]"]).events[:, 0] == pytest.approx(JETS[:, 0])
    with pytest.raises(ReadError, match="there is no column 'jets'"):
        read_sample(path, features=["jets[0]"])
    with pytest.raises(ReadError, match=r"column 'text' holds .*not numbers"):
        read_sample(path, features=["text[0]"])


def test_a_matrix_of_other_events_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, jets=JETS[:-1])
    with pytest.raises(ReadError, match="different lengths"):
        read_sample(tmp_path / "a.npz", features=["x", "jets[0]"])


def test_what_lists_need_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "awkward":
            raise ImportError("No module named 'awkward'")
        return whole(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ReadError, match=r"need awkward: pip install"):
        read_sample(path, features=["jets[0]"])
