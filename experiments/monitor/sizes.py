"""The size of one kernel's test of a window, with references of a few windows that are fresh in each trial."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.experiment import Check
from nplm import KernelModel, Sample
from nplm.monitor.exact_shape import ExactShapeTest
from nplm.monitor.finite_shape import FiniteShapeTest
from nplm.wording.markdown import markdown_table

_HEAD = ["windows in the reference", "trials", "p <= .05", "p <= .01", "exact: p <= .05", "exact: p <= .01"]


def sizes(settings: dict[str, Any]) -> tuple[str, list[Check]]:
    """Shares of windows that are rejected, with the reference as a finite sample and taken as exact."""
    rng = np.random.default_rng(8)
    n, d, trials = settings["events"], settings["dimension"], settings["trials"]
    finite = KernelModel(width=settings["width"], centers=settings["centers"])
    exact = KernelModel(width=settings["width"], centers=settings["centers"], reference_exact=True)
    rows, checks = [], []
    for windows in settings["windows"]:
        p = np.empty((trials, 2))
        for row in p:
            reference, window = Sample(rng.normal(size=(n * windows, d))), Sample(rng.normal(size=(n, d)))
            row[0] = FiniteShapeTest.of(reference, finite, n)(window).p
            row[1] = ExactShapeTest.of(reference, exact, n)(window).p
        shares = [float((column <= level).mean()) for column in p.T for level in (0.05, 0.01)]
        rows.append([str(windows), str(trials), *(f"{share:.3f}" for share in shares)])
        error = float(np.sqrt(0.05 * 0.95 / trials))
        what = f"one kernel, {windows} windows in the reference: exact less finite, p <= .05"
        checks.append(Check(what, shares[2] - shares[0], error, 2 * error, 1.0, "negative control: more"))
    text = (
        f"Windows of {n} events of {d} features without a difference, one kernel, a fresh reference for each.\n\n"
        + markdown_table(_HEAD, rows)
    )
    return text, checks
