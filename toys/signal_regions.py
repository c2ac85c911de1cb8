"""About sixty counting regions of ten analyses of two experiments, with known truth: true errors, signals, covariances.

Each analysis has its own size of backgrounds and errors; those of three share a covariance. What the table calls the
error may be wrong: the true one is `factor` times it. Signals are templates, yields in a few regions of several
analyses.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from nplm.channels.draws import draw_counts
from nplm.channels.table import Covariance, RegionTable
from nplm.channels.templates import Templates


@dataclass(frozen=True)
class Analysis:
    """What an analysis is like.

    Arguments:
        experiment, energy, signature: its labels.
        regions: how many it has.
        expected: of the first region; each further one has 0.6 of that before it.
        relative: error over what is expected.
        correlation: between what is expected in any two of its regions; None if the table does not say.
    """

    experiment: str
    energy: str
    signature: str
    regions: int
    expected: float
    relative: float
    correlation: float | None = None


ANALYSES: Mapping[str, Analysis] = MappingProxyType(
    {
        "A-8-jets": Analysis("A", "8TeV", "jets", 6, 60.0, 0.12),
        "A-8-leptons": Analysis("A", "8TeV", "leptons", 4, 12.0, 0.25),
        "A-13-jets": Analysis("A", "13TeV", "jets", 10, 200.0, 0.08, 0.5),
        "A-13-leptons": Analysis("A", "13TeV", "leptons", 6, 20.0, 0.2),
        "A-13-photons": Analysis("A", "13TeV", "photons", 4, 6.0, 0.35),
        "B-8-jets": Analysis("B", "8TeV", "jets", 6, 80.0, 0.15),
        "B-8-photons": Analysis("B", "8TeV", "photons", 3, 4.0, 0.4),
        "B-13-jets": Analysis("B", "13TeV", "jets", 10, 150.0, 0.1, 0.3),
        "B-13-leptons": Analysis("B", "13TeV", "leptons", 8, 30.0, 0.2, 0.2),
        "B-13-photons": Analysis("B", "13TeV", "photons", 3, 3.0, 0.5),
    }
)
# Which regions each template has signals in.
_IN: Mapping[str, tuple[tuple[str, int], ...]] = MappingProxyType(
    {
        "gluino": (("A-13-jets", 7), ("B-13-jets", 7), ("A-8-jets", 4)),
        "stop": (("A-13-leptons", 3), ("B-13-leptons", 4), ("A-8-leptons", 2)),
        "photino": (("A-13-photons", 2), ("B-13-photons", 1), ("B-8-photons", 1)),
        "squark": (("A-13-jets", 4), ("B-13-jets", 5), ("B-8-jets", 3)),
        "wino": (("A-13-leptons", 5), ("B-13-leptons", 7), ("A-13-photons", 3)),
        "mixed": (("A-13-jets", 9), ("B-13-leptons", 6), ("B-8-photons", 2)),
    }
)
TEMPLATES = tuple(_IN)


def background() -> RegionTable:
    """The table with its expectations, and the rounded expectations as counts."""
    places = [(name, a, i) for name, a in ANALYSES.items() for i in range(a.regions)]
    analyses = tuple(name for name, _, _ in places)
    expected = np.array([round(a.expected * 0.6**i, 3) for _, a, i in places])
    error = np.array([round(a.relative * a.expected * 0.6**i, 3) for _, a, i in places])
    covariances = {}
    for name, a in ANALYSES.items():
        if a.correlation is not None:
            at = np.flatnonzero([each == name for each in analyses])
            correlation = a.correlation + (1 - a.correlation) * np.eye(len(at))
            covariances[name] = Covariance(at, correlation * np.outer(error[at], error[at]))
    return RegionTable(
        regions=tuple(f"SR{i + 1}" for _, _, i in places),
        analyses=analyses,
        observed=np.round(expected),
        expected=expected,
        error=error,
        labels={
            "experiment": tuple(a.experiment for _, a, _ in places),
            "energy": tuple(a.energy for _, a, _ in places),
            "signature": tuple(a.signature for _, a, _ in places),
        },
        covariances=covariances,
        name="signal_regions",
    )


def templates(table: RegionTable | None = None) -> Templates:
    """Six templates; at strength 1 each has in each of its three regions twice the root of b + error^2."""
    table = background() if table is None else table
    yields = np.zeros((len(TEMPLATES), len(table)))
    for k, places in enumerate(_IN.values()):
        for analysis, number in places:
            row = table.row_of(f"SR{number}", analysis)
            yields[k, row] = 2 * np.sqrt(table.expected[row] + table.error[row] ** 2)
    return Templates(TEMPLATES, yields)


def draw_table(
    rng: np.random.Generator, signals: Mapping[str, float] | None = None, *, factor: float = 1.0
) -> RegionTable:
    """A table whose counts are drawn.

    Arguments:
        rng: where the randomness comes from.
        signals: strengths of templates, by name.
        factor: true errors over those of the table.
    """
    table = background()
    return table.with_observed(draw_counts(table, rng, 1, factor=factor, signal=signal_of(table, signals or {}))[0])


def signal_of(table: RegionTable, signals: Mapping[str, float]) -> Float64[np.ndarray, " m"]:
    """Yields that signals add."""
    every = templates(table)
    return sum((s * every.yields[every.names.index(name)] for name, s in signals.items()), np.zeros(len(table)))


def write_files(folder: Path, table: RegionTable) -> None:
    """Writes the table as regions.csv, its covariances as covariances.json, and the templates as templates.csv."""
    with (folder / "regions.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["analysis", *table.labels, "region", "observed", "expected", "error"])
        for i in range(len(table)):
            labels = [column[i] for column in table.labels.values()]
            counts = [int(table.observed[i]), float(table.expected[i]), float(table.error[i])]
            writer.writerow([table.analyses[i], *labels, table.regions[i], *counts])
    covariances = {
        name: {"order": [table.regions[i] for i in c.rows], "covariance": c.matrix.tolist()}
        for name, c in table.covariances.items()
    }
    (folder / "covariances.json").write_text(json.dumps(covariances, indent=1) + "\n", encoding="utf-8")
    every = templates(table)
    with (folder / "templates.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["template", "analysis", "region", "yield"])
        for name, row in zip(every.names, every.yields, strict=True):
            for at in np.flatnonzero(row > 0).tolist():
                writer.writerow([name, table.analyses[at], table.regions[at], round(float(row[at]), 4)])
