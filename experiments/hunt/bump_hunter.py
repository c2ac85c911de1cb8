"""pyBumpHunter on the spectrum alone, with the background that the events were drawn from."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

from toys.resonance import RANGE, RESOLUTION, STEEP

# Bins of a resolution, widths of so many of them, and sets of its own.
_WIDTHS, _SETS, _SEED = (2, 6), 2000, 5


def installed() -> bool:
    """Whether pyBumpHunter can be imported; it is no dependency, and its column is left out without it."""
    return importlib.util.find_spec("pyBumpHunter") is not None


def bump_hunter(m: Float64[np.ndarray, " n"], events: int) -> float:
    """Its global p-value."""
    hunter, expected = _hunter(events)
    observed, _ = np.histogram(m, _edges())
    with contextlib.redirect_stdout(io.StringIO()):
        hunter.bump_scan(observed, expected, is_hist=True, do_pseudo=False)
    t = np.asarray(hunter.t_ar)
    return float((1 + (t[1:] >= t[0]).sum()) / len(t))


def _edges() -> Float64[np.ndarray, " b"]:
    low, high = RANGE
    return np.linspace(low, high, round((high - low) / RESOLUTION) + 1)


@lru_cache
def _hunter(events: int) -> tuple[Any, Float64[np.ndarray, " b"]]:
    """With its own sets, which are drawn once for all trials."""
    edges = _edges()
    beyond = np.exp(-(edges - edges[0]) / STEEP)
    expected = events * (beyond[:-1] - beyond[1:]) / (1 - beyond[-1])
    module = importlib.import_module("pyBumpHunter")
    hunter = module.BumpHunter1D(
        rang=RANGE, bins=edges, width_min=_WIDTHS[0], width_max=_WIDTHS[1], npe=_SETS, nworker=1, seed=_SEED
    )
    with contextlib.redirect_stdout(io.StringIO()):
        hunter.bump_scan(np.round(expected), expected, is_hist=True)
    return hunter, expected
