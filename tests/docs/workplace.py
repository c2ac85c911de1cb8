"""The files that the documents talk about, small: what a reader has at hand when trying their commands."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import uproot
from scipy.stats import norm

from nplm import Sample
from nplm.io import write_sample
from nplm.io.tables import as_sample
from nplm.stats.weighted_chi2 import WeightedChi2Null
from tests.channels.test_workspace_likelihood import workspace
from tests.docs.shown import ROOT, blocks
from toys.exponential import BULK, draw_data, draw_reference
from toys.interference import Interference
from toys.resonance import SIGNALS
from toys.resonance import draw_data as draw_jets
from toys.signal_regions import draw_table, write_files

Columns = Mapping[str, np.ndarray]
Events = Callable[[np.random.Generator, int], dict[str, np.ndarray]]


def _muons(rng: np.random.Generator, n: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    """A falling mass whose scale may be off, and a transverse momentum."""
    return {"mll": 50 + scale * rng.exponential(40, n), "pt": 10 + rng.exponential(30, n)}


def _jets(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    return {"pt": 20 + rng.exponential(30, n), "eta": rng.normal(size=n)}


def _weighted(columns: Columns, total: float, name: str = "w") -> dict[str, np.ndarray]:
    n = len(next(iter(columns.values())))
    return {**columns, name: np.full(n, total / n)}


def _root(path: str, columns: Columns) -> None:
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {name: values.dtype for name, values in columns.items()})
        tree.extend(dict(columns))


def _csv(path: str, columns: Columns) -> None:
    np.savetxt(path, np.stack(list(columns.values()), axis=1), delimiter=",", header=",".join(columns), comments="")


def exponential() -> None:
    """reference.npz with its weights, data.npz with a peak in it, and peak.npz with the peak alone."""
    rng = np.random.default_rng(1)
    write_sample(draw_reference(rng, 8000, 800.0), Path("reference.npz"))
    write_sample(draw_data(rng, 800.0, BULK, 40.0), Path("data.npz"))
    np.savez("peak.npz", x=BULK.sample(rng, 500))


def processes() -> None:
    """The data and the two processes that they are expected to be made of, in ROOT; data and simulation as text."""
    rng = np.random.default_rng(2)
    _root("ttbar.root", _muons(rng, 5000))
    _root("wjets.root", _muons(rng, 3000, scale=0.5))
    rows = [_muons(rng, 1200), _muons(rng, 300, scale=0.5)]
    _root("data.root", {name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
    _csv("simulation.csv", _muons(rng, 5000))
    _csv("data.csv", _muons(rng, 500))


def features() -> None:
    """Data and a weighted reference with three features."""
    rng = np.random.default_rng(11)
    names = ("pt", "eta", "mass")
    np.savez("reference.npz", **_weighted(dict(zip(names, rng.normal(size=(3, 3000)), strict=True)), 300.0, "weight"))
    np.savez("data.npz", **dict(zip(names, rng.normal(size=(3, 300)), strict=True)))


def scored() -> None:
    """The same three features with an anomaly score, the distance from the middle, and a training sample."""
    rng = np.random.default_rng(12)
    for name, n in (("mc", 4000), ("training", 2000), ("observed", 1000)):
        events = rng.normal(size=(n, 3))
        columns = dict(zip(("pt", "eta", "mass"), events.T, strict=True))
        np.savez(f"{name}.npz", **_weighted(columns, 1000.0), rarity=(events**2).sum(axis=1))


def generators() -> None:
    """Two generators whose events have weights, two versions of a third, and three tunes."""
    rng = np.random.default_rng(3)
    for name, scale in (("madgraph", 1.0), ("sherpa", 1.1)):
        np.savez(f"{name}.npz", **_weighted(_muons(rng, 800, scale), 800.0))
    for name in ("old", "new"):
        np.savez(f"{name}.npz", **_muons(rng, 2200))
    for name in ("tune1", "tune2", "tune3"):
        np.savez(f"{name}.npz", **_muons(rng, 500))


def runs() -> None:
    """A reference run, and runs/ with three files, the last of which has too many events."""
    rng = np.random.default_rng(4)
    np.savez("ref.npz", **_jets(rng, 120_000))
    Path("runs").mkdir()
    for number, n in enumerate((2000, 1980, 2400)):
        np.savez(f"runs/run{number}.npz", **_jets(rng, n))


def late_run() -> None:
    """One more file in runs/, which arrives whole."""
    np.savez("late.npz", **_jets(np.random.default_rng(5), 2010))
    Path("late.npz").replace("runs/run9.npz")


def simulation() -> None:
    """data.root and the weighted simulation.root."""
    rng = np.random.default_rng(6)
    _root("simulation.root", _weighted(_jets(rng, 8000), 800.0))
    _root("data.root", _jets(rng, 800))


def varied() -> None:
    """learn.yaml as the guide has it, and the samples that it names."""
    rng = np.random.default_rng(7)
    central = _weighted(_muons(rng, 5000), 500.0, "weight")
    tilt = (central["pt"] - 40) / 30
    moved = {"w_down": central["weight"] * np.exp(-0.1 * tilt), "w_up": central["weight"] * np.exp(0.1 * tilt)}
    np.savez("reference.npz", **central, **moved)
    for name, scale in (("down", 0.99), ("up", 1.01)):
        np.savez(f"{name}.npz", **_weighted(_muons(rng, 5000, scale), 500.0, "weight"))
    np.savez("data.npz", **_muons(rng, 500))
    Path("learn.yaml").write_text(blocks(ROOT / "docs/nuisances.md", "yaml")[0], encoding="utf-8")


def nanoaod() -> None:
    """mc.root with signed weights and ratios for scales and densities, data.root without, and scales.yaml."""
    rng = np.random.default_rng(12)
    for name, n in (("mc", 4000), ("data", 900)):
        columns: dict[str, np.ndarray | ak.Array] = {}
        for kind, counts in (("Muon", rng.integers(1, 4, n)), ("Jet", rng.poisson(2, n))):
            total = counts.sum()
            columns[f"{kind}_pt"] = ak.unflatten(rng.exponential(30, total), counts)
            columns[f"{kind}_eta"] = ak.unflatten(rng.normal(size=total), counts)
            columns[f"{kind}_phi"] = ak.unflatten(rng.uniform(-np.pi, np.pi, total), counts)
        if name == "mc":
            columns["genWeight"] = rng.choice([17_000.0, -17_000.0], n, p=[0.9, 0.1])
            hardest = ak.to_numpy(ak.max(columns["Muon_pt"], axis=1), allow_missing=False) / 40 - 1
            shifts = 0.1 * np.linspace(-1, 1, 9)[:, None] * (1 + 0.3 * hardest)
            columns["LHEScaleWeight"] = ak.from_regular(ak.Array(1 + shifts.T), axis=1)
            members = 0.05 * rng.normal(size=(4, 1)) * hardest
            columns["LHEPdfWeight"] = ak.from_regular(ak.Array(1 + members.T), axis=1)
        with uproot.recreate(f"{name}.root") as file:
            file.mktree("Events", {k: ak.type(ak.Array(v)).content for k, v in columns.items()}).extend(columns)
            if name == "mc":
                runs = {"genEventSumw": np.full(2, 35e6), "genEventCount": np.full(2, 2500)}
                file.mktree("Runs", {k: v.dtype for k, v in runs.items()}).extend(runs)
    Path("scales.yaml").write_text(blocks(ROOT / "docs/nanoaod.md", "yaml")[0], encoding="utf-8")


def operators() -> None:
    """simulation.npz and nano.root with weights at basis points, and the YAML files as the guide has them."""
    basis = [{}, {"c_even": 1.0}, {"c_even": -1.0}]
    sample, weights = Interference().draw_weighted(np.random.default_rng(14), 6000, basis)
    columns = dict(zip(("w_sm", "w_plus", "w_minus"), weights.T, strict=True))
    np.savez("simulation.npz", m=sample["m"], phi=sample["phi"], **columns)
    write_nanoaod(Path("nano.root"), 6000, generated=1.0)
    for name, text in zip(("learn", "nano"), blocks(ROOT / "docs/effective_theories.md", "yaml"), strict=True):
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def write_nanoaod(path: Path, n: int, generated: float) -> Sample:
    """Events of an effective theory as NanoAOD has them: jets, genWeight, and ratios to it in LHEReweightingWeight.

    Arguments:
        path: of the ROOT file.
        n: number of events.
        generated: c_even with which they are generated; ratios are those of c_even = 0, -.5, 1 and .5.

    Returns:
        The events with their weights at c_even = 0, m and phi.
    """
    rng = np.random.default_rng(15)
    problem, points = Interference(), [{}, *({"c_even": c} for c in (-0.5, 1.0, 0.5))]
    events, latent = problem.draw(rng, n, {"c_even": generated})
    own = problem.weight(latent, {"c_even": generated})
    ratios = np.column_stack([problem.weight(latent, point) / own for point in points])
    # Of one jet or two, the last has the mass of the event, and all have its angle.
    count = rng.integers(1, 3, n)
    jets = np.repeat(events, count, axis=0)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    jets[first[count == 2], 0] = -5.0
    columns = {
        "Jet_mass": ak.unflatten(jets[:, 0].astype(np.float32), count),
        "Jet_phi": ak.unflatten(jets[:, 1].astype(np.float32), count),
        "LHEReweightingWeight": ak.from_regular(ak.Array(ratios.astype(np.float32)), axis=1),
        "genWeight": np.full(n, 0.0213, dtype=np.float32),
    }
    with uproot.recreate(path) as file:
        file.mktree("Events", {k: ak.type(ak.Array(v)).content for k, v in columns.items()}).extend(columns)
    return Sample(events, ratios[:, 0], ["m", "phi"], "nanoaod")


def hunted() -> None:
    """jets.parquet with a resonance in the tails of two features."""
    jets = draw_jets(np.random.default_rng(13), 4000, dimension=2, signal=SIGNALS["tail"])
    columns = {"mjj": 1000 * jets["m"], "tau21": jets["y1"], "mjet": jets["y2"]}
    write_sample(as_sample(columns), Path("jets.parquet"))


def decays() -> None:
    """simulation.npz, decays.npz, and the YAML files of the guide."""
    rng = np.random.default_rng(14)
    simulated = {"t": rng.exponential(size=3000), "m": rng.exponential(size=3000), "w": np.full(3000, 0.1)}
    np.savez("simulation.npz", **simulated)
    seen = {"t": rng.exponential(1.1, size=310), "m": rng.exponential(size=310)}
    np.savez("decays.npz", **seen)
    for name, text in zip(("parameters", "known"), blocks(ROOT / "docs/measure.md", "yaml"), strict=True):
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def channels() -> None:
    """Results of three channels, regions.csv with covariances, templates and pairs, and a workspace with a signal."""
    rng = np.random.default_rng(14)
    for name, p in (("ee", 0.03), ("mumu", 0.4), ("tautau", 0.2)):
        Path(name).mkdir()
        result = {"schema": "nplm-result/1", "p_value": p, "z": float(norm.isf(p)), "n_data": 500}
        weights = [1.0, 0.5, 0.2]
        null = WeightedChi2Null(np.array(weights))
        Path(name, "result.json").write_text(
            json.dumps({**result, "t": null.threshold(p), "null": {"weights": weights}})
        )
    events = rng.normal(size=(900, 2))
    for name, rows in (("ee", slice(500)), ("mumu", slice(400, 900))):
        np.savez(f"{name}.npz", pt=events[rows, 0], eta=events[rows, 1])
    Path("overlap.json").write_text(blocks(ROOT / "docs/channels.md", "yaml")[0], encoding="utf-8")
    write_files(Path(), draw_table(rng, {"stop": 1.5}))
    Path("pairs.csv").write_text("first,second\nA-13-leptons,B-13-leptons\nA-8-leptons,B-13-leptons\n")
    Path("stop.json").write_text(json.dumps(workspace()))
    rows = ["stop,A-13-leptons,SR[0],6", "stop,A-13-leptons,SR[1],4", "stop,B-13-leptons,SR4,3"]
    Path("stop.csv").write_text("template,region,yield\nstop,SR[0],6\nstop,SR[1],4\n")
    Path("bins.csv").write_text("\n".join(["template,analysis,region,yield", *rows, ""]))


def lines_of_json(events: Events, n: int) -> bytes:
    """A stream of n events, a line of JSON each, 40 of them in a unit of time."""
    rng = np.random.default_rng(8)
    columns = {**events(rng, n), "t": np.cumsum(rng.exponential(1 / 40, n))}
    return "".join(
        json.dumps(dict(zip(columns, map(float, event), strict=True))) + "\n"
        for event in zip(*columns.values(), strict=True)
    ).encode()


def arrow(events: Events, n: int) -> bytes:
    """A stream of n events in Arrow's format, in batches of 1000."""
    table = pa.table(events(np.random.default_rng(9), n))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    return sink.getvalue()


STREAMS = {"jsonl": partial(lines_of_json, _jets), "arrow": partial(arrow, _jets)}
# What each document talks about. A document that is not here has no commands that read files.
FILES: dict[str, tuple[Callable[[], None], ...]] = {
    "README.md": (exponential, processes, generators, runs),
    "channels.md": (channels,),
    "clusters.md": (exponential,),
    "effective_theories.md": (operators,),
    "family.md": (features, scored, generators),
    "hunt.md": (hunted,),
    "measure.md": (decays,),
    "index.md": (exponential,),
    "kernel.md": (exponential,),
    "localize.md": (simulation,),
    "monitor.md": (runs,),
    "nanoaod.md": (nanoaod,),
    "nuisances.md": (varied,),
    "recipes.md": (exponential,),
    "toys.md": (exponential,),
    "validate.md": (generators,),
}
