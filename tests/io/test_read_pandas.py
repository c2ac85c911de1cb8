"""Data frames that pandas has written: their columns go by their names, and the numbers of their rows are no features.

The layouts are written with h5py as pandas 3.0 and PyTables 3.11 write them, so that neither is needed here.
"""

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import uproot

from nplm.io._pickled_names import pickled_names
from nplm.io.processes import read_reference
from nplm.io.read import ReadError, column_names, read_sample
from nplm.io.tables import as_sample, sample_like

RNG = np.random.default_rng(7)
N = 30
PT, ETA, NJET = RNG.exponential(30, N), RNG.normal(size=N), RNG.integers(0, 9, N)
FRAME = {"pt": PT, "njet": NJET, "eta": ETA}


def fixed(file: h5py.File, key: str, frame: Mapping[str, np.ndarray], **attributes: object) -> h5py.Group:
    """What DataFrame.to_hdf writes by default: a block for each type."""
    group = file.create_group(key)
    group.attrs.update({"pandas_type": np.bytes_("frame"), "ndim": 2, "axis0_variety": np.bytes_("regular")})
    group["axis0"] = np.array(list(frame), "S")
    group["axis1"] = np.arange(len(next(iter(frame.values()))))
    kinds = dict.fromkeys(values.dtype for values in frame.values())
    for i, kind in enumerate(kinds):
        names = [name for name, values in frame.items() if values.dtype == kind]
        group[f"block{i}_items"] = np.array(names, "S")
        group[f"block{i}_values"] = np.column_stack([frame[name] for name in names])
        group[f"block{i}_values"].attrs["transposed"] = np.uint8(1)
    return group


def pickled(value: object) -> np.bytes_:
    return np.bytes_(pickle.dumps(value, 0))


def table(
    file: h5py.File, key: str, blocks: Sequence[Mapping[str, np.ndarray]], data: Sequence[str] = ()
) -> h5py.Group:
    """What DataFrame.to_hdf writes with format="table": fields that are blocks, or columns that can be searched."""
    group = file.create_group(key)
    group.attrs.update({"pandas_type": np.bytes_("frame_table"), "levels": 1})
    group.attrs["non_index_axes"] = pickled([(1, [name for block in blocks for name in block])])
    rows = len(next(iter(blocks[0].values())))
    fields: list[tuple] = [("index", "i8")]
    kinds, values = {}, {"index": np.arange(rows)}
    for i, block in enumerate(blocks):
        single = len(block) == 1 and next(iter(block)) in data
        field = next(iter(block)) if single else f"values_block_{i}"
        matrix = np.column_stack(list(block.values()))
        fields.append((field, matrix.dtype, () if single else (len(block),)))
        values[field], kinds[field] = matrix[:, 0] if single else matrix, list(block)
    array = np.empty(rows, fields)
    for field, value in values.items():
        array[field] = value
    group["table"] = array
    for field, names in kinds.items():
        group["table"].attrs[f"{field}_kind"] = pickled(names)
        group["table"].attrs[f"{field}_dtype"] = np.bytes_(array[field].dtype.name)
    search = group.create_group("_i_table/index")
    search["sorted"] = np.arange(rows)
    return group


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def test_the_fixed_layout_has_its_columns_by_name(path: Path) -> None:
    with h5py.File(path, "w") as file:
        fixed(file, "df", FRAME)
    sample = read_sample(path)
    assert sample.features == ("pt", "njet", "eta")
    np.testing.assert_array_equal(sample.events, np.column_stack([PT, NJET, ETA]))
    np.testing.assert_array_equal(read_sample(path, features=["df/eta"], where="njet > 4").events[:, 0], ETA[NJET > 4])


def test_columns_in_another_order_are_the_same_columns(tmp_path: Path) -> None:
    for name, frame in (("a.h5", {"pt": PT, "eta": ETA}), ("b.h5", {"eta": ETA, "pt": PT})):
        with h5py.File(tmp_path / name, "w") as file:
            fixed(file, "df", frame)
    total = read_reference([tmp_path / "a.h5", tmp_path / "b.h5"], [None, None])
    np.testing.assert_array_equal(total.events, np.tile(np.column_stack([PT, ETA]), (2, 1)))


def test_names_that_are_numbers_or_have_levels(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "numbers.h5", "w") as file:
        group = fixed(file, "df", {"a": PT, "b": ETA})
        for axis in ("axis0", "block0_items"):
            del group[axis]
            group[axis] = np.arange(2)
    assert read_sample(tmp_path / "numbers.h5").features == ("0", "1")
    with h5py.File(tmp_path / "levels.h5", "w") as file:
        group = fixed(file, "df", {"a": PT, "b": ETA, "c": NJET.astype(float)})
        for axis in ("axis0", "block0_items"):
            del group[axis]
            group[f"{axis}_level0"], group[f"{axis}_label0"] = np.array(["jet", "m"], "S"), np.array([0, 0, 1], "i1")
            group[f"{axis}_level1"], group[f"{axis}_label1"] = np.array(["", "eta", "pt"], "S"), np.array([2, 1, 0])
    assert read_sample(tmp_path / "levels.h5").features == ("jet.pt", "jet.eta", "m")  # as of a frame in memory


@pytest.mark.parametrize(("kind", "what"), [("datetime64[ns]", r"datetime64\[ns\]"), (None, "text or pickled Python")])
def test_a_block_of_dates_or_of_objects_is_refused_by_name(path: Path, kind: str | None, what: str) -> None:
    with h5py.File(path, "w") as file:
        group = fixed(file, "df", {"pt": PT, "odd": NJET})
        if kind is not None:
            group["block1_values"].attrs["value_type"] = np.bytes_(kind)
        else:
            del group["block1_values"]
            group.create_dataset("block1_values", (1,), h5py.vlen_dtype("u1"))
    with pytest.raises(ReadError, match=f"column 'odd' holds {what}, not numbers"):
        read_sample(path)
    assert read_sample(path, features=["pt"]).features == ("pt",)


def test_a_frame_whose_names_do_not_fit_is_refused(tmp_path: Path) -> None:
    for name, spoiled in (("axis0", ["pt", "phi"]), ("block0_items", ["pt"]), ("block0_items", ["pt", "pt"])):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            group = fixed(file, "df", {"pt": PT, "eta": ETA})
            del group[name]
            group[name] = np.array(spoiled, "S")
        with pytest.raises(ReadError, match=r"a\.h5: 'df' is a data frame of pandas, but its names and values"):
            read_sample(tmp_path / "a.h5")


def test_a_frame_without_rows_keeps_its_columns(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = fixed(file, "df", {"pt": PT, "eta": ETA})
        del group["block0_values"]
        group["block0_values"] = np.zeros((1, 1))
        group["block0_values"].attrs.update({"shape": pickled((2, 0)), "transposed": np.uint8(0)})
    assert column_names(path)[:2] == ("pt", "eta")
    with pytest.raises(ReadError, match="holds no events"):
        read_sample(path)


def test_the_table_layout_has_its_columns_but_not_its_index(path: Path) -> None:
    with h5py.File(path, "w") as file:
        table(file, "deep/er/df", [{"pt": PT, "eta": ETA}, {"njet": NJET}], data=["njet"])
    with pytest.warns(UserWarning, match=r"a\.h5: not among the features: index \(the index of a data frame\)"):
        sample = read_sample(path)
    assert sample.features == ("pt", "eta", "njet")
    np.testing.assert_array_equal(sample.events, np.column_stack([PT, ETA, NJET]))
    np.testing.assert_array_equal(read_sample(path, features=["index"]).events[:, 0], np.arange(N))  # if it is named


def test_levels_of_rows_are_no_features(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = table(file, "df", [{"pt": PT}, {"njet": NJET}], data=["njet"])
        group.attrs["levels"] = pickled(["njet"])
    assert read_sample(path, notify=lambda message: None).features == ("pt",)


def test_categories_are_codes_and_no_numbers(path: Path) -> None:
    with h5py.File(path, "w") as file:
        table(file, "df", [{"pt": PT}, {"kind": NJET}])["table"].attrs["values_block_1_meta"] = np.bytes_("category")
    with pytest.raises(ReadError, match="column 'kind' holds categories, not numbers"):
        read_sample(path)


def test_a_pickle_of_names_is_read_and_never_run(path: Path) -> None:
    for protocol in range(6):
        assert pickled_names(pickle.dumps([(1, ["pt", "η", 3])], protocol)) == ("1", "pt", "η", "3")
        assert pickled_names(pickle.dumps([print], protocol)) is None
    assert pickled_names(b"no pickle") is None
    with h5py.File(path, "w") as file:
        group = table(file, "df", [{"pt": PT, "eta": ETA}])
        group["table"].attrs["values_block_0_kind"] = pickled([print])
    with pytest.raises(
        ReadError, match=r"a data frame of pandas.*the names of values_block_0 are more than plain text"
    ):
        read_sample(path)


def test_one_of_several_frames_is_chosen(path: Path) -> None:
    with h5py.File(path, "w") as file:
        fixed(file, "data", {"eta": ETA[:9], "pt": PT[:9]})
        fixed(file, "reference", {"pt": PT, "eta": ETA})
    with pytest.raises(ReadError, match=r"holds 2 tables \(data, reference\); choose one, as in .*a\.h5:data"):
        read_sample(path)
    data, reference = read_sample(f"{path}:data"), read_sample(path, tree="reference")
    assert set(data.features) == set(reference.features) == {"pt", "eta"}
    assert (len(data), len(reference)) == (9, N)
    with pytest.raises(ReadError, match="has no array or group 'mc'; it holds: data, reference"):
        read_sample(f"{path}:mc")


def test_a_series(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for key, name in (("s", b"pt"), ("eta", b"N.")):
            group = file.create_group(key)
            group.attrs.update({"pandas_type": np.bytes_("series"), "name": np.bytes_(name)})
            group["index"], group["values"] = np.arange(N), PT if key == "s" else ETA
    sample = read_sample(path, features=["pt", "eta"])
    np.testing.assert_array_equal(sample.events, np.column_stack([PT, ETA]))
    assert set(read_sample(path).features) == {"pt", "eta"}


def test_a_filter_that_h5py_lacks_is_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", (4,), "f8", chunks=(4,))
        properties = dataset.id.get_create_plist()
        properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # blosc, which PyTables has and h5py has not
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"pt", h5py.h5t.IEEE_F64LE, space, properties)
        file["pt"].id.write_direct_chunk((0,), np.arange(4.0).tobytes())
    with pytest.raises(ReadError, match=r"'pt' is compressed by .*32001, which needs hdf5plugin; run pip install"):
        read_sample(path, features=["pt"])


# -- row numbers, wherever they come from -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index", "Unnamed: 0", "level_0"])
@pytest.mark.parametrize("numbers", [np.arange(N), np.arange(N) * 3 + 5, np.arange(N) % 20], ids=["all", "cut", "two"])
def test_row_numbers_are_no_features_unless_named(tmp_path: Path, name: str, numbers: np.ndarray) -> None:
    frame = pd.DataFrame({name: numbers, "pt": PT})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", **{name: numbers, "pt": PT})
    for file in ("a.csv", "a.parquet", "a.npz"):
        told: list[str] = []
        assert read_sample(tmp_path / file, notify=told.append).features == ("pt",)
        assert [f"{name} (row numbers)" in message for message in told] == [True]
        assert read_sample(tmp_path / file, features=["pt", name]).features == ("pt", name)
    with pytest.warns(UserWarning, match=r"\(row numbers\)"):
        assert as_sample(frame).features == ("pt",)
    reference = as_sample({"pt": PT})
    assert sample_like(reference, frame, "data").features == ("pt",)


def test_row_numbers_of_a_tree(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("t", {"index": "i8", "pt": "f8"})
        file["t"].extend({"index": np.arange(N), "pt": PT})
    assert read_sample(tmp_path / "a.root", notify=lambda message: None).features == ("pt",)


@pytest.mark.parametrize("values", [ETA, NJET, np.zeros(N)])
def test_an_index_that_numbers_no_rows_is_a_feature(tmp_path: Path, values: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", index=values, pt=PT)
    assert read_sample(tmp_path / "a.npz").features == ("index", "pt")
    assert as_sample({"index": values, "pt": PT}).features == ("index", "pt")
    reference = as_sample({"index": values, "pt": PT})
    assert sample_like(reference, {"pt": PT, "index": np.arange(N)}, "data").features == ("index", "pt")


def test_only_row_numbers_is_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", index=np.arange(N))
    with pytest.raises(ReadError, match="no column is left for the features but row numbers"):
        read_sample(tmp_path / "a.npz")


def test_the_index_that_a_parquet_file_notes_is_no_feature(tmp_path: Path) -> None:
    frame = pd.DataFrame({"pt": PT}, index=pd.Index(ETA, name="eta"))
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match=r"eta \(the index of a data frame\)"):
        assert read_sample(tmp_path / "a.parquet").features == ("pt",)
    for noted in (b"no json", b"[]", json.dumps({"index_columns": [{"kind": "range"}]}).encode()):
        plain = pa.table({"pt": PT, "eta": ETA}).replace_schema_metadata({b"pandas": noted})
        pa.parquet.write_table(plain, tmp_path / "b.parquet")
        assert read_sample(tmp_path / "b.parquet").features == ("pt", "eta")


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1)


@pytest.mark.parametrize("of", [pd.DataFrame.copy, shuffled, lambda frame: frame.set_index(frame.pt.astype(str))])
def test_the_index_of_a_csv_file_is_no_feature(tmp_path: Path, of: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """As pandas writes it by default, in a column without a name: numbers of rows, shuffled ones, or text."""
    path, said = tmp_path / "a.csv", []
    frame = of(pd.DataFrame(FRAME)).rename_axis(None)
    frame.to_csv(path)
    sample = read_sample(path, notify=said.append)
    assert sample.features == ("pt", "njet", "eta")
    np.testing.assert_array_equal(sample.events, frame.to_numpy())
    assert said == [
        f"{path}: not among the features: Unnamed: 0 (the index of a data frame). To choose, name the features"
    ]


def test_an_index_of_several_levels_and_columns_that_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    frame = pd.DataFrame(np.column_stack([PT, ETA]), index=pd.MultiIndex.from_product([range(N // 3), range(3)]))
    frame.to_csv(path)
    with pytest.warns(UserWarning, match="Unnamed: 0, Unnamed: 1"):
        sample = read_sample(path)
    assert sample.features == ("0", "1")
    # It can be cut on, and be a feature if it is named.
    cut = read_sample(path, features=["0", "`Unnamed: 0`"], where="`Unnamed: 1` == 2")
    assert cut.features == ("0", "Unnamed: 0")
    np.testing.assert_array_equal(cut.events, np.column_stack([PT[2::3], np.arange(N // 3)]))


def test_row_numbers_in_any_order_are_no_features(tmp_path: Path) -> None:
    """What a frame with an index becomes when it is read from a CSV file, shuffled, and written without another."""
    path = tmp_path / "a.csv"
    frame = pd.DataFrame({"Unnamed: 0": np.arange(N), **FRAME})
    shuffled(frame).to_csv(path, index=False)
    with pytest.warns(UserWarning, match=r"Unnamed: 0 \(row numbers\)"):
        assert read_sample(path).features == ("pt", "njet", "eta")


@pytest.mark.parametrize(
    "numbers",
    [np.arange(N) + 7, 10 * np.arange(N), RNG.permutation(N) - 4, np.cumsum(RNG.integers(1, 9, N)), -np.arange(N)],
)
def test_a_feature_that_counts_events_is_cautioned(tmp_path: Path, numbers: np.ndarray) -> None:
    path, said = tmp_path / "a.csv", []
    frame = pd.DataFrame({**FRAME, "event": numbers})
    frame.to_csv(path, index=False)
    sample = read_sample(path, notify=said.append)
    assert sample.features == ("pt", "njet", "eta", "event")
    assert len(said) == 1
    assert said[0].startswith("a.csv: event, among the features, may be a number of the event or row")
    with pytest.warns(UserWarning, match="event, among the features, may be a number"):
        as_sample(frame)
    # In expressions too, but not where it is not.
    read_sample(path, features=["pt", "2 * event"], notify=said.append)
    read_sample(path, features=["pt", "njet"], notify=said.append)
    assert len(said) == 2


@pytest.mark.parametrize("numbers", [NJET, np.sort(PT), np.arange(N) // 2, np.zeros(N), np.append(np.arange(N - 1), 0)])
def test_other_features_are_not(numbers: np.ndarray, recwarn: pytest.WarningsRecorder) -> None:
    as_sample({"pt": PT, "event": numbers})
    as_sample({"pt": PT[:10], "event": np.arange(10)})  # ten may well be so by chance
    assert not recwarn.list
