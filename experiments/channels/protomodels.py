"""The regions whose p-values were published with arXiv:2012.12246: ours beside theirs, and what they say of errors."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from experiments.experiment import Check
from nplm.channels.factor import error_factors
from nplm.channels.histogram import p_histogram
from nplm.channels.pvalues import RegionPValues
from nplm.channels.regions_text import FACTORS_HEAD, HISTOGRAM_HEAD, factor_rows, factor_words, histogram_rows
from nplm.channels.table import RegionTable
from nplm.plot.channels import plot_p_histogram
from nplm.plot.style import save_figure
from nplm.wording.markdown import markdown_table

_MISSING = (
    "**Published p-values** were not given: `python -m experiments channels --published plots.dict` takes them from the"
    " repository that README.md names."
)
# What the authors drew for each p-value, and how many binomial errors of these count as agreement.
_SAMPLES, _ERRORS = 1e5, 4.0


def read_published(path: Path) -> tuple[RegionTable, Float64[np.ndarray, " m"]]:
    """The regions of the authors' file that have a p-value, and these p-values.

    It holds a Python literal for its settings and one for the regions, by "analysis:region"; nothing of it is executed.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines()[1:] if not line.startswith("#")]
    every = ast.literal_eval("\n".join(lines))
    found = {tuple(name.split(":", 1)): values for name, values in every.items() if "orig_p" in values}
    analyses = [analysis for analysis, _ in found]
    table = RegionTable.from_columns(
        {
            "analysis": analyses,
            "region": [region for _, region in found],
            "experiment": [analysis.split("-")[0] for analysis in analyses],
            # Counts of zero are 1e-5 in the file.
            "observed": [round(values["origN"]) for values in found.values()],
            "expected": [values["expectedBG"] for values in found.values()],
            "error": [values["bgError"] for values in found.values()],
        },
        name=str(path),
    )
    return table, np.array([values["orig_p"] for values in found.values()], dtype=np.float64)


def of_published(config: dict[str, Any], published: str | None, results: Path) -> tuple[str, list[Check]]:
    """Agreement of p-values, the histogram of mid-p beside what is expected of it, and factors of the errors."""
    if published is None:
        return _MISSING, []
    asked = config["published"]
    table, theirs = read_published(Path(published))
    ours = RegionPValues.of(table).mid
    off = np.abs(ours - theirs)
    error = np.sqrt(np.maximum(ours * (1 - ours), 1 / _SAMPLES) / _SAMPLES)
    within = int((off <= _ERRORS * error).sum())
    worst = [
        [
            table.title(row),
            f"{table.observed[row]:,.0f}",
            f"{table.expected[row]:,.6g} +- {table.error[row]:.3g}",
            f"{theirs[row]:.4f}",
            f"{ours[row]:.4f}",
        ]
        for row in np.argsort(-off / error)[: len(table) - within].tolist()
    ]
    histogram = p_histogram(
        table, kind="mid", bins=asked["bins"], factors=tuple(asked["factors"]), draws=asked["draws"]
    )
    save_figure(plot_p_histogram(histogram), results / "published")
    edges = np.array(histogram.edges)
    counted = np.histogram(theirs, edges)[0]
    bins = [
        [f"{edges[i]:.2f} to {edges[i + 1]:.2f}", str(counted[i]), str(histogram.observed[i])]
        + [f"{each.counts[i]:.1f}" for each in histogram.expected]
        for i in range(len(counted))
    ]
    head = ["mid-p", "theirs", "ours", *(factor_words(each.factor) for each in histogram.expected)]
    factors = error_factors(table, by=("experiment",))
    text = "\n\n".join(
        [
            f"**Published p-values.** {len(table):,} regions of {len(table.rows)} analyses, with p-values that the"
            " authors of arXiv:2012.12246 have from samples with Gaussian errors. Our mid-p with Gaussian errors, cut"
            f" off at zero, differs by {np.median(off):.4f} in the median and by {off.max():.4f} at most; {within} of"
            f" {len(table)} lie within {_ERRORS:g} binomial errors of {_SAMPLES:,.0f} draws. The others (where"
            " the file has 1e-5 events for none, no sample of theirs is equal to what was observed):",
            markdown_table(["region", "observed", "expected", "their p", "our mid-p"], worst) if worst else "None.",
            "The histogram of mid-p, theirs beside ours, and what is expected of ours exactly; then its ends, and how"
            " often drawn tables (without covariances) have a histogram as far from what is expected:",
            markdown_table(head, bins),
            markdown_table(list(HISTOGRAM_HEAD), [list(row) for row in histogram_rows(histogram)]),
            markdown_table(list(FACTORS_HEAD), [list(row) for row in factor_rows(factors)]),
        ]
    )
    return text, [
        Check("median difference from published p-values", float(np.median(off)), 0, 0, 0.002, "0, arXiv:2012.12246"),
        Check("share of published p-values within 4 errors", within / len(table), 0, 0.99, 1, "1, arXiv:2012.12246"),
    ]
