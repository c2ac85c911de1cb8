"""Files of lists, as NanoAOD is: features, weights and cuts from expressions, in ROOT, Parquet and memory."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from nplm import as_sample, read_sample
from nplm.io import ReadError
from nplm.learning import read_ratio
from nplm.nuisance import log_ratio
from tests.cli.conftest import nplm as nplm

N = 3000
MASS = "mll = sqrt(2*Muon_pt[0]*Muon_pt[1]*(cosh(Muon_eta[0]-Muon_eta[1]) - cos(Muon_phi[0]-Muon_phi[1])))"
FEATURES = [MASS, "Muon_pt[0]", "nj = len(Jet_pt)", "ht = sum(Jet_pt[abs(Jet_eta) < 2])", "met", "max(abs(Muon_eta))"]
WEIGHT = "genWeight*LHEScaleWeight[0]"
TWO = "len(Muon_pt) >= 2 and Muon_pt[1] > 5"


def events(seed: int, n: int = N, shift: float = 0.0) -> dict[str, ak.Array | np.ndarray]:
    """Muons (some events have one), jets (some have none), nine ratios of weights, and a signed genWeight."""
    rng = np.random.default_rng(seed)
    columns: dict[str, ak.Array | np.ndarray] = {"met": rng.exponential(20, n)}
    for name, counts in (("Muon", rng.integers(1, 4, n)), ("Jet", rng.poisson(2, n))):
        total = counts.sum()
        columns[f"{name}_pt"] = ak.unflatten((rng.exponential(30, total) + shift).astype(np.float32), counts)
        columns[f"{name}_eta"] = ak.unflatten(rng.normal(size=total).astype(np.float32), counts)
        columns[f"{name}_phi"] = ak.unflatten(rng.uniform(-np.pi, np.pi, total).astype(np.float32), counts)
    moved = 0.1 * np.linspace(-1, 1, 9) + 0.05 * rng.normal(size=(n, 1))
    columns["LHEScaleWeight"] = ak.from_regular(ak.Array(1 + moved), axis=1)
    columns["genWeight"] = rng.choice([17_000.0, -17_000.0], n, p=[0.85, 0.15])
    return columns


def write_root(path: Path, columns: dict[str, ak.Array | np.ndarray]) -> None:
    with uproot.recreate(path) as file:
        file.mktree("Events", {k: ak.type(ak.Array(v)).content for k, v in columns.items()}).extend(columns)


def by_hand(columns: dict[str, ak.Array | np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The features and the weights with awkward alone, in float64."""
    d = {k: ak.values_astype(ak.Array(v), np.float64) for k, v in columns.items()}
    two = ak.num(d["Muon_pt"]) >= 2
    d = {k: v[two] for k, v in d.items()}
    d = {k: v[d["Muon_pt"][:, 1] > 5] for k, v in d.items()}
    pt, eta, phi = d["Muon_pt"], d["Muon_eta"], d["Muon_phi"]
    mass = np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])))
    ht = ak.sum(d["Jet_pt"][abs(d["Jet_eta"]) < 2], axis=1)
    x = (mass, pt[:, 0], ak.num(d["Jet_pt"]), ht, d["met"], ak.max(abs(eta), axis=1))
    return np.column_stack([ak.to_numpy(v) for v in x]), ak.to_numpy(d["genWeight"] * d["LHEScaleWeight"][:, 0])


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
@pytest.mark.parametrize("part", [200_000, 700])
def test_expressions_are_those_by_hand(tmp_path: Path, suffix: str, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", part)
    columns, path = events(1), tmp_path / f"nano{suffix}"
    if suffix == ".root":
        write_root(path, columns)
    else:
        pq.write_table(pa.table({k: ak.to_arrow(ak.Array(v), extensionarray=False) for k, v in columns.items()}), path)
    sample = read_sample(path, features=FEATURES, weights=WEIGHT, where=TWO)
    x, w = by_hand(columns)
    assert sample.features == ("mll", "Muon_pt[0]", "nj", "ht", "met", "max(abs(Muon_eta))")
    np.testing.assert_allclose(sample.events, x, rtol=1e-9)
    np.testing.assert_allclose(sample.weights, w, rtol=1e-12)


def test_tables_in_memory_take_the_same_expressions() -> None:
    columns = {k: ak.Array(v)[ak.num(events(1)["Muon_pt"]) >= 2] for k, v in events(1).items()}
    plain = as_sample(ak.zip(columns, depth_limit=1), weights=WEIGHT, features=FEATURES)
    for table in (columns, pa.table({k: ak.to_arrow(v, extensionarray=False) for k, v in columns.items()})):
        other = as_sample(table, weights=WEIGHT, features=FEATURES)
        np.testing.assert_array_equal(other.events, plain.events)
        np.testing.assert_array_equal(other.weights, plain.weights)
        assert other.features == plain.features
    frame = as_sample({"a": np.arange(3.0), "b": np.ones(3)}, features=["s = a + 2 * b", "a"])
    assert frame.events.tolist() == [[2, 0], [3, 1], [4, 2]]


def test_what_is_missing_is_counted_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", 700)
    columns, path = events(1), tmp_path / "nano.root"
    write_root(path, columns)
    lacking = int(ak.sum(ak.num(columns["Muon_pt"]) < 2))
    for features, where, message in (
        (
            ["Muon_pt[1]"],
            None,
            rf"nano.root: Muon_pt\[1\] is missing in {lacking:,} of 3,000 events.*get\(NAME, 0, -1\)",
        ),
        (["Muon_pt"], None, r"'Muon_pt' is jagged .*make one number of it, as Muon_pt\[0\], len\(Muon_pt\)"),
        (["Muon_pt", "met + 1"], None, "has a list of values for each event: take one"),
        (["Muon_pt[0]", "Jet_p[0]"], None, r"no column 'Jet_p' \(did you mean 'Jet_pt'\?\)"),
        (["log(met - met)"], None, r"'log\(met - met\)' is not a finite number in 3,000 of 3,000 events"),
        (["met"], "len(Muon_pt) > 20", r"none of its 3000 rows passes the cut 'len\(Muon_pt\) > 20'"),
        (["met"], "Muon_pt > 3", "about each element of a list"),
        (["a = met", "a = 2 * met"], None, "two features are called 'a'"),
    ):
        with pytest.raises(ReadError, match=message):
            read_sample(path, features=features, where=where)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference with signed weights, data of its distribution without any, and others that are harder by 8."""
    monkeypatch.chdir(tmp_path)
    write_root(tmp_path / "mc.root", events(1, 6000))
    for name, seed, shift in (("data", 2, 0.0), ("other", 3, 8.0)):
        columns = events(seed, 1500, shift)
        del columns["genWeight"]
        write_root(tmp_path / f"{name}.root", columns)


@pytest.mark.usefixtures("files")
def test_a_test_takes_them(nplm) -> None:
    common = ["--reference", "mc.root", "--features", MASS, "max(Muon_pt),len(Jet_pt)", "--where", TWO]
    common += ["--weights", WEIGHT, "--shape-only", "--family", "one,products"]
    found = {}
    for name in ("data", "other"):
        outcome = nplm("test", f"{name}.root", *common, "-o", name)
        assert outcome.code == 0, outcome.err
        assert f"{name}.root: every event has weight one, as there is no column '{WEIGHT}'" in outcome.err
        found[name] = json.loads(Path(name, "result.json").read_text())
        assert found[name]["features"] == ["mll", "max(Muon_pt)", "len(Jet_pt)"]
    assert found["data"]["p_value"] > 0.01
    assert found["other"]["p_value"] < 1e-3


@pytest.mark.usefixtures("files")
def test_an_angle_of_a_list_is_circular_by_its_name(nplm) -> None:
    words = ["--reference", "mc.root", "--features", "phi = Muon_phi[0]", "met", "--weights", "genWeight"]
    outcome = nplm(
        "test", "data.root", *words, "--circular", "phi=6.2832", "--shape-only", "--family", "one", "-o", "run"
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(Path("run/result.json").read_text())["p_value"] > 0.01
    refused = nplm("test", "data.root", *words, "--circular", "psi", "-o", "run2")
    assert refused.code == 2
    assert "--circular names 'psi', which is not among the --features" in refused.err


@pytest.mark.usefixtures("files")
def test_a_monitor_takes_them(nplm) -> None:
    Path("runs").mkdir()
    for name in ("data", "other"):
        Path(f"{name}.root").rename(f"runs/{name}.root")
    features = ["pt = max(Muon_pt)", "get(Jet_pt, 0, 0)"]
    outcome = nplm(
        *("monitor", "mc.root", "--folder", "runs", "--weights", "genWeight", "--features", *features),
        *("--where", "len(Muon_pt) >= 2", "-o", "watched"),
    )
    assert outcome.code == 7, outcome.out + outcome.err
    found = [json.loads(line) for line in outcome.out.splitlines() if line.startswith("{")]
    assert [line["status"] for line in found] == ["ok", "alarm"]


@pytest.mark.usefixtures("files")
def test_scales_are_learned_from_an_array_of_ratios(nplm) -> None:
    Path("learn.yaml").write_text(
        "central: mc.root\nweights: genWeight\nfeatures: ['pt = max(Muon_pt)', 'len(Jet_pt)']\nexpected_yield: 1000\n"
        "nuisances:\n  muR: {sigma: 1, weights: {1: 'LHEScaleWeight[7]', -1: 'LHEScaleWeight[1]'}}\n"
        "settings: {members: 2, hidden: [3]}\n"
    )
    outcome = nplm("learn", "learn.yaml", "-o", "learned")
    assert outcome.code == 0, outcome.err
    # The yield at +1 and -1, whatever the features; 5% of noise in 6000 events are .001.
    r = np.exp([log_ratio(read_ratio("learned/muR.npz"), np.array([[40.0, 2.0]]), {"muR": nu})[0] for nu in (1, -1)])
    assert r == pytest.approx([1.075, 0.925], abs=0.01)
    assert "'LHEScaleWeight[7]' holds ratios to the weights, by its sum and signs" in outcome.err
    assert "learned/muR.npz: muR (sigma 1)" in outcome.out
