"""The null of the 1-4-1 network on set-up A: at which clip is t a chi2(13)?"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check, nplm, options, read_config
from nplm.toys.store import Store
from nplm.wording.markdown import markdown_table

# Mean t at the true maximum, from independent fits of ours with another optimizer: clip, mean, error.
MEASURED_BEFORE = ((7.0, 13.0, 0.7), (8.0, 12.25, 0.28), (9.0, 14.0, 0.6))
PARAMETERS = 13
# Events that set-up A expects in the data.
EXPECTED = 2000.0


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Tunes the clip, and compares the means of the scan with those measured before.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("null_1d", short)
    answer, cost = nplm("tune", *options(config["tune"]), "-o", work / "tune", "--json")
    (network,) = answer["networks"]
    titles = {"tune-4.png": "Mean of t against the clip", "tune-4-qq.png": "Quantiles of the toys at the clip"}
    found = {plot: title for plot, title in titles.items() if (work / "tune" / plot).exists()}
    for plot in found:
        shutil.copy(work / "tune" / plot, results / plot)
    stores = [Store.open(path).read() for path in sorted((work / "tune" / "hidden-4").glob("clip-*"))]
    spent = sum(float(store.seconds.sum()) for store in stores)
    costs = (
        f"This call: {cost.cpu:.0f} CPU s, {cost.wall:.0f} s on the clock (load at the start {cost.load:.1f}). The"
        f" {sum(map(len, stores)):,} toys, of this call and of earlier ones: {spent:.0f} s of a worker, on the clock."
    )
    plots = " ".join(f"![{title}]({plot})" for plot, title in found.items())
    text = "\n\n".join([f"Answer: {network['statement']}.", *_tables(network), costs, plots])
    return text, _checks(network, config["tune"]["n_reference"])


def _tables(network: dict[str, Any]) -> list[str]:
    """The scan, and what was found at the clip, if there is one."""
    scan, check = network["scan"], network["check"]
    if scan is None or check is None:
        return []
    rows = [
        [f"{clip:.4g}", f"{mean:.2f} +- {error:.2f}"]
        for clip, mean, error in zip(scan["clips"], scan["mean"], scan["mean_error"], strict=True)
    ]
    low, high = ("open" if not end else f"{end:.3g}" for end in network["interval"])
    return [
        markdown_table(
            [
                "clip",
                f"mean t of the same {network['toys']} toys, controlled by kernel fits of {scan['control_toys']:,}",
            ],
            rows,
        ),
        f"The clip is {network['clip']:.3g} (68% interval {low} to {high}). Searches miss the best t known in"
        f" {100 * network['missed']:.0f}% of toys, which lowers mean t by {network['shortfall']:.2f}; two or more of"
        f" three searches agree in {100 * network['agreeing']:.0f}%.",
        f"At that clip, as data are fitted: mean t {check['mean']:.2f} +- {check['mean_error']:.2f}, sd"
        f" {check['sd']:.2f} (chi2: {np.sqrt(2 * PARAMETERS):.2f}).",
    ]


def _checks(network: dict[str, Any], n_reference: int) -> list[Check]:
    scan, check = network["scan"], network["check"]
    if scan is None or check is None:
        return [Check("clips found", 0.0, 0.0, 1.0, 1.0, "1")]
    found = []
    for clip, expected, error in MEASURED_BEFORE:
        if not scan["clips"][0] <= clip <= scan["clips"][-1]:
            continue
        mean, ours = (
            float(np.interp(np.log(clip), np.log(scan["clips"]), scan[name])) for name in ("mean", "mean_error")
        )
        # The one reference that the toys have in common fluctuates as well: as N(R)/n_R times a chi2.
        share = EXPECTED / n_reference
        reach = 3 * float(np.linalg.norm([ours, error, share * np.sqrt(2 * PARAMETERS)]))
        likely = expected + share * PARAMETERS
        source = f"{expected} +- {error}, earlier fits with another optimizer"
        found.append(Check(f"mean t at clip {clip:g}", mean, ours, likely - reach, likely + reach, source))
    return [
        *found,
        Check("largest fall of a toy's t", scan["corrected"], 0.0, 0.0, 1e-6, "0: the boxes of the clips are nested"),
        Check("p of the shape at the clip", check["fitted"]["p_value"], 0.0, 0.05, 1.0, "accepted at 5%"),
        Check("lost by the search: mean t", network["shortfall"], 0.0, 0.0, check["mean_error"], "0"),
    ]
