"""Every format gives back the events that were written."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import uproot

from nplm.data.sample import Sample
from nplm.io import ReadError, read_sample, write_sample

RNG = np.random.default_rng(2)
N = 50
# In this order on purpose: sorted by name it would be another one.
DATA = {"pt": RNG.exponential(50, N), "eta": RNG.normal(size=N), "charge": RNG.choice([-1.0, 1.0], N)}
WEIGHT = RNG.uniform(0.5, 1.5, N)
ALL = {**DATA, "w": WEIGHT}
EVENTS = np.stack(list(DATA.values()), axis=1)


def _npz(path: Path) -> None:
    np.savez(path, **ALL)


def _npy(path: Path) -> None:
    table = np.empty(N, dtype=[(name, ">f8") for name in ALL])
    for name, values in ALL.items():
        table[name] = values
    np.save(path, table)


def _csv(path: Path) -> None:
    rows = "\n".join(",".join(repr(float(v)) for v in row) for row in zip(*ALL.values(), strict=True))
    path.write_text(f"pt, eta,charge,w\n{rows}\n")


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w", track_order=True) as file:
        for name, values in ALL.items():
            file[name] = values


def _hdf5_group(path: Path) -> None:
    with h5py.File(path, "w", track_order=True) as file:
        group = file.create_group("events", track_order=True)
        for name, values in ALL.items():
            group[name] = values.astype(">f8")


def _hdf5_compound(path: Path) -> None:
    table = np.empty(N, dtype=[(name, "f8") for name in ALL])
    for name, values in ALL.items():
        table[name] = values
    with h5py.File(path, "w") as file:
        file["events"] = table


def _parquet(path: Path) -> None:
    pa.parquet.write_table(pa.table(ALL), path)


def _tree(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mktree("events", {name: np.dtype("f8") for name in ALL})
        file["events"].extend(ALL)


def _ntuple(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mkrntuple("events", ALL)


WRITERS: list[tuple[str, Callable[[Path], None]]] = [
    ("a.npz", _npz),
    ("a.npy", _npy),
    ("a.csv", _csv),
    ("a.h5", _hdf5),
    ("group.hdf5", _hdf5_group),
    ("compound.h5", _hdf5_compound),
    ("a.parquet", _parquet),
    ("a.root", _tree),
    ("ntuple.root", _ntuple),
]


@pytest.fixture(params=WRITERS, ids=[f"{name}" for name, _ in WRITERS])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, write = request.param
    write(tmp_path / name)
    return tmp_path / name


def test_all_columns_but_the_weights_in_file_order(file: Path) -> None:
    sample = read_sample(file, weights="w")
    order = tuple(sorted(DATA)) if file.name == "ntuple.root" else tuple(DATA)  # uproot lists its fields sorted
    assert sample.features == order
    assert sample.name == file.name
    np.testing.assert_array_equal(sample.events, np.stack([DATA[name] for name in order], axis=1))
    np.testing.assert_array_equal(sample.weights, WEIGHT)
    assert sample.events.dtype == np.dtype("=f8")


def test_chosen_columns_in_the_order_asked_for(file: Path) -> None:
    sample = read_sample(str(file), features=["eta", "pt"], name="data")
    assert sample.features == ("eta", "pt")
    assert sample.name == "data"
    np.testing.assert_array_equal(sample.events, EVENTS[:, [1, 0]])
    assert not sample.is_weighted


def test_a_cut_on_a_column_that_is_no_feature(file: Path) -> None:
    sample = read_sample(file, features=["eta"], weights="w", where="30 < pt < 80 and charge > 0")
    kept = (DATA["pt"] > 30) & (DATA["pt"] < 80) & (DATA["charge"] > 0)
    assert 0 < kept.sum() < N
    np.testing.assert_array_equal(sample.events[:, 0], DATA["eta"][kept])
    np.testing.assert_array_equal(sample.weights, WEIGHT[kept])


def test_one_feature_may_be_given_as_text(file: Path) -> None:
    assert read_sample(file, features="pt").features == ("pt",)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".h5", ".hdf5", ".parquet"])
@pytest.mark.parametrize("weights", [None, WEIGHT])
@pytest.mark.parametrize("names", [("pt", "eta", "charge"), ("η", "file", "jet pt")])
def test_what_is_written_is_read(
    tmp_path: Path, suffix: str, weights: np.ndarray | None, names: tuple[str, ...]
) -> None:
    path = tmp_path / f"sample{suffix}"
    sample = Sample(EVENTS, weights, names, "sample")
    write_sample(sample, path)
    again = read_sample(path, weights=None if weights is None else "weight")
    assert again.fingerprint() == sample.fingerprint()
    assert list(tmp_path.iterdir()) == [path]


def test_writing_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    sample = Sample(EVENTS, WEIGHT, tuple(DATA))
    with pytest.raises(ValueError, match=r"unknown suffix '\.txt'; known: \.npz"):
        write_sample(sample, tmp_path / "a.txt")
    with pytest.raises(ValueError, match="'pt' is a feature"):
        write_sample(sample, tmp_path / "a.npz", weights="pt")
    with pytest.raises(ValueError, match="'a/b'"):
        write_sample(Sample(DATA["pt"], features=["a/b"]), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_matrix_is_x0_x1(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", EVENTS)
    np.savez_compressed(tmp_path / "a.npz", events=EVENTS, w=WEIGHT, version=3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["events"] = EVENTS
        file["w"] = WEIGHT
    for name, weights in (("a.npy", None), ("a.npz", "w"), ("a.h5", "w")):
        sample = read_sample(tmp_path / name, weights=weights, where="x0 > 30")
        kept = DATA["pt"] > 30
        assert sample.features == ("x0", "x1", "x2")
        np.testing.assert_array_equal(sample.events, EVENTS[kept])
        np.testing.assert_array_equal(sample.weights, WEIGHT[kept] if weights else np.ones(kept.sum()))
    assert read_sample(tmp_path / "a.npz", notify=lambda m: None).features == (
        "x0",
        "x1",
        "x2",
    )  # w is no feature beside a matrix


def test_one_of_several_arrays_is_chosen(tmp_path: Path) -> None:
    """And the columns of the others go by their full names."""
    np.savez(tmp_path / "a.npz", data=EVENTS[:9], reference=EVENTS, w=WEIGHT, wide=np.ones((N, 1, 2)))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["in/data"], file["in/reference"], file["w"] = EVENTS[:9], EVENTS, WEIGHT
    for name, inner in (("a.npz", ""), ("a.h5", "in/")):
        data = read_sample(f"{tmp_path / name}:{inner}data")
        reference = read_sample(tmp_path / name, tree=f"{inner}reference", weights="w", where="x0 > 30 and w > 0")
        assert data.features == reference.features == ("x0", "x1", "x2")
        np.testing.assert_array_equal(data.events, EVENTS[:9])
        np.testing.assert_array_equal(reference.events, EVENTS[DATA["pt"] > 30])
        np.testing.assert_array_equal(reference.weights, WEIGHT[DATA["pt"] > 30])
        named = read_sample(tmp_path / name, features=[f"{inner}reference/x1"])
        np.testing.assert_array_equal(named.events[:, 0], DATA["eta"])


def test_arrays_of_one_column_are_columns_beside_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pt=DATA["pt"][:, None], eta=DATA["eta"][:, None])
    sample = read_sample(tmp_path / "a.npz")
    assert sample.features == ("pt", "eta")
    np.testing.assert_array_equal(sample.events, EVENTS[:, :2])
    np.savez(tmp_path / "b.npz", events=EVENTS, label=WEIGHT[:, None])
    np.testing.assert_array_equal(read_sample(tmp_path / "b.npz", weights="label").weights, WEIGHT)


def test_structured_arrays_are_not_mixed(tmp_path: Path) -> None:
    kind = [("pt", "f8"), ("eta", "f8")]
    tables = {name: np.array([(1.0, 2.0), (3.0, 4.0)], kind) for name in ("data", "reference")}
    np.savez(tmp_path / "a.npz", **tables, jets=np.zeros((2, 5), kind))  # jets: lists of records, which are no table
    with pytest.raises(ReadError, match=r"holds 2 tables \(data, reference\)"):
        read_sample(tmp_path / "a.npz")
    assert read_sample(f"{tmp_path / 'a.npz'}:data").features == ("pt", "eta")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", events=EVENTS, w=WEIGHT, image=np.ones((N, 4, 4)), version=3)
    told: list[str] = []
    read_sample(tmp_path / "a.npz", weights="w", notify=told.append)
    assert [message.partition("a.npz: ")[2] for message in told] == [
        "not among the features: image (shape 50 x 4 x 4); version (a single value). To choose, name the features"
    ]
    with pytest.warns(UserWarning, match=r"w \(beside events\)"):
        read_sample(tmp_path / "a.npz")
    told.clear()
    read_sample(tmp_path / "a.npz", features=["x1"], notify=told.append)
    assert told == []


def test_groups_of_any_depth(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", track_order=True) as file:
        file["a/b/c/d/pt"], file["a/b/c/eta"] = DATA["pt"], DATA["eta"]
        file["a/b/again"] = file["a"]  # a circle
        file["a/b/twice"] = h5py.SoftLink("/a/b/c")
    sample = read_sample(tmp_path / "a.h5", features=["a/b/c/d/pt", "eta"])
    np.testing.assert_array_equal(sample.events, EVENTS[:, :2])


def test_one_dimensional_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DATA["pt"])
    sample = read_sample(tmp_path / "a.npy")
    assert sample.features == ("x0",)
    np.testing.assert_array_equal(sample.events[:, 0], DATA["pt"])


@pytest.mark.parametrize("kind", ["?", "i1", ">i4", "u8", "i8", ">f4", "f8"])
@pytest.mark.parametrize("suffix", [".npz", ".h5", ".parquet", ".root"])
def test_every_kind_of_number_becomes_float64(tmp_path: Path, kind: str, suffix: str) -> None:
    values = np.array([0, 1, 1, 0, 1]).astype(kind)
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, v=values)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["v"] = values
    elif suffix == ".parquet":
        pa.parquet.write_table(pa.table({"v": values.astype(values.dtype.newbyteorder("="))}), path)
    else:
        with uproot.recreate(path) as file:
            native = values.astype(values.dtype.newbyteorder("="))
            file.mktree("t", {"v": native.dtype})
            file["t"].extend({"v": native})
    sample = read_sample(path, weights="v", features=["v"], where="v or not v")
    np.testing.assert_array_equal(sample.events[:, 0], [0.0, 1.0, 1.0, 0.0, 1.0])
    assert sample.events.dtype == np.float64


def test_integers_beyond_float64_are_rounded(tmp_path: Path) -> None:
    big = np.array([2**53 + 1, 2**62 + 1])
    np.savez(tmp_path / "a.npz", run=big)
    pa.parquet.write_table(pa.table({"run": big}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(f"run\n{big[0]}\n{big[1]}\n")
    for name in ("a.npz", "a.parquet", "a.csv"):
        np.testing.assert_array_equal(read_sample(tmp_path / name).events[:, 0], [2.0**53, 2.0**62])


def test_arrow_dictionaries_and_decimals(tmp_path: Path) -> None:
    table = pa.table(
        {
            "coded": pa.array([1.5, 2.5, 1.5]).dictionary_encode(),
            "price": pa.array([1, 2, 3]).cast(pa.decimal128(21, 1)),
            "__index_level_0__": pa.array([4, 5, 6]),
        }
    )
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    sample = read_sample(tmp_path / "a.parquet", notify=lambda message: None)
    assert sample.features == ("coded", "price")  # the index of a data frame is no feature
    np.testing.assert_array_equal(sample.events, [[1.5, 1.0], [2.5, 2.0], [1.5, 3.0]])


def test_csv_header_of_numpy_and_of_a_spreadsheet(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.csv", EVENTS, delimiter=",", header="pt,eta,charge")
    (tmp_path / "b.csv").write_bytes(b'\xef\xbb\xbf"pt","ok"\r\n1,true\r\n2,false\r\n')
    assert read_sample(tmp_path / "a.csv").features == ("pt", "eta", "charge")
    np.testing.assert_array_equal(read_sample(tmp_path / "a.csv").events, EVENTS)
    np.testing.assert_array_equal(read_sample(tmp_path / "b.csv").events, [[1.0, 1.0], [2.0, 0.0]])


def test_columns_that_are_not_used_may_be_anything(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("pt,label,day\n1,a,2020-01-01\n2,b,2020-01-02\n")
    table = {"pt": [1.0, 2.0], "label": ["a", "b"], "jets": [[1.0], []], "gap": [None, 1.0]}
    pa.parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", pt=[1.0, 2.0], label=np.array(["a", "b"]), bins=np.arange(9), junk=np.array([{}, 1]))
    for name in ("a.csv", "a.parquet", "a.npz"):
        np.testing.assert_array_equal(read_sample(tmp_path / name, features=["pt"]).events, [[1.0], [2.0]])


def test_a_gap_can_be_cut_away(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"pt": [1.0, None, 3.0], "m": [None, 5.0, 6.0]}), tmp_path / "a.parquet")
    sample = read_sample(tmp_path / "a.parquet", features=["pt"], where="not (m < 6)")
    np.testing.assert_array_equal(sample.events, [[3.0]])


def test_only_the_named_columns_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    read = pa.parquet.ParquetFile.iter_batches
    monkeypatch.setattr(
        pa.parquet.ParquetFile,
        "iter_batches",
        lambda self, size, columns: asked.append(columns) or read(self, size, columns=columns),
    )
    _parquet(tmp_path / "a.parquet")
    read_sample(tmp_path / "a.parquet", features=["eta"], where="pt > 1")
    assert asked == [["eta", "pt"]]

    _tree(tmp_path / "a.root")
    branches: list[str] = []
    array = uproot.TBranch.array

    def noting(self: uproot.TBranch, **options: object) -> np.ndarray:
        branches.append(self.name)
        return array(self, **options)

    monkeypatch.setattr(uproot.TBranch, "array", noting)
    read_sample(tmp_path / "a.root", features=["eta"], weights="w")
    assert branches == ["eta", "w"]
