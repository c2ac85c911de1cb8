"""What a counting region gives by chance: probabilities of counts, with an expectation that is uncertain itself."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.special import betainc, betaincc, gammainc, gammaincc, gammaln, log_ndtr, ndtr, ndtri_exp, xlog1py, xlogy
from scipy.stats import gamma

from nplm.channels.mixture import Part, Scale, log_mixture

# How the expectation is uncertain.
Uncertainty = Literal["gaussian", "lognormal", "gamma"]
UNCERTAINTIES: tuple[Uncertainty, ...] = get_args(Uncertainty)
Rows = Float64[np.ndarray, " m"]

# Beyond this the variance of a gamma is no more seen beside that of the count.
_MOST_SHAPE = 1e13
# So many errors above zero nothing of a normal distribution is cut off.
_FAR = 8.0


def log_probability(part: Part, n: Rows, expected: Rows, error: Rows, errors: Uncertainty) -> Rows:
    """log P(N = n), P(N >= n) or P(N <= n), shape (m,), for N ~ Poisson(b) and b as uncertain as stated.

    - "gaussian": b ~ Normal(expected, error^2), truncated at zero. With mu = expected - error^2, probabilities follow
      (n + 1) P(n + 1) = mu P(n) + error^2 P(n - 1); here they are integrals, for tails of any size.
    - "lognormal": log b ~ Normal(log expected, log(1 + error / expected)^2): the median is what is expected, and one
      standard deviation up a factor of 1 + error / expected, as `lnN` of the Higgs combination tool.
    - "gamma": b has mean `expected` and standard deviation `error`; N is then negative binomial with the size
      r = (expected / error)^2, and P(N >= n) = I_q(n, r) with q = error^2 / (expected + error^2).

    Where the error is zero, N is Poisson.

    Arguments:
        part: "equal", "at least" or "at most".
        n: whole numbers, 0 or more.
        expected, error: of the expectation.
        errors: how it is uncertain.
    """
    n, expected, error = (np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(n, expected, error))
    found = np.zeros(n.shape)
    exact = error == 0
    if errors == "gamma":
        exact = exact | (expected**2 > _MOST_SHAPE * error**2)
    trivial = (part == "at least") & (n <= 0)
    poisson, rest = exact & ~trivial, ~exact & ~trivial
    found[poisson] = _log_poisson(part, n[poisson], expected[poisson])
    n, expected, error = n[rest], expected[rest], error[rest]
    if len(n) == 0:
        return found
    if errors == "gamma":
        found[rest] = _log_negative_binomial(part, n, expected, error)
    elif errors == "gaussian":
        found[rest] = log_mixture(part, n, expected, error, Scale(logarithmic=False))
    else:
        found[rest] = log_mixture(part, n, np.log(expected), np.log1p(error / expected), Scale(logarithmic=True))
    return np.minimum(found, 0.0)


def _log_poisson(part: Part, n: Rows, b: Rows) -> Rows:
    with np.errstate(divide="ignore"):
        if part == "equal":
            return xlogy(n, b) - b - gammaln(n + 1)
        return np.log(gammainc(n, b) if part == "at least" else gammaincc(n + 1, b))


def _log_negative_binomial(part: Part, n: Rows, expected: Rows, error: Rows) -> Rows:
    size, q = (expected / error) ** 2, error**2 / (expected + error**2)
    with np.errstate(divide="ignore"):
        if part == "equal":
            return gammaln(n + size) - gammaln(size) - gammaln(n + 1) + xlogy(n, q) + xlog1py(size, -q)
        return np.log(betainc(n, size, q) if part == "at least" else betaincc(n + 1, size, q))


def expectation_at(
    z: Float64[np.ndarray, "draws m"], expected: Rows, error: Rows, errors: Uncertainty
) -> Float64[np.ndarray, "draws m"]:
    """The expectation that is exceeded as often as a standard normal variable exceeds z, for draws of it."""
    found = np.broadcast_to(expected, z.shape).copy()
    uncertain = error > 0
    if errors == "gamma":
        shape = (expected[uncertain] / error[uncertain]) ** 2
        found[:, uncertain] = gamma.isf(ndtr(-z[:, uncertain]), shape) * (expected[uncertain] / shape)
    elif errors == "lognormal":
        found[:, uncertain] *= np.exp(z[:, uncertain] * np.log1p(error[uncertain] / expected[uncertain]))
    else:
        found += error * z
        near = uncertain & (expected < _FAR * error)
        # What is left above zero of the whole normal distribution, from its upper end.
        above = log_ndtr(expected[near] / error[near])
        cut = expected[near] - error[near] * ndtri_exp(log_ndtr(-z[:, near]) + above)
        found[:, near] = np.maximum(cut, 0.0)
    return found
