"""Kernel fits of the toys that a network is tuned with, and of many more: controls of the network's mean t."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.width import heuristic_width
from nplm.stats.control_variates import Controls
from nplm.toys.campaign import Campaign
from nplm.toys.engines.base import Engine
from nplm.toys.run import run_campaign
from nplm.toys.store import Store
from nplm.toys.table import ToyTable

# Widths of the kernels, in units of the usual one: structures of all sizes, and narrower ones.
_WIDTHS = (0.3, 1.0)


def control_tables(
    campaign: Campaign,
    number: int,
    folder: Path | None,
    engine: Engine | None,
    notify: Callable[[str], None],
) -> list[ToyTable]:
    """The first toys of a campaign as kernel models of two widths fit them, in the order of their numbers.

    Arguments:
        campaign: the toys.
        number: how many of them.
        folder: where the fits are stored; None to keep nothing.
        engine: what runs them.
        notify: told what is going on.

    Returns:
        A table for each width; none if kernels cannot be fitted to these samples, which is notified.
    """
    test = campaign.test
    tables = []
    try:
        usual = heuristic_width(test.coordinates(test.reference.events), test.reference.weights, seed=1)
        for share in _WIDTHS:
            model = KernelModel(width=float(f"{share * usual:.6g}"), reference_exact=True)
            kernels = replace(campaign, test=test.with_model(model), keep_parameters=False)
            store = None
            if folder is not None:
                path = folder / f"control-{share:g}"
                store = Store.create(path, kernels.plan(), range(number), kernels.describe(), notify)
            notify(f"fitting kernels of width {model.width:.3g} to {number} toys, as a control of the mean")
            table = run_campaign(kernels, range(number), store=store, engine=engine)
            tables.append(table.select(np.argsort(table.index)))
    except ValueError as error:
        notify(f"no control of the mean: {error}")
        return []
    if not all(table.succeeded.all() for table in tables):
        notify("no control of the mean: kernel fits of some toys failed")
        return []
    return tables


def controls_of(tables: Sequence[ToyTable], index: Int64[np.ndarray, " n"]) -> Controls | None:
    """The kernels' t of the toys with these numbers, and its means over all toys of the tables; None without tables."""
    if not tables:
        return None
    values = [table.t[np.searchsorted(table.index, index)] for table in tables]
    return Controls(np.column_stack(values), np.array([table.t.mean() for table in tables]), len(tables[0]))
