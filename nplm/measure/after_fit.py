"""The goodness of fit of a measurement: the fitted model at the events of reference and data, and toys of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from nplm.data.sample import Sample
from nplm.measure.left import GoodnessOfFit, LeftFamily, PointOfFit, look_for_more, statistic_of
from nplm.measure.model import ParametricModel
from nplm.measure.observed import Minimum, Observed
from nplm.measure.toys import ToyMaker


def goodness_after_fit(
    maker: ToyMaker, data: Sample, observed: Observed, found: Minimum, resamples: int, toys: int, seed: int
) -> GoodnessOfFit:
    """Whether anything is left beside a fit.

    Arguments:
        maker: draws toys of the fitted model; its reference is that of the fit.
        data, observed: what was fitted, and as the likelihood sees it.
        found: the fit.
        resamples: samples without a difference.
        toys: of the model, each with its own fit and reference, whose statistics are kept beside; 0 for none.
        seed: of all.
    """
    model, reference = maker.model, maker.reference
    every = np.arange(len(reference))
    gof, _, null = look_for_more(
        point_of_fit(model, reference, data, observed, found, every), model.names, resamples=resamples, seed=seed
    )
    if not toys:
        return gof
    statistics = []
    for number in range(toys):
        fresh, drawn, weights, rows, v = maker.draw(seed, number)
        end = fresh.descend(drawn, found.point)
        best = Minimum(end.point, end.value, end.gradient, end.hessian, end.converged)
        resampled = Sample(reference.events, weights, reference.features)
        toy = Sample(reference.events[rows], v, reference.features, "toy")
        at = point_of_fit(fresh, resampled, toy, drawn, best, np.flatnonzero(weights))
        statistics.append(statistic_of(LeftFamily.of(at, gof.settings, seed), null.log_tests, gof.classes))
    return gof.with_toys(np.array(statistics))


def point_of_fit(
    model: ParametricModel,
    reference: Sample,
    data: Sample,
    observed: Observed,
    found: Minimum,
    rows: Int64[np.ndarray, " k"],
) -> PointOfFit:
    """The fitted model at some rows of the reference, and at the data."""
    n, k = len(reference), len(found.point)
    log_r, s = model.scores(model.events, found.point)
    _, of_data = model.scores(observed.events, found.point)
    weights = reference.weights * np.exp(log_r.ravel()[:n])
    moved = Sample(reference.events[rows], weights[rows], reference.features, "the fit")
    # The number of the reference's events is fixed: its yield fluctuates as far as weights vary.
    of_yield = float((weights**2).sum() - weights.sum() ** 2 / model.count)
    return PointOfFit(
        moved,
        data,
        s.reshape(-1, k)[:n][rows],
        of_data.reshape(-1, k)[: len(data)],
        yields=True,
        stiffness=model.stiffness(observed, found.point),
        gradient=found.gradient,
        noise_of_yield=max(of_yield, 0.0),
    )
