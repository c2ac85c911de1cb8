"""Bad files and bad questions are refused, with a message that names the file and what to do."""

import builtins
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import uproot

from nplm.io.processes import read_reference
from nplm.io.read import ReadError, read_sample

X = np.arange(1.0, 5.0)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.npz"
    np.savez(path, pt=X, eta=-X, w=np.ones(4))
    return path


def refused(path: str | Path, message: str, **options: object) -> str:
    with pytest.raises(ReadError, match=message) as caught:
        read_sample(path, **options)
    text = str(caught.value)
    assert Path(str(path).partition(":")[0]).name in text  # every message names the file
    assert text.count("\n") == 0
    assert len(text) < 600
    return text


# -- the path ---------------------------------------------------------------------------------------------------------


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.csv", r"nothing\.csv does not exist")
    refused(tmp_path / "nothing.root:tree", r"nothing\.root does not exist")
    refused(tmp_path / f"{'a' * 300}.csv", "cannot be opened: File name too long")


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    refused(tmp_path / "folder.csv", "is a folder")


def test_an_unknown_suffix_lists_the_known(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1")
    refused(
        tmp_path / "a.txt",
        r"unknown suffix '\.txt'; known: \.npz, \.npy, \.csv, \.h5, \.hdf5, \.parquet, \.feather, \.arrow, \.root",
    )


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".h5", ".hdf5", ".parquet", ".root"])
def test_a_file_without_a_byte(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    refused(tmp_path / f"a{suffix}", r"is empty \(0 bytes\)")


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".npz", "npz"), (".npy", "npy"), (".h5", "HDF5"), (".hdf5", "HDF5"), (".parquet", "Parquet"), (".root", "ROOT")],
)
def test_a_file_of_another_kind(tmp_path: Path, suffix: str, kind: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"these are not the bytes you are looking for\n" * 30)
    refused(tmp_path / f"a{suffix}", f"cannot be read as {kind}: .*; is it complete")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".h5", ".parquet", ".root"])
def test_a_file_cut_short(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    values = np.random.default_rng(3).normal(size=20_000)
    if suffix == ".npz":
        np.savez(path, x=values)
    elif suffix == ".npy":
        np.save(path, values)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["x"] = values
    elif suffix == ".parquet":
        pa.parquet.write_table(pa.table({"x": values}), path)
    else:
        with uproot.recreate(path) as file:
            file.mktree("t", {"x": "f8"})
            file["t"].extend({"x": values})
    whole = path.read_bytes()
    assert len(read_sample(path)) == 20_000
    for share in (0.01, 0.3, 0.6):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path, "cannot be read as")


def test_a_flipped_byte_in_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(1000.0))
    damaged = bytearray(path.read_bytes())
    damaged[4000] ^= 0xFF
    path.write_bytes(damaged)
    refused(path, "cannot be read as npz: Bad CRC-32")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a.csv",
        "root://example.org//a.root",
        "root://example.org//a.root:tree",
        "s3://bucket/a.parquet",
        "file:///tmp/a.root",
        "simplecache::https://example.org/a.root",
        Path("https://example.org/a.root"),
    ],
)
def test_a_remote_address(address: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uproot, "open", lambda *a, **k: pytest.fail("the address was opened"))
    with pytest.raises(ReadError, match=r"is a remote address; .* allow_remote=True \(--allow-remote\)"):
        read_sample(address)


def test_remote_is_for_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="only ROOT files are read from one"):
        read_sample("https://example.org/a.csv", allow_remote=True)
    opened: list[object] = []

    def opener(files: dict[str, None], **options: object) -> None:
        opened.append((files, options))
        raise OSError("no network here")

    monkeypatch.setattr(uproot, "open", opener)
    with pytest.raises(ReadError, match=r"https://example\.org/a\.root cannot be read as ROOT: no network here"):
        read_sample("https://example.org/a.root:t", allow_remote=True)
    assert opened == [({"https://example.org/a.root": None}, {})]


# -- columns ----------------------------------------------------------------------------------------------------------


def test_a_missing_column(plain: Path) -> None:
    refused(plain, r"no feature 'Pt' \(did you mean 'pt'\?\); its columns: pt, eta, w", features=["Pt"])
    refused(plain, r"no weight column 'zzz'; its columns: pt, eta, w", weights="zzz")
    refused(plain, r"the cut 'mll > 3' is refused: there is no column 'mll'; there are: pt, eta, w", where="mll > 3")


def test_a_long_list_of_columns_is_shortened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{f"c{i}": X for i in range(300)})
    refused(tmp_path / "a.npz", r"c0, c1, .*, \.\.\. \(300 in all\)", features=["x"])


def test_no_feature_left(tmp_path: Path, plain: Path) -> None:
    np.savez(tmp_path / "a.npz", w=X)
    refused(tmp_path / "a.npz", "no column is left for the features; its columns: w", weights="w")
    refused(plain, "no column is left for the features", features=[])
    refused(plain, "feature names must be distinct", features=["pt", "pt"])


def test_columns_of_different_length(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, edges=np.arange(9))
    refused(tmp_path / "a.npz", r"different lengths \(x 4, edges 9\)")


def test_two_matrices(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.ones((3, 2)), reference=np.ones((3, 2)))
    refused(tmp_path / "a.npz", r"2 tables \(data, reference\); choose one, as in .*a\.npz:data, or name the features")
    refused(tmp_path / "a.npz", "has no array or group 'mc'; it holds: data, reference", tree="mc")


def test_a_cube_is_no_column(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2, 2)))
    refused(tmp_path / "a.npy", "no column is left")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array(["a", "b"]), "column 'v' holds str"),
        (np.array([1j, 2]), "column 'v' holds complex128"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "column 'v' holds datetime64"),
        (np.zeros(3, dtype=[("v", "f8", (2,))]), "column 'v' is jagged"),
    ],
)
def test_what_is_not_a_number(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "a.npz", v=values)
    refused(tmp_path / "a.npz", message)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[1.0], []]), "column 'v' is jagged"),
        (pa.array([[1.0, 2.0], [2.0, 3.0]], pa.list_(pa.float64(), 2)), "column 'v' is jagged"),
        (pa.array([[1.0], None]), "column 'v' is jagged"),
        (pa.array([[{"a": 1.0}], [{"a": 2.0}]]), r"column 'v' holds records, not numbers; name their parts \(v\.a\)"),
        (pa.array(["1.5", "two"]), r"column 'v' holds string, not numbers \(row 1: 'two'\)"),
        (pa.array(["a", "b"]).dictionary_encode(), "column 'v' holds string"),
        (pa.array([1, 2], pa.timestamp("ms")), r"column 'v' holds timestamp\[ms\], not numbers"),
        (pa.array([1.0, None]), "column 'v' is missing or not finite in 1 of 2 rows .first: row 1"),
        (pa.array([None, None]), "column 'v' is missing or not finite in 2 of 2 rows"),
    ],
)
def test_parquet_columns_that_are_no_numbers(tmp_path: Path, column: pa.Array, message: str) -> None:
    pa.parquet.write_table(pa.table({"v": column}), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", message)


def test_hdf5_columns_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        jagged = file.create_dataset("jets", (2,), h5py.vlen_dtype("f8"))
        jagged[0], jagged[1] = [1.0], [2.0, 3.0]
        file["text"] = ["a", "b"]
        file["x"] = [1.0, 2.0]
    refused(path, r"column 'jets' is an object array \(text, jagged rows", features=["jets"])
    refused(path, r"column 'text' is an object array \(text, jagged rows", features=["text"])
    assert len(read_sample(path, features=["x"])) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", r"a\.csv, line 3: 1 values where the header names 2 columns \('3'\)"),
        ("a,b\n\n1,2\n\n1,2,3\n", r"a\.csv, line 5: 3 values where the header names 2 columns"),
        ("a,b\n1,2\n3,x\n", r"column 'b' holds string, not numbers \(row 1: 'x'\)"),
        ("a,b\n1,2\n3,\n", "column 'b' is missing or not finite in 1 of 2 rows .first: row 1"),
        ("a,b\n1,2\n3,inf\n", "column 'b' is missing or not finite"),
        ("a,b\n1,nan\n3,4\n", "column 'b' is missing or not finite"),
        ("a,a\n1,2\n", "more than one column is called 'a'"),
        ("a,\n1,2\n", "line 1 must be a header"),
        ("\na,b\n1,2\n", "line 1 must be a header"),
        ("1.5,2.5\n1,2\n", "line 1 holds numbers, but a header"),
        ("a,b\n", "holds no events"),
        ("a,b", "holds no events"),
        ("a,b\n\n\n", "holds no events"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    refused(tmp_path / "a.csv", message)


def test_csv_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01,b\n1,2\n")
    refused(tmp_path / "a.csv", "cannot be read as CSV: 'utf-8' codec")


def test_root_branches_and_trees(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    columns = {"x": X, "jets": ak.Array([[1.0], [], [2.0, 3.0], []]), "p4": np.ones((4, 4))}
    kinds = {"x": "f8", "jets": "var * float64", "p4": np.dtype(("f8", (4,)))}
    with uproot.recreate(path) as file:
        file.mktree("one", kinds)
        file["one"].extend(columns)
        file.mkrntuple(
            "two", {**columns, "text": ak.Array(["a", "b", "c", "d"]), "mu": ak.zip({"pt": columns["jets"]})}
        )
        file["h"] = np.histogram(X)
    refused(path, r"several trees \(two, one\); choose one|several trees \(one, two\); choose one")
    refused(path, r"no tree 'three'; its trees: \w+, \w+", tree="three")
    refused(path, "no tree 'h'; the histogram of that name holds counts, not events: take the file", tree="h")
    refused(f"{path}:three", "no tree 'three'")
    refused(f"{path}:one", "names the tree 'one', but the tree 'two' was asked for too", tree="two")
    for tree, branch in (("one", "jets"), ("one", "p4"), ("two", "jets"), ("two", "p4"), ("two", "mu.pt")):
        refused(path, f"'{branch}' is jagged", tree=tree, features=["x", branch])
        refused(path, f"'{branch} > 1' is about each element", tree=tree, features=["x"], where=f"{branch} > 1")
    refused(path, "branch 'text' holds std::string, not numbers", tree="two", features=["text"])
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram(X)
    refused(tmp_path / "h.root", r"holds no tree of events \(it holds: h\); a histogram holds counts, not events")


def test_root_without_uproot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.root").write_text("root")
    real = builtins.__import__

    def without(name: str, *args: object, **options: object) -> object:
        if name == "uproot":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(tmp_path / "a.root", r'run pip install "\.\[root\]" in a clone of nplm')


def test_only_root_has_trees(plain: Path) -> None:
    refused(plain, "has no array or group 'events'; it holds: pt, eta, w", tree="events")
    (plain.parent / "a.csv").write_text("x\n1\n")
    refused(plain.parent / "a.csv", "only ROOT, HDF5 and npz files have parts to choose", tree="events")


# -- rows -------------------------------------------------------------------------------------------------------------


def test_no_event_passes(plain: Path) -> None:
    refused(plain, "none of its 4 rows passes the cut 'pt > 60 and eta < 0'", where="pt > 60 and eta < 0")
    refused(plain, "column 'pt' stands for yes or no, but holds 2", where="not pt")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".h5", ".parquet", ".root"])
def test_no_event_at_all(tmp_path: Path, suffix: str) -> None:
    path, none = tmp_path / f"a{suffix}", np.empty(0)
    if suffix == ".npz":
        np.savez(path, x=none)
    elif suffix == ".npy":
        np.save(path, none)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["x"] = none
    elif suffix == ".parquet":
        pa.parquet.write_table(pa.table({"x": none}), path)
    else:
        with uproot.recreate(path) as file:
            file.mktree("t", {"x": "f8"})
    refused(path, "holds no events")
    refused(path, "holds no events", where="x0 > 1" if suffix == ".npy" else "x > 1")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["pt", "w"])
def test_a_value_that_is_not_finite(tmp_path: Path, bad: float, column: str) -> None:
    columns = {"pt": X.copy(), "w": np.ones(4), "run": np.arange(4)}
    columns[column][2] = bad
    np.savez(tmp_path / "a.npz", **columns)
    message = rf"column '{column}' is missing or not finite in 1 of 4 rows \(first: row 2, counted from 0\)"
    refused(tmp_path / "a.npz", message, features=["pt"], weights="w")
    refused(tmp_path / "a.npz", message, features=["pt"], weights="w", where="run > 0")  # the row of the file
    kept = read_sample(tmp_path / "a.npz", features=["pt"], weights="w", where=f"abs({column}) < 1e300")
    np.testing.assert_array_equal(kept.events[:, 0], X[[0, 1, 3]])


def test_weights_that_add_up_to_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, w=[1.0, -1.0, 1.0, -1.0], s=[2.0, -1.0, 1.0, -1.0])
    refused(tmp_path / "a.npz", "the weights add up to 0, but a yield must be positive", features=["x"], weights="w")
    assert read_sample(tmp_path / "a.npz", features=["x"], weights="s").total_weight == 1.0
    refused(tmp_path / "a.npz", "the weights add up to -1", features=["x"], weights="s", where="x > 1")


# -- several files ----------------------------------------------------------------------------------------------------


def test_bad_references(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "plain.npz"
    np.savez(other, pt=X, mass=X)
    with pytest.raises(ReadError, match="at least one file"):
        read_reference([], [])
    with pytest.raises(ReadError, match="2 files but 1 yields"):
        read_reference([plain, plain], [1.0])
    with pytest.raises(ReadError, match=f"no expected yield for {other}; give one for every file"):
        read_reference([plain, other], [1.0, None], features=["pt"])
    with pytest.raises(ReadError, match=f"{plain} and {other} have different features: {other} lacks eta, w"):
        read_reference([plain, other], [None, None])
    with pytest.raises(ReadError, match=f"{other}: no feature 'eta'"):
        read_reference([plain, other], [None, None], features=["eta"])
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ReadError, match=f"{plain}: the expected yield must be a positive number"):
            read_reference([plain], [bad])


# -- files that claim more than they hold -----------------------------------------------------------------------------
