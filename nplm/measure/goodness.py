"""The goodness of fit of a model that was fitted elsewhere, by zfit, RooFit, iminuit or anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.whole_numbers import require_whole
from nplm.data.sample import Sample, require_same_features
from nplm.data.support import support_remarks
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.measure.left import USUAL, GoodnessOfFit, PointOfFit, look_for_more
from nplm.nuisance.values import distinct_names

# Steps of the derivatives, in errors of the parameters; the stencil is exact to the fifth power of it.
_STEP, _SMALL = 0.05, 1e-4
# A log density that changes by less in a step is the same, but for rounding.
_ROUNDING = 1e-11
_STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
# Information with less than this share of the largest eigenvalue is none.
_SINGULAR = 1e-10
# Errors that differ by more than this factor, and a distance from the maximum in errors, deserve a remark.
_APART, _OFF = 1.3, 0.3
_FEWEST_RESAMPLES = 99

LogDensity = Callable[[Float64[np.ndarray, "n d"], Float64[np.ndarray, " k"]], ArrayLike]


@usual_errors()
@blas_threads()
def goodness_of_fit(
    data: Tabular,
    sample_from_fit: Tabular,
    log_density: LogDensity,
    parameters: Mapping[str, float] | ArrayLike,
    covariance: ArrayLike | None = None,
    *,
    resamples: int = 999,
    seed: int = 1,
) -> GoodnessOfFit:
    """Asks whether anything is left beside a model that was fitted to the data without bins.

    Data and a sample of the fitted model are compared by the family of tests (`nplm.family`), less what the parameters
    can absorb: scores of kernels and products are projected off the scores d log p / d theta of the model, at the
    fitted values, so that the test has its size whatever was fitted (J. Neyman's C(alpha)). Any estimate serves that
    is as near to the truth as one over the root of the number of events: those of a maximum of the likelihood, and
    those of a fit to bins. Shapes are compared; a yield is what a fit of a yield makes it.

    Arguments:
        data: the events that were fitted, weighted or not.
        sample_from_fit: events drawn from the fitted model, best ten times as many as the data; or weighted ones.
        log_density: log p(x; theta) of events of shape (n, d) at theta of shape (k,), in the order of `parameters`;
            shape (n,). It need not be normalized. It is differentiated numerically.
        parameters: the fitted values by name, or in order. Only those that were free in the fit.
        covariance: of the fitted values, shape (k, k). Default: the inverse information of the density itself; one that
            is smaller than that tells of constraints in the fit, which are accounted for.
        resamples: samples without a difference that calibrate it.
        seed: of these.

    Returns:
        The goodness of fit, with its p-value.

    Raises:
        ValueError: if the samples cannot be compared, log_density gives other shapes or numbers that are not finite,
            the density does not depend on a parameter, or the covariance is none.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> data = rng.exponential(2.0, 500)
        >>> scale = data.mean()
        >>> found = goodness_of_fit(
        ...     data,
        ...     rng.exponential(scale, 5000),
        ...     lambda x, theta: -x[:, 0] / theta[0] - np.log(theta[0]),
        ...     {"scale": scale},
        ...     [[scale**2 / 500]],
        ... )
        >>> found.p_value > 0.01
        True
    """
    require_seed(seed)
    if require_whole(resamples, "samples without a difference") < _FEWEST_RESAMPLES:
        raise ValueError(
            f"{resamples} samples without a difference are too few to read a p-value from: take {_FEWEST_RESAMPLES} or"
            " more"
        )
    model = as_sample(sample_from_fit, name="the fit").require_yield()
    sample = sample_like(model, data, "data").require_yield()
    require_same_features(model, sample)
    names, theta = _parameters(parameters)
    given = None if covariance is None else _covariance(names, covariance)
    errors = np.sqrt(np.diag(given)) if given is not None else _errors(log_density, names, theta, model, sample)
    of_sample, of_data = (_scores(log_density, names, theta, _STEP * errors, each) for each in (model, sample))
    # The mean of the scores is that of the normalization, which the density need not have.
    mean = model.weights @ of_sample / model.total_weight
    of_sample, of_data = of_sample - mean, of_data - mean
    information = _information(names, of_sample, _STEP * errors, model, sample)
    stiffness = np.zeros_like(information)
    notes: list[str] = []
    if given is not None:
        stiffness, notes = _against_covariance(names, information, given)
    if not stiffness.any():
        notes += _off_the_maximum(names, information, of_data, sample, model)
    if model.effective_size < sample.effective_size:
        notes.append(
            f"the sample from the fit is worth {model.effective_size:,.0f} events, fewer than the data: differences are"
            " hidden in its fluctuations; draw ten times as many as the data"
        )
    at = PointOfFit(
        model,
        sample,
        of_sample,
        of_data,
        yields=False,
        stiffness=stiffness,
        # Where the fit was constrained it is taken to be at its maximum, as the constraint's part is not known.
        gradient=np.zeros(len(names)) if stiffness.any() else None,
    )
    notes += support_remarks(model, sample)
    return look_for_more(at, names, settings=USUAL, resamples=resamples, seed=seed, notes=tuple(notes))[0]


def _parameters(given: Mapping[str, float] | ArrayLike) -> tuple[tuple[str, ...], Float64[np.ndarray, " k"]]:
    if isinstance(given, Mapping):
        names, values = distinct_names([str(name) for name in given]), list(given.values())
    else:
        values = np.atleast_1d(np.asarray(given, dtype=np.float64)).tolist()
        names = tuple(f"theta{i}" for i in range(len(values)))
    theta = np.asarray(values, dtype=np.float64)
    if theta.ndim != 1 or not len(theta):
        raise ValueError("give the fitted parameters, one number for each name")
    for name, value in zip(names, theta, strict=True):
        if not np.isfinite(value):
            raise ValueError(f"the fitted value of {name} must be a finite number, not {value}")
    return names, theta


def _covariance(names: tuple[str, ...], given: ArrayLike) -> Float64[np.ndarray, "k k"]:
    matrix = np.asarray(given, dtype=np.float64)
    k = len(names)
    if matrix.shape != (k, k):
        raise ValueError(
            f"the covariance must have shape ({k}, {k}), one row for each of {', '.join(names)}, not {matrix.shape}"
        )
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0):
        raise ValueError("the covariance of the parameters must be symmetric and finite")
    for name, variance in zip(names, np.diag(matrix), strict=True):
        if not variance > 0:
            raise ValueError(
                f"the variance of {name} must be positive, not {variance:g}: leave parameters out that were not fitted"
            )
    size = np.sqrt(np.diag(matrix))
    if not np.linalg.eigvalsh(matrix / np.outer(size, size))[0] > 0:
        raise ValueError("the covariance of the parameters is not positive definite: did the fit converge?")
    return matrix


def _scores(
    log_density: LogDensity,
    names: tuple[str, ...],
    theta: Float64[np.ndarray, " k"],
    steps: Float64[np.ndarray, " k"],
    sample: Sample,
) -> Float64[np.ndarray, "n k"]:
    """d log p / d theta at the events, by differences."""

    def at(point: np.ndarray, what: str) -> np.ndarray:
        with jax.enable_x64(True):
            values = np.asarray(log_density(sample.events, point), dtype=np.float64)
        if values.shape != (len(sample),):
            raise ValueError(
                f"log_density must return shape ({len(sample)},), one value for each event of {sample.name}, not"
                f" {values.shape}"
            )
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                f"log_density is {values[row]} {what} for event {row} of {sample.name}, {sample.events[row].tolist()}:"
                " events must be possible in the fitted model"
            )
        return values

    at(theta, "at the fitted values")
    found = np.zeros((len(sample), len(theta)))
    for i, name in enumerate(names):
        for times, factor in _STENCIL:
            point = theta.copy()
            point[i] += times * steps[i]
            found[:, i] += factor / steps[i] * at(point, f"at {name} = {point[i]:.6g}")
    return found


def _errors(
    log_density: LogDensity, names: tuple[str, ...], theta: Float64[np.ndarray, " k"], model: Sample, data: Sample
) -> Float64[np.ndarray, " k"]:
    """How well each parameter may be known by itself, from differences at small steps."""
    steps = np.where(theta == 0, _SMALL, _SMALL * np.abs(theta))
    scores = _scores(log_density, names, theta, steps, model)
    scores = scores - model.weights @ scores / model.total_weight
    return 1 / np.sqrt(np.diag(_information(names, scores, steps, model, data)))


def _information(
    names: tuple[str, ...],
    scores: Float64[np.ndarray, "n k"],
    steps: Float64[np.ndarray, " k"],
    model: Sample,
    data: Sample,
) -> Float64[np.ndarray, "k k"]:
    """Of the data, by the density: N E[s s^T] with the effective number N of its events.

    Raises:
        ValueError: if the density does not depend on a parameter, or only on a combination of some.
    """
    found = data.effective_size * (scores * model.weights[:, None]).T @ scores / model.total_weight
    size = np.diag(found)
    for name, value, step in zip(names, size, steps, strict=True):
        if not value * step**2 > data.effective_size * _ROUNDING**2:
            raise ValueError(f"the density does not depend on {name}: leave it out, as nothing was fitted with it")
    root = np.sqrt(size)
    values, vectors = np.linalg.eigh(found / np.outer(root, root))
    if not values[0] > _SINGULAR * values[-1]:
        mixed = [name for name, v in zip(names, vectors[:, 0], strict=True) if abs(v) > 0.1]
        raise ValueError(
            f"the density depends only on a combination of {', '.join(mixed)}: leave one of them out, as a fit cannot"
            " tell them apart"
        )
    return np.asarray(found)


def _against_covariance(
    names: tuple[str, ...], information: Float64[np.ndarray, "k k"], covariance: Float64[np.ndarray, "k k"]
) -> tuple[Float64[np.ndarray, "k k"], list[str]]:
    """What the fit knew beside the events, and remarks on a covariance that is another than the density's."""
    own, given = np.sqrt(np.diag(np.linalg.inv(information))), np.sqrt(np.diag(covariance))
    ratio = given / own
    if (ratio < 1 / _APART).any():
        values, vectors = np.linalg.eigh(np.linalg.inv(covariance) - information)
        i = int(np.argmin(ratio))
        note = (
            f"the fit knows {names[i]} to {given[i]:.3g}, better than these events can tell ({own[i]:.3g}): it is taken"
            " to have been constrained, with the rest of the information from elsewhere"
        )
        return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T), [note]
    if (ratio > _APART).any():
        i = int(np.argmax(ratio))
        note = (
            f"the error of {names[i]} is {given[i]:.3g}, but the density allows {own[i]:.3g} with these events: was the"
            " fit one of these events alone, without bins, and is every free parameter named?"
        )
        return np.zeros_like(information), [note]
    return np.zeros_like(information), []


def _off_the_maximum(
    names: tuple[str, ...],
    information: Float64[np.ndarray, "k k"],
    scores: Float64[np.ndarray, "m k"],
    data: Sample,
    model: Sample,
) -> list[str]:
    """A remark where the fitted values are not at the maximum of the likelihood of these events."""
    unit = data.total_weight / float(data.weights @ data.weights)
    step = np.linalg.solve(information, unit * (data.weights @ scores))
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    # The mean score of the sample from the fit fluctuates as well.
    noise = 4 * np.sqrt(data.effective_size / model.effective_size)
    off = np.abs(step) / error
    i = int(np.argmax(off))
    if off[i] < _OFF + noise:
        return []
    return [
        f"{names[i]} is {off[i]:.1f} errors from where the likelihood of these events is largest: what was fitted is"
        " not this density to these events, or the sample is not from the fit; one step is made to that maximum"
    ]
