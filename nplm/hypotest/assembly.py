"""The result of a test, put together from its fit and the null that its p-value stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nplm._util.versions import versions
from nplm.calibration.record import Calibration
from nplm.data.sample import Sample
from nplm.hypotest.impact import impacts
from nplm.hypotest.result import Result
from nplm.hypotest.yields import own_rate, own_shape
from nplm.likelihood.fits import Fits
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.statistic import LikelihoodRatio
from nplm.stats.null import Null
from nplm.stats.significance import z_interval
from nplm.toys.table import ToyTable

if TYPE_CHECKING:
    from nplm.calibration.null_toys import NullToys

# Nuisances whose impacts are computed unasked.
MOST_IMPACTS = 20


def result_of(
    test: LikelihoodRatio,
    data: Sample,
    given: Sample,
    fits: Fits,
    standing: Null,
    calibration: Calibration,
    null: NullToys | None,
    asked_for: Mapping[str, Any],
    seconds: Mapping[str, float],
    notes: tuple[str, ...],
    complete: bool,
) -> Result:
    """The result of one data sample; nuisances have their impacts where these take little time, see `with_impacts`.

    Arguments:
        test: that the data went through.
        data: that were tested.
        given: the same before features were taken to the range of the reference: what lies beyond it is told of.
        fits: their fit.
        standing, calibration: see `nplm.calibration.methods.calibrated`.
        null: toys that were counted; None without.
        asked_for: how the p-value was wanted: calibrate, toys and seed.
        seconds, notes, complete: see `Result`.
    """
    t = float(fits.t[0])
    p_interval = None if standing is calibration.asymptotic else standing.interval(t)
    prepared = test.prepared
    rate = own_rate(test, data)
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
        coordinates=test.coordinates,
        toys=ToyTable.empty() if null is None else null.table,
        seconds=seconds,
        seed=asked_for["seed"] if null is None else null.seed,
        versions=versions(),
        configuration={**test.configuration(), **asked_for},
        notes=notes,
        complete=complete,
        nuisances=_nuisances(test, data, fits, complete),
        rate=rate,
        shape=own_shape(test, data, t, rate, calibration, standing),
        # With nuisances the reference may lack events where the data rightly have some: a caution tells of them.
        outside=() if test.nuisances is not None else test.support.outside(given),
    )


def with_impacts(test: LikelihoodRatio, data: Sample, result: Result) -> Result:
    """A result with the impact of each nuisance on t: t with that nuisance held at 0, less t.

    `NPLMTest.run` does this for kernels and histograms with no more than 20 nuisances. For networks it costs as many
    fits as there are nuisances, each as long as that of the data, and their t carry the noise of the search.

    Arguments:
        test: that ran.
        data: that were tested.
        result: of that test and these data.

    Returns:
        The result with `nuisances.impact`; see `nplm.hypotest.impact.impacts`.

    Raises:
        ValueError: if the test has no nuisances.
    """
    prepared = test.prepared.profiled
    if result.nuisances is None or prepared is None:
        raise ValueError("a test without nuisances has no impacts: give LikelihoodRatio nuisances")
    found = impacts(prepared, test.checked(data), result.t, result.converged)
    return replace(result, nuisances=replace(result.nuisances, impact=found))


def _nuisances(test: LikelihoodRatio, data: Sample, fits: Fits, complete: bool) -> NuisanceSummary | None:
    prepared = test.prepared.profiled
    if prepared is None:
        return None
    # Who interrupts the toys does not want to wait for more fits, nor anybody for a fit of each of a hundred nuisances.
    few = prepared.profile.nuisances.count <= MOST_IMPACTS
    quick = complete and few and prepared.quick
    found = impacts(prepared, data, float(fits.t[0]), bool(fits.converged[0])) if quick else None
    return prepared.profile.summary(data, fits, found)
