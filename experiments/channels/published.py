"""A table of published regions: what its p-values say of its errors, and what stands out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check
from nplm.channels.factor import ErrorFactor, error_factors
from nplm.channels.read import read_regions
from nplm.channels.regions import examine_regions
from nplm.channels.regions_text import (
    EXTREMES_HEAD,
    FACTORS_HEAD,
    HISTOGRAM_HEAD,
    extreme_rows,
    factor_rows,
    factor_words,
    histogram_rows,
)
from nplm.channels.table import RegionTable
from nplm.plot.channels import plot_error_factors, plot_extremes, plot_p_histogram
from nplm.plot.style import save_figure
from nplm.wording.markdown import markdown_table

_MISSING = (
    "**A table of published regions** was not given: `python -m experiments channels --table FILE --covariances FILE`"
    " takes a CSV file with the columns analysis, experiment, region, observed, expected and error; README.md says"
    " where such"
    " tables come from."
)


def of_table(
    config: dict[str, Any], table: str | None, covariances: str | None, results: Path
) -> tuple[str, list[Check]]:
    """All that `nplm channels regions` says of it, without and with covariances."""
    if table is None or not Path(table).is_file():
        return _MISSING, []
    asked = config["table"]
    regions = read_regions(table)
    left_out = ""
    if covariances is not None:
        # Names in lists that were written as text still have brackets and quotes.
        documents = json.loads(Path(covariances).read_text(encoding="utf-8"))
        for document in documents.values():
            document["order"] = [name.strip("[]' ") for name in document["order"]]
        regions = regions.with_covariances(documents, name="covariances")
        left_out = f" {len(documents)} analyses have a covariance."
    began = time.process_time()
    found = examine_regions(
        regions, by=asked["by"], factors=asked["factors"], draws=asked["draws"], most=asked["extremes"]
    )
    seconds = time.process_time() - began
    for name, figure in (
        ("p-values", plot_p_histogram(found.histogram)),
        ("mid-p", plot_p_histogram(found.mid_histogram)),
        ("extremes", plot_extremes(found)),
        ("factors", plot_error_factors(found)),
    ):
        save_figure(figure, results / name)
    names = ["p of an excess", "observed", *(factor_words(each.factor) for each in found.histogram.expected)]
    edges = found.histogram.edges
    bins = [
        [f"{edges[i]:.2f} to {edges[i + 1]:.2f}", str(found.histogram.observed[i])]
        + [f"{each.counts[i]:.1f}" for each in found.histogram.expected]
        for i in range(len(edges) - 1)
    ]
    odd, rest = _without_the_oddest(regions)
    observed = np.array(found.histogram.observed)
    total = [float(np.sum(each.counts)) for each in found.histogram.expected]
    text = "\n\n".join(
        [
            f"**A table of published regions.** {len(regions):,} regions of {len(regions.rows)} analyses.{left_out}"
            f" All of this takes {seconds:.0f} CPU seconds.",
            markdown_table(list(HISTOGRAM_HEAD), [list(row) for row in histogram_rows(found.histogram)]),
            markdown_table(names, bins),
            "Factors of the errors: 68% intervals as if regions were independent, then the spread if those of one"
            f" analysis may share anything. Without {odd}, whose counts ask for another factor most, the best factor"
            " of all"
            f" others is {rest.factor:.2f} ({rest.low:.2f} to {rest.high:.2f}, +- {rest.spread:.2f}).",
            markdown_table(list(FACTORS_HEAD), [list(row) for row in factor_rows(found.factors)]),
            "Extremes, with the chance that some of all regions has a p-value as small, for independent regions and"
            " counted in tables drawn with the covariances.",
            markdown_table(list(EXTREMES_HEAD), [list(row) for row in extreme_rows(found.extremes)]),
            markdown_table(list(EXTREMES_HEAD), [list(row) for row in extreme_rows(found.deficits)]),
        ]
    )
    return text, [
        Check("regions in the histogram", float(observed.sum()), 0, len(regions), len(regions), "all"),
        Check("regions in each expectation", min(total), 0, len(regions) - 1e-6, len(regions) + 1e-6, "all"),
    ]


def _without_the_oddest(table: RegionTable) -> tuple[str, ErrorFactor]:
    """The analysis whose counts ask most for another factor than one, and the best factor of all others."""
    _, *by_analysis = error_factors(table, by=("analysis",))
    odd = max(by_analysis, key=lambda each: each.log_ratio).group
    left = [i for i, name in enumerate(table.analyses) if name != odd]
    values = (table.observed[left], table.expected[left], table.error[left])
    rest = RegionTable(tuple(table.regions[i] for i in left), tuple(table.analyses[i] for i in left), *values)
    return odd, error_factors(rest)[0]
