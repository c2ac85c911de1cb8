"""Background regions whose true errors are known: histograms of p, and the factor that is found."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from experiments.experiment import Check
from nplm.channels.draws import draw_counts
from nplm.channels.factor import error_factors
from nplm.channels.histogram import p_histogram
from nplm.channels.pvalues import RegionPValues
from nplm.channels.table import RegionTable
from nplm.wording.markdown import markdown_table


def background(regions: int, seed: int, factor: float) -> RegionTable:
    """Regions that expect 1 to 90 events with errors of 30%, 20 of them in an analysis; counts with other true"
    " errors."""
    rng = np.random.default_rng(seed)
    expected = np.exp(rng.uniform(0, 4.5, regions))
    names = tuple(f"R{i}" for i in range(regions))
    analyses = tuple(f"analysis {i // 20}" for i in range(regions))
    table = RegionTable(names, analyses, np.zeros(regions), expected, 0.3 * expected)
    return table.with_observed(draw_counts(table, rng, 1, factor=factor)[0])


def histograms(config: dict[str, Any]) -> tuple[str, list[Check]]:
    """Tables with each true factor, against the expectations for all of them."""
    asked = config["histogram"]
    factors = tuple(asked["factors"])
    rows, checks = [], []
    for seed, true in enumerate(factors):
        table = background(asked["regions"], seed, true)
        began = time.process_time()
        RegionPValues.of(table)
        seconds = time.process_time() - began
        found = p_histogram(table, bins=asked["bins"], factors=factors, draws=asked["draws"])
        (best,) = error_factors(table)
        own = found.expected[seed]
        edges = np.array(found.edges)
        low = edges[1:] <= 0.1 + 1e-9
        rows.append(
            [
                f"{true:.3g}",
                f"{np.array(found.observed)[low].sum()}",
                f"{np.array(own.counts)[low].sum():.1f}",
                *(f"{each.p_value:.3g}" for each in found.expected),
                f"{best.factor:.3f} ({best.low:.3f} to {best.high:.3f})",
                f"{seconds:.2f}",
            ]
        )
        checks.append(Check(f"histogram for the true factor {true:.3g}, p", own.p_value, 0, 0.01, 1, "uniform"))
        error = (best.high - best.low) / 2
        low_end, high_end = true - 4 * error, true + 4 * error
        checks.append(Check(f"best factor for {true:.3g}", best.factor, error, low_end, high_end, f"{true:.3g}"))
    head = ["true factor", "p <= 0.1", "expected", *(f"p of the histogram for {f:.3g}" for f in factors)]
    text = (
        f"**Errors.** {asked['regions']:,} background regions in each table, which says 30% for all errors; true errors"
        " are the factor times that (1/1.3: those of the table are 30% too large). Then how often tables drawn with"
        " each"
        " factor have a histogram at least as far from its exact expectation, the factor that fits best, and CPU"
        " seconds"
        " of all p-values.\n\n"
    )
    return text + markdown_table([*head, "best factor", "CPU s"], rows), checks
