"""What a table of counting regions says: p-values, whether the errors are right, and what stands out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm.channels.counts import UNCERTAINTIES, Uncertainty
from nplm.channels.extremes import extremes
from nplm.channels.factor import error_factors
from nplm.channels.histogram import p_histogram
from nplm.channels.pvalues import RegionPValues
from nplm.channels.regions_result import RegionsResult
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.channels.workspace_fit import workspace_fit
from nplm.channels.workspace_likelihood import WorkspaceLikelihood, require_bins

# True errors over those of the table: right, 30% and two times too large, and 30% too small.
FACTORS = (1.0, 1 / 1.3, 0.5, 1.3)


def examine_regions(
    table: RegionTable,
    errors: Uncertainty = "gaussian",
    *,
    by: Sequence[str] = ("analysis",),
    factors: Sequence[float] = FACTORS,
    bins: int = 20,
    most: int = 10,
    draws: int = 2000,
    seed: int = 1,
    likelihoods: Mapping[str, WorkspaceLikelihood] | None = None,
    templates: Templates | None = None,
) -> RegionsResult:
    """Exact p-values of counting regions, their histogram beside what is expected of it, and the extremes.

    Arguments:
        table: the regions.
        errors: how their expectations are uncertain: "gaussian" (truncated at zero), "lognormal" or "gamma", see
            `nplm.channels.counts.log_probability`.
        by: columns by which the best factor of the errors is given as well.
        factors: true errors over those of the table, for which the histogram is predicted.
        bins: of the histogram.
        most: how many extremes are listed on each side.
        draws: tables drawn for each factor, and for extremes if there are covariances.
        seed: of the draws.
        likelihoods: full likelihoods of workspaces, by analysis, see `read_likelihoods`: each is fitted to all of its
            bins together.
        templates: signals whose strengths these limit.

    Raises:
        ValueError: if a column does not exist, an error has no such distribution, or a number makes no sense.

    Example:
        >>> table = RegionTable.from_columns({"region": ["A", "B"], "analysis": ["x", "y"], "observed": [3, 30],
        ...     "expected": [2.5, 10.0], "error": [0.5, 2.0]})
        >>> result = examine_regions(table, "gamma")
        >>> result.extremes[0].region, round(result.extremes[0].p_value, 5)
        ('B', 3e-05)
    """
    require_seed(seed)
    if errors not in UNCERTAINTIES:
        raise ValueError(f"errors are {', '.join(UNCERTAINTIES)}, not '{errors}'")
    for name, value in (("bins", bins), ("most", most), ("draws", draws)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, not {value}")
    for factor in factors:
        if not 0 < factor < 100:
            raise ValueError(f"a factor of the errors must lie between 0 and 100, not at {factor:g}")
    for column in by:
        table.label_of(column)
    full = dict(likelihoods or {})
    require_bins(table, full)
    if templates is not None and not full:
        raise ValueError("limits on templates are set by full likelihoods of workspaces: give these, too")
    began = time.perf_counter()
    p_values = RegionPValues.of(table, errors)
    seconds = {"p-values": time.perf_counter() - began}
    histograms = tuple(
        p_histogram(table, errors, kind=kind, bins=bins, factors=factors, draws=draws, seed=seed)
        for kind in ("excess", "mid")
    )
    seconds["histograms"] = time.perf_counter() - began - sum(seconds.values())
    best = error_factors(table, errors, tuple(by))
    seconds["factors"] = time.perf_counter() - began - sum(seconds.values())
    found = {
        side: extremes(table, p_values, errors, side=side, most=most, draws=draws, seed=seed)
        for side in ("excess", "deficit")
    }
    seconds["extremes"] = time.perf_counter() - began - sum(seconds.values())
    fits = tuple(
        workspace_fit(name, each, _signals(table, name, templates), draws=draws, seed=seed)
        for name, each in full.items()
    )
    if fits:
        seconds["workspaces"] = time.perf_counter() - began - sum(seconds.values())
    return RegionsResult(
        table=table,
        errors=errors,
        p_values=p_values,
        histogram=histograms[0],
        mid_histogram=histograms[1],
        factors=best,
        extremes=found["excess"],
        deficits=found["deficit"],
        fits=fits,
        seconds=seconds,
        seed=seed,
        versions=versions(),
        configuration={
            "table": table.name,
            "errors": errors,
            "by": list(by),
            "factors": list(factors),
            "bins": bins,
            "most": most,
            "draws": draws,
            "covariances": list(table.covariances),
        },
    )


def _signals(table: RegionTable, analysis: str, templates: Templates | None) -> Mapping[str, Float64[np.ndarray, " k"]]:
    """Yields of templates in the regions of an analysis."""
    if templates is None:
        return {}
    return {name: row[table.rows[analysis]] for name, row in zip(templates.names, templates.yields, strict=True)}
