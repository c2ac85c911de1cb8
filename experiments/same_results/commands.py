"""The runs that are compared, and the input that they read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

_REFERENCE = "--reference reference.npz --features x y --weights w"
_KERNEL = f"{_REFERENCE} --model kernel --centers 40"
_WIDTH = f"{_KERNEL} --width 0.7"
# LogisticFalkon itself where it is installed, else its one step by our own code.
_FALKON = "--model falkon" if find_spec("falkon") else "--model kernel --solver falkon-step"

# Each run by its name, and its commands in their order, as one would type them after `nplm`. All are given in one
# folder, so that a run may read what one before it has written. What a command prints is compared as well, where it is
# JSON. Pages and pictures, which -o adds, cost a test more than all its numbers: few have them.
RUNS: dict[str, tuple[str, ...]] = {
    "family": (f"test data.npz {_REFERENCE} --toys 99 -o family",),
    "kernel": (f"test data.npz {_KERNEL} --toys 20 -o kernel",),
    "kernel-width": (f"test data.npz {_WIDTH} --coordinates normal-scores --toys 20 --json",),
    "kernel-exact": (f"test data.npz {_WIDTH} --reference-exact --calibrate rare --toys 500 --json",),
    "falkon": (f"test data.npz {_REFERENCE} {_FALKON} --centers 40 --width 0.7 --toys 20 --json",),
    "widths": (f"test data.npz {_KERNEL} --widths 0.5,1.5 --toys 60 -o widths",),
    "network": (f"test data.npz {_REFERENCE} --model network --hidden 2 --clip 3 --toys 2 --json",),
    "histogram": (f"test data.npz {_REFERENCE} --model histogram --bins 5 --shape-only --toys 40 -o histogram",),
    "learn": ("learn learn.yaml -o learn",),
    "nuisances": (f"test data.npz {_WIDTH} --nuisances learned.yaml --toys 10 --json",),
    "nuisances-toys": (
        f"toys run {_REFERENCE} --model histogram --bins 5 --nuisances yields.yaml --nu lumi=0.05 --toys 10 --batch 10"
        " -o nuisances-toys",
    ),
    "toys": (
        f"toys run {_WIDTH} --toys 40 --batch 20 -o toys-null",
        f"toys run {_WIDTH} --toys 40 --batch 20 --signal peak.npz --signal-yield 30 --seed 2 -o toys-peak",
        "toys show toys-null --json",
        "toys show toys-peak --null toys-null -o toys-shown",
        f"test data.npz {_WIDTH} --null toys-null --json",
    ),
    "prepare": (
        f"prepare {_WIDTH} -o prepare.npz",
        f"test data.npz {_WIDTH} --prepared prepare.npz --toys 0 --json",
    ),
    "validate": ("validate a.npz c.npz --expected-ratio 1 --permutations 99 -o validate",),
    "validate-matrix": ("validate a.npz b.npz c.npz --family one --permutations 99 -o validate-matrix",),
    "validate-sweep": (
        "validate a.npz b.npz --statistic one-step --permutations 99 --n-sweep 50,100 -o validate-sweep",
    ),
    "power": (f"power {_KERNEL} --signal peak.npz --n 10,30 --widths 0.7,1.5 --json",),
    "closure": (f"closure {_WIDTH} --signal peak.npz --n 30 --toys 20 -o closure",),
    "tune": (
        "tune --reference small.npz --weights w --hidden 1 --toys 50 --start 20 --reference-exact --batch 50 -o tune",
    ),
    "monitor": (
        f"monitor {_REFERENCE} --folder runs --family one --expected-rate 300 --no-reports -o monitor-family",
        f"monitor {_REFERENCE} --folder runs --width 1 --centers 40 --window 250 --step 100 -o monitor-kernel",
    ),
}
# Alarms are no failures.
EXITS = (0, 7)
# `nplm tune` fits 50 toys or more at several clips, minutes of the usual search: this is nplm with a poor one, made of
# public names.
QUICK_SEARCH = """
import runpy
try:
    from nplm.models import BoxSearch
    from nplm.optimize import SearchSettings
except ImportError:  # the names of cecec48 and before
    from nplm import BoxSearch, SearchSettings
poor = BoxSearch(SearchSettings(starts=2, population=4, parents=2, generations=1, iterations=10), 60, 200, 10, 10)
BoxSearch.default = staticmethod(lambda layout: poor)
runpy.run_module("nplm", run_name="__main__", alter_sys=True)
"""
SEARCHES_LITTLE = ("tune",)

_LEARN = """
central: reference.npz
weights: w
features: [x, y]
settings: {members: 2, hidden: [3], iterations: 40}
nuisances:
  scale: {sigma: 0.2, files: {-0.2: down.npz, 0.2: up.npz}, inputs: [x]}
  tilt: {sigma: 1, weights: {-1: w_down, 1: w_up}}
  pdf: {set: hessian, weights: [w_1, w_2]}
"""
_LEARNED = """
learned: [learn/scale.npz]
sigma: {scale: 0.2}
normalizations: {lumi: 0.05}
correlations: [[scale, lumi, 0.4]]
"""
_YIELDS = """
normalizations: {lumi: 0.05, xsec: {up: 1.1, down: 0.95}}
"""


def write_input(folder: Path) -> None:
    """The files that the commands read, the same each time."""
    rng = np.random.default_rng(20)

    def columns(n: int, scale: float = 1.0) -> dict[str, np.ndarray]:
        return {"x": scale * rng.exponential(size=n), "y": rng.normal(size=n)}

    def write(name: str, **values: np.ndarray) -> None:
        np.savez(folder / f"{name}.npz", **values)  # type: ignore[arg-type]

    n, weight = 2000, 0.2
    w = np.full(n, weight)
    central, peak = columns(n), columns(20, 0.05)
    x, y = central["x"], central["y"]
    varied = {"w_up": np.exp(0.1 * y), "w_down": np.exp(-0.1 * y), "w_1": 0.95 + 0.05 * x, "w_2": 1.05 - 0.05 * x}
    write("reference", **central, w=w, **{name: weight * ratio for name, ratio in varied.items()})
    write("data", **{name: np.append(values, 2 + peak[name]) for name, values in columns(400).items()})
    write("peak", x=2 + 0.1 * rng.normal(size=300), y=rng.normal(size=300))
    write("small", x=rng.exponential(size=200), w=np.full(200, 0.25))
    for name, scale in (("up", float(np.exp(0.2))), ("down", float(np.exp(-0.2)))):
        write(name, **columns(n, scale), w=w)
    for name, scale in (("a", 1.0), ("b", 1.0), ("c", 1.3)):
        write(name, **columns(300, scale))
    (folder / "runs").mkdir()
    for i in range(6):
        write(f"runs/run{i}", **columns(int(rng.integers(200, 400)), 1.0 if i < 4 else 1.6))
    for name, text in (("learn", _LEARN), ("learned", _LEARNED), ("yields", _YIELDS)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
