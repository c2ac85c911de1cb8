"""Reading a million events like those of NanoAOD, six features of lists, beside uproot and awkward by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import awkward as ak
import numpy as np
import uproot

from nplm.wording.markdown import markdown_table

EVENTS, AT_ONCE, REPETITIONS = 1_000_000, 100_000, 3
MASS = "sqrt(2*Muon_pt[0]*Muon_pt[1]*(cosh(Muon_eta[0]-Muon_eta[1]) - cos(Muon_phi[0]-Muon_phi[1])))"
FEATURES = [MASS, "Muon_pt[0]", "len(Jet_pt)", "sum(Jet_pt)", "count(Jet_pt > 30)", "max(abs(Muon_eta))"]
WEIGHT = "genWeight*LHEScaleWeight[0]"

_NPLM = f"""
from nplm import read_sample
sample = read_sample("nano.root", features={FEATURES!r}, weights={WEIGHT!r})
x, w = sample.events, sample.weights
"""
_BY_HAND = """
import awkward as ak, numpy as np, uproot
names = ["Muon_pt", "Muon_eta", "Muon_phi", "Jet_pt", "genWeight", "LHEScaleWeight"]
a = uproot.open("nano.root")["Events"].arrays(names)
pt, eta, phi = a.Muon_pt, a.Muon_eta, a.Muon_phi
mass = np.sqrt(2*pt[:, 0]*pt[:, 1]*(np.cosh(eta[:, 0]-eta[:, 1]) - np.cos(phi[:, 0]-phi[:, 1])))
jets = a.Jet_pt
columns = (mass, pt[:, 0], ak.num(jets), ak.sum(jets, axis=1), ak.sum(jets > 30, axis=1), ak.max(abs(eta), axis=1))
x = np.column_stack([ak.to_numpy(v).astype(np.float64) for v in columns])
w = ak.to_numpy(a.genWeight * a.LHEScaleWeight[:, 0])
"""
_MEASURED = """
import json, resource, time
wall, cpu = time.perf_counter(), time.process_time()
{code}
spent = time.perf_counter() - wall, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([*spent, peak, *x.mean(axis=0).tolist(), float(w.sum())]))
"""


def run() -> str:
    """A table: seconds and memory of programs that import, read and compute."""
    with TemporaryDirectory() as folder:
        _write(Path(folder) / "nano.root")
        found: dict[str, list[list[float]]] = {name: [] for name in ("by hand", "nplm")}
        for _ in range(REPETITIONS):
            for name, code in (("by hand", _BY_HAND), ("nplm", _NPLM)):
                found[name].append(_measured(code, folder))
    means = {name: np.median(runs, axis=0) for name, runs in found.items()}
    np.testing.assert_allclose(means["nplm"][3:], means["by hand"][3:], rtol=1e-4)
    rows = [[name, *(f"{median(run[i] for run in runs):.4g}" for i in range(3))] for name, runs in found.items()]
    rows.append(["nplm / by hand", *(f"{means['nplm'][i] / means['by hand'][i]:.2f}" for i in range(3))])
    return (
        f"{EVENTS:,} events with 40 branches, of which 6 are read; medians of {REPETITIONS} runs in turn. By hand lists"
        " stay in single precision and all are in memory at once.\n\n"
        + markdown_table(["program", "seconds on the clock", "CPU s", "MB at most"], rows)
    )


def _measured(code: str, folder: str) -> list[float]:
    words = [sys.executable, "-c", _MEASURED.format(code=code)]
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(done.stdout.splitlines()[-1])]


def _write(path: Path) -> None:
    """Muons (two or more), jets and electrons with ten branches each, nine ratios of weights and single numbers."""
    rng = np.random.default_rng(1)
    names = ("pt", "eta", "phi", "mass", "iso", "dxy", "dz", "charge", "id", "btag")
    with uproot.recreate(path) as file:
        tree = None
        for _ in range(EVENTS // AT_ONCE):
            columns: dict[str, ak.Array | np.ndarray] = {}
            for kind, counts in (
                ("Muon", rng.poisson(2, AT_ONCE) + 2),
                ("Jet", rng.poisson(5, AT_ONCE)),
                ("Electron", rng.poisson(1, AT_ONCE)),
            ):
                total = counts.sum()
                values = {n: rng.normal(size=total) if n != "pt" else rng.exponential(30, total) for n in names}
                columns[kind] = ak.zip({n: ak.unflatten(v.astype(np.float32), counts) for n, v in values.items()})
            ratios = (1 + 0.1 * rng.normal(size=(AT_ONCE, 9))).astype(np.float32)
            columns["LHEScaleWeight"] = ak.from_regular(ak.Array(ratios), axis=1)
            columns["genWeight"] = rng.choice([1.5e4, -1.5e4], AT_ONCE, p=[0.8, 0.2])
            for name in ("MET_pt", "MET_phi", "PV_z", "run", "event", "HT", "rho", "PV_npvs"):
                columns[name] = rng.exponential(size=AT_ONCE)
            if tree is None:
                tree = file.mktree("Events", {k: ak.type(ak.Array(v)).content for k, v in columns.items()})
            tree.extend(columns)
