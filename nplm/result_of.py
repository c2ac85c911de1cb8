"""The result of a test, put together from its fit and the null that its p-value stands on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nplm._versions import versions
from nplm.calibrate.null import Null
from nplm.calibrate.zscore import z_interval
from nplm.ensemble.table import ToyTable
from nplm.models.base import Fits
from nplm.models.with_nuisances import WithNuisances
from nplm.result import Calibration, Result
from nplm.sample import Sample

if TYPE_CHECKING:
    from nplm.ensemble.null_toys import NullToys
    from nplm.hypothesis_test import NPLMTest


def result_of(
    test: NPLMTest,
    data: Sample,
    fits: Fits,
    standing: Null,
    calibration: Calibration,
    null: NullToys | None,
    asked_for: Mapping[str, Any],
    seconds: Mapping[str, float],
    notes: tuple[str, ...],
    complete: bool,
) -> Result:
    """The result of one data sample.

    Arguments:
        test: that the data went through.
        data: that were tested.
        fits: their fit.
        standing, calibration: see `nplm.calibration.calibrated`.
        null: toys that were counted; None without.
        asked_for: how the p-value was wanted: calibrate, toys and seed.
        seconds, notes, complete: see `Result`.
    """
    t = float(fits.t[0])
    p_interval = None if standing is calibration.formula else standing.interval(t)
    prepared = test.prepared
    return Result(
        t=t,
        p_value=standing.pvalue(t),
        p_interval=p_interval,
        z=standing.z(t),
        z_interval=None if p_interval is None else z_interval(p_interval),
        calibration=calibration,
        model=test.model.name,
        converged=bool(fits.converged[0]),
        starts=fits.starts,
        starts_agreeing=int(fits.starts_agreeing[0]),
        start_spread=float(fits.start_spread[0]),
        remaining=float(fits.remaining[0]),
        n_reference=len(test.reference),
        n_data=len(data),
        expected_yield=test.expected_yield(data),
        observed_yield=data.total_weight,
        features=test.reference.features,
        log_ratio=prepared.log_ratio(fits.parameters[0], data.events),
        parameters=prepared.named_parameters(fits.parameters[0]),
        parameter_vector=fits.parameters[0],
        scaler=test.scaler,
        toys=ToyTable.empty() if null is None else null.table,
        seconds=seconds,
        seed=asked_for["seed"] if null is None else null.seed,
        versions=versions(),
        configuration={**test.configuration(), **asked_for},
        notes=notes,
        complete=complete,
        nuisances=prepared.profile.summary(data, fits) if isinstance(prepared, WithNuisances) else None,
    )
