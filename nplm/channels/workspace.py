"""Counting regions from a workspace of pyhf: its bins, with what its nuisances leave unknown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nplm.channels.table import Covariance, RegionTable

# Steps of the derivatives, in units of each parameter's width.
_STEP = 1e-3
# Bins that few nuisances move together are not all independent: so much of each variance is its own.
_OWN = 1e-6


def regions_of_workspace(
    workspace: Mapping[str, Any],
    *,
    analysis: str = "workspace",
    measurement: str | None = None,
    name: str = "workspace",
) -> RegionTable:
    """A table with a region for each bin of each channel: channel, or channel[bin], before any fit.

    Expectations are those of the model without its signal (the parameter of interest at zero) and with all nuisances at
    their nominal values. Their covariance is J diag(width^2) J^T with the derivatives J of the expectations by the
    constrained parameters: the simplified likelihood of the workspace. Parameters without a constraint stay where they
    begin.

    Arguments:
        workspace: the document, following pyhf's schema.
        analysis: what to call it.
        measurement: which of its measurements; None for the first.
        name: of the file in messages.

    Raises:
        ValueError: if pyhf is not installed or does not accept the workspace, or a bin expects nothing.
    """
    from nplm.nuisance.constraints.pyhf_terms import Terms, model_of

    model, observed = model_of(workspace, measurement)
    config = model.config
    nominal = np.asarray(config.suggested_init(), dtype=np.float64)
    if config.poi_index is not None:
        nominal[config.poi_index] = 0.0
    terms = Terms.of(model)

    def expected(parameters: np.ndarray) -> np.ndarray:
        return np.asarray(model.expected_data(parameters.tolist(), include_auxdata=False), dtype=np.float64)

    slopes = []
    for position, width in zip(terms.positions, terms.sigma, strict=True):
        step = np.zeros(len(nominal))
        step[position] = _STEP * width
        slopes.append((expected(nominal + step) - expected(nominal - step)) / (2 * _STEP))
    names = []
    for channel in config.channels:
        bins = config.channel_nbins[channel]
        names += [channel] if bins == 1 else [f"{channel}[{i}]" for i in range(bins)]
    mean = expected(nominal)
    moved = np.array(slopes).reshape(len(slopes), len(mean))
    matrix = moved.T @ moved
    matrix[np.diag_indices(len(mean))] *= 1 + _OWN
    rows = np.flatnonzero(np.diag(matrix) > 0)
    return RegionTable(
        regions=tuple(names),
        analyses=(analysis,) * len(names),
        observed=observed,
        expected=mean,
        error=np.sqrt(np.diag(matrix)),
        covariances={analysis: Covariance(rows, matrix[np.ix_(rows, rows)])} if len(rows) > 1 else {},
        name=name,
    )


def with_workspace(table: RegionTable, analysis: str, bins: RegionTable) -> RegionTable:
    """A table in which the bins of a workspace stand for the regions of an analysis, with its labels.

    Arguments:
        table: has at least one region of the analysis, for its labels.
        analysis: which.
        bins: of the workspace, see `regions_of_workspace`.

    Raises:
        ValueError: if there is no such analysis.
    """
    if analysis not in table.rows:
        raise ValueError(
            f"{table.name} has no analysis '{analysis}', for which there is a workspace: give it a line with its labels"
            f" (the workspace replaces its numbers); there are {', '.join(table.rows)}"
        )
    kept = np.array([i for i, name in enumerate(table.analyses) if name != analysis], dtype=np.int64)
    first = int(table.rows[analysis][0])
    covariances = {
        name: Covariance(np.searchsorted(kept, each.rows), each.matrix)
        for name, each in table.covariances.items()
        if name != analysis
    }
    covariances |= {name: Covariance(each.rows + len(kept), each.matrix) for name, each in bins.covariances.items()}
    return replace(
        table,
        regions=(*(table.regions[i] for i in kept), *bins.regions),
        analyses=(*(table.analyses[i] for i in kept), *bins.analyses),
        observed=np.concatenate([table.observed[kept], bins.observed]),
        expected=np.concatenate([table.expected[kept], bins.expected]),
        error=np.concatenate([table.error[kept], bins.error]),
        labels={
            column: (*(values[i] for i in kept), *[values[first]] * len(bins))
            for column, values in table.labels.items()
        },
        covariances=covariances,
    )
