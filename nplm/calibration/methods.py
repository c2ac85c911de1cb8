"""How t of a test becomes a p-value: which null it stands on, once toys have been run, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from nplm.calibration.record import Calibration
from nplm.data.sample import Sample
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull, fit_asymptotic_null, with_scale_of
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.importance import ImportanceNull
from nplm.stats.null import Null
from nplm.toys.no_toys import why_no_toys

if TYPE_CHECKING:
    from nplm.calibration.null_toys import NullToys

Calibrate = Literal["toys", "analytic", "analytic+toys", "toys+analytic", "rare"]
CALIBRATIONS: tuple[Calibrate, ...] = get_args(Calibrate)


def calibrated(
    test: LikelihoodRatio,
    data: Sample,
    formula: AsymptoticNull,
    t: float,
    null: NullToys | None,
    rare: ImportanceNull | None,
    calibrate: Calibrate,
    requested: int,
) -> tuple[Null, Calibration]:
    """The null that t of the data is compared with, and what a result says of it.

    Arguments:
        test: that the data went through.
        data: that were tested.
        formula: `test.asymptotic_null(data)`.
        t: of the data.
        null: toys that were counted; None without.
        rare: toys that were weighted; None without.
        calibrate: what the p-value shall stand on.
        requested: toys that were asked for.
    """
    own = None if null is None else null.formula
    fixed = null is not None and not null.resampled
    for_toys = test.asymptotic_null(data, fixed_reference=fixed) if own is None else own
    toys = None if null is None or not len(null.table) else null.table
    counted = None if toys is None else EmpiricalNull(toys.t)
    ensemble = None if counted is None else summarize_toys(counted.t, for_toys)
    standing: Null = formula if rare is None else rare
    if counted is not None:
        enough = calibrate == "toys+analytic" and not counted.is_limit(t)
        standing = counted if calibrate == "toys" or enough else _trusted(formula, for_toys, counted, ensemble)
    run = counted if rare is None else rare
    source = "" if null is None else null.source
    if rare is not None:
        source = f"events of {test.reference.name} in proportion to their weight and to a random signal"
    unchecked = ", unchecked" if run is None else ""
    return standing, Calibration(
        kind=standing.kind,
        null=f"{standing.describe()}{unchecked}",
        mean=standing.mean,
        sd=standing.sd,
        toys_requested=requested,
        toys=0 if run is None else len(run.t),
        toys_failed=0 if run is None else run.failed,
        toys_exceeding=0 if run is None else run.exceeding(t),
        source=source,
        inflation=1.0 if null is None else null.inflation,
        formula=formula,
        formula_for_toys=for_toys,
        formula_p_value=formula.pvalue(t),
        formula_z=formula.z(t),
        ensemble=ensemble,
        rare=None if rare is None else rare.to_dict(t),
        no_toys="" if run is not None else why_no_toys(test.reference, data, shape_only=test.shape_only),
    )


def _trusted(
    formula: AsymptoticNull, for_toys: AsymptoticNull, counted: EmpiricalNull, ensemble: EnsembleSummary | None
) -> Null:
    """The null that toys leave standing: the formula, the formula with a fitted scale, or the toys themselves."""
    if counted.failed or ensemble is None or ensemble.given is None:
        return counted
    if ensemble.given.accepted:
        return formula
    if ensemble.fitted is not None and ensemble.fitted.accepted:
        return with_scale_of(fit_asymptotic_null(counted.t, for_toys), formula)
    return counted
