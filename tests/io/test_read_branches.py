"""ROOT branches of all kinds: those that hold one number for each event are read, whatever stands beside them."""

import struct
from pathlib import Path
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest
import uproot

from nplm.io._branches import LISTS, NUMBER, OTHER, looked_at
from nplm.io.read import ReadError, column_names, read_sample
from nplm.io.tables import as_sample

N = 40
X = np.random.default_rng(4).normal(size=N)


def _silent(message: str) -> None:
    pass


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A tree with a branch whose leaf is of a type that nobody knows."""
    path = tmp_path / "odd.root"
    with uproot.recreate(path, compression=None) as file:
        file.mktree("t", {"abcdefghij": "i4", "x": "f8"})
        file["t"].extend({"x": X, "abcdefghij": np.arange(N, dtype="i4")})
    data = bytearray(path.read_bytes())
    at = data.find(b"TLeafI\0")
    for length in (at + 7, at + 13, at + 19):  # TLeafElement has six letters more, which the name must pay for
        data[length : length + 4] = struct.pack(">I", struct.unpack(">I", data[length : length + 4])[0] - 6)
    data[at + 35 : at + 46] = b"\x04abcd"
    data[at : at + 7] = b"TLeafElement\0"
    path.write_bytes(data)
    return path


def test_an_unreadable_branch_stops_no_other(odd: Path) -> None:
    np.testing.assert_array_equal(read_sample(odd, features=["x"]).events[:, 0], X)
    with pytest.warns(UserWarning, match=r"odd\.root: not among the features: abcdefghij \(cannot be read\)"):
        assert read_sample(odd).features == ("x",)
    with pytest.raises(ReadError, match=r"odd\.root: branch 'abcdefghij' cannot be read as numbers \(.*\); name other"):
        read_sample(odd, features=["x", "abcdefghij"])
    with uproot.open(odd) as file:
        assert as_sample(file["t"], features="x").features == ("x",)
        with pytest.raises(ReadError, match="branch 'abcdefghij' cannot be read"):
            as_sample(file["t"])


def test_lists_of_one_value_are_that_value_if_named(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    ones, lists = ak.Array([[v] for v in X]), ak.Array([[1.0], [], [2.0, 3.0]] + [[1.0]] * (N - 3))
    columns = {"x": X, "weight": ones, "hits": lists, "one": X[:, None]}
    with uproot.recreate(path) as file:
        kinds = {"x": "f8", "weight": "var * float64", "hits": "var * float64", "one": np.dtype(("f8", (1,)))}
        file.mktree("tree", kinds)
        file["tree"].extend(columns)
        file.mkrntuple("ntuple", columns)
    for tree in ("tree", "ntuple"):
        sample = read_sample(path, tree=tree, features=["x"], weights="one", where="weight > 0")
        np.testing.assert_array_equal(sample.weights, X[X > 0])
        with pytest.raises(ReadError, match="'hits' is jagged"):
            read_sample(path, tree=tree, features=["hits"])
        told: list[str] = []
        assert {"x", "one"} <= set(read_sample(path, tree=tree, notify=told.append).features)
        assert "(lists of values)" in told[0]


def test_the_branches_of_a_branch_go_by_their_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Event/Event.Weight of Delphes, which uproot cannot write."""
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("t", {"x": "f8"})
        file["t"].extend({"x": X})
    monkeypatch.setattr(uproot.TTree, "keys", lambda self, **options: ["Event/Event.x", "A/same", "B/same"])
    get = uproot.TTree.__getitem__
    monkeypatch.setattr(uproot.TTree, "__getitem__", lambda self, name: get(self, "x"))
    assert column_names(tmp_path / "a.root") == ("Event/Event.x", "A/same", "B/same", "Event.x")
    np.testing.assert_array_equal(read_sample(tmp_path / "a.root", features=["Event.x"]).events[:, 0], X)


def test_an_ntuple_of_records_and_optional_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    jet = ak.zip({"pt": X, "inner": ak.zip({"n": np.arange(N)}, depth_limit=1)}, depth_limit=1)
    columns = {
        "jet": jet,
        "all": ak.mask(ak.Array(X), np.full(N, True)),
        "gap": ak.Array([v if v > 0 else None for v in X]),  # uproot writes masked arrays wrongly
        "text": ak.Array(["a"] * N),
    }
    with uproot.recreate(path) as file:
        file.mkrntuple("t", columns)
    sample = read_sample(path, features=["jet.pt", "jet.inner.n", "all"], where="gap > 0.5 or jet.pt < 0")
    kept = (X > 0.5) | (X < 0)
    np.testing.assert_array_equal(sample.events, np.column_stack([X, np.arange(N), X])[kept])
    with pytest.raises(ReadError, match="column 'gap' is missing or not finite in"):
        read_sample(path, features=["gap"])
    with pytest.raises(ReadError, match="branch 'jet' holds other branches, not numbers"):
        read_sample(path, features=["jet"])
    told: list[str] = []
    assert "jet.inner.n" in read_sample(path, where="gap == gap", notify=told.append).features
    assert "text (no numbers)" in told[0]
    assert "jet" not in told[0]  # its parts are there


@pytest.mark.parametrize(
    ("typename", "role", "kind"),
    [
        ("ROOT::RNTupleCardinality<std::uint32_t>", 0, NUMBER),
        ("std::optional<float>", 1, NUMBER),
        ("std::atomic<std::int64_t>", 0, NUMBER),
        ("std::array<double, 1>", 0, NUMBER),
        ("std::array<double,3>", 0, LISTS),
        ("std::vector<float>", 1, LISTS),
        ("std::optional<MyClass>", 1, LISTS),
        ("std::string", 0, OTHER),
    ],
)
def test_types_of_fields(typename: str, role: int, kind: str) -> None:
    field = SimpleNamespace(path="n", typename=typename, record=SimpleNamespace(struct_role=role))
    assert looked_at(field).kind == kind
