"""The tests that are compared: ours, the energy test and a chi2 in bins, each after a fit."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import cdist, pdist
from scipy.stats import chi2

from experiments.measure.problem import NAMES, TRUTH, data, draw, fitted, log_density, scores
from nplm.data.sample import Sample
from nplm.family.settings import CLASSES, INTERVALS, FamilySettings
from nplm.measure import goodness_of_fit
from nplm.measure.left import PointOfFit, look_for_more

_RESAMPLES = 199
_BINS = 4


def ours(x: np.ndarray, theta: np.ndarray, free: int, model: np.ndarray, *, projected: bool = True) -> float:
    """p of `goodness_of_fit`; without projection, that of the same tests with theta taken as known."""
    if free == 0 or not projected:
        nothing = np.zeros((1, 1))
        at = PointOfFit(Sample(model), Sample(x), np.zeros((len(model), 1)), np.zeros((len(x), 1)), False, nothing)
        return look_for_more(at, ("none",), resamples=_RESAMPLES)[0].p_value

    def density(events: np.ndarray, point: np.ndarray) -> np.ndarray:
        return log_density(events, np.concatenate([point, theta[free:]]))

    point = dict(zip(NAMES[:free], theta[:free].tolist(), strict=True))
    return goodness_of_fit(x, model, density, point, resamples=_RESAMPLES).p_value


def without_intervals(x: np.ndarray, theta: np.ndarray, free: int, model: np.ndarray) -> float:
    """p of the same tests but the intervals."""
    of_model, of_data = (scores(each, theta, free) for each in (model, x))
    mean = of_model.mean(axis=0)
    at = PointOfFit(Sample(model), Sample(x), of_model - mean, of_data - mean, False, np.zeros((free, free)))
    settings = FamilySettings(classes=tuple(name for name in CLASSES if name != INTERVALS))
    return look_for_more(at, NAMES[:free], settings=settings, resamples=_RESAMPLES)[0].p_value


def energy(x: np.ndarray, model: np.ndarray) -> float:
    """The point-to-point dissimilarity of two samples with psi(d) = exp(-d^2 / 2 s^2), s = .5 (Williams 2010)."""

    def psi(d: np.ndarray) -> float:
        return float(np.exp(-(d**2) / (2 * 0.5**2)).sum())

    n, m = len(x), len(model)
    return psi(pdist(x)) / n**2 + psi(pdist(model)) / m**2 - psi(cdist(x, model)) / (n * m)


@lru_cache
def energy_null(n: int, m: int, free: int, toys: int, seed: int) -> tuple[Float64[np.ndarray, " t"], float]:
    """Energies of toys of the model, each with its fit and its sample of the fit, and the seconds of one."""
    rng, found, began = np.random.default_rng(seed), [], time.process_time()
    for _ in range(toys):
        x = data(rng, n, "nothing", 0.0)
        found.append(energy(x, draw(rng, m, fitted(x, free))))
    return np.array(found), (time.process_time() - began) / toys


def chi2_p(x: np.ndarray, theta: np.ndarray, free: int, model: np.ndarray) -> float:
    """Pearson's chi2 in 4 x 4 x 4 bins of about equal probability, with the parameters taken off the bins."""
    del theta
    edges = [np.quantile(column, np.arange(1, _BINS) / _BINS) for column in model.T]
    counts = []
    for events in (x, model):
        place = np.zeros(len(events), dtype=np.int64)
        for column, edge in zip(events.T, edges, strict=True):
            place = place * _BINS + np.searchsorted(edge, column)
        counts.append(np.bincount(place, minlength=_BINS**3).astype(float))
    seen, drawn = counts
    # The sample of the fit fluctuates as well: sum (n - e)^2 / (e (1 + N / M)).
    expected = drawn * len(x) / len(model)
    kept = expected > 0
    value = ((seen - expected)[kept] ** 2 / (expected[kept] * (1 + len(x) / len(model)))).sum()
    return float(chi2.sf(value, kept.sum() - 1 - free))


__all__ = ["TRUTH", "chi2_p", "energy", "energy_null", "ours", "without_intervals"]
