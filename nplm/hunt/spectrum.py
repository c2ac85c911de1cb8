"""The spectrum of the resonant feature: a smooth fit, and how much more each window has than it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve
from scipy.special import log_ndtr, ndtri

from nplm.hunt.cumulants import log_tail
from nplm.hunt.trend import polynomials
from nplm.hunt.windows import Windows

# Bins in a resolution, at most so many of them, and at least so many.
_BINS_IN_SIGMA, _MOST_BINS, _LEAST_BINS = 4, 20_000, 200
# Degrees of the exponent that are tried; one is enough if the next three polynomials each have p above LEVEL / 3.
FIRST_DEGREE, LARGEST_DEGREE, BEYOND, LEVEL = 3, 7, 3, 0.05
# The window that leads is taken out where its p-value times the number of windows is less than this share of those of
# the polynomials: a bump is seen best by its window, and an edge by polynomials.
AHEAD = 1e-5
_STEPS, _CONVERGED = 50, 1e-9


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Events in fine bins, and lambda = width exp(polynomial in m), what is expected in each, at maximum likelihood.

    The degree is the smallest from 3 to 7 for which the next three polynomials say no more. A window that stands out
    far more than they do has a parameter of its own meanwhile.

    Weighted events count as m = v sum v / sum v^2, so that a sum of them fluctuates about as a number of events does.

    Arguments:
        edges: of the bins, shape (b + 1,); those of a region that is given are among them.
        observed: masses, shape (b,).
        expected: lambda, shape (b,).
        degree: of the polynomial.
        enough: whether the next polynomials say no more.
        unit: weight of a mass of one.
    """

    edges: Float64[np.ndarray, " edges"]
    observed: Float64[np.ndarray, " b"]
    expected: Float64[np.ndarray, " b"]
    degree: int
    enough: bool
    unit: float

    @classmethod
    def of(
        cls,
        m: Float64[np.ndarray, " n"],
        weights: Float64[np.ndarray, " n"],
        windows: Windows,
        ends: tuple[float, float] | None = None,
    ) -> Spectrum:
        """The fit.

        Arguments:
            m: the resonant feature.
            weights: v.
            windows: that are looked at.
            ends: of the spectrum. Default: the smallest and the largest m.
        """
        edges, observed, unit = binned(m, weights, float(windows.sigma.min()), ends, windows.region)
        centre, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        p = polynomials(centre, width, LARGEST_DEGREE + BEYOND)
        g = windows(centre)

        def bent(
            trend: Float64[np.ndarray, "b k"], beyond: Float64[np.ndarray, "b q"], expected: Float64[np.ndarray, " b"]
        ) -> Float64[np.ndarray, " q"]:
            of_windows, _ = scores_of(observed, expected, trend, g)
            z, _ = scores_of(observed, expected, trend, beyond)
            leading = int(of_windows.argmax())
            of_polynomials = np.log(2) + log_ndtr(-float(np.abs(z).max()))
            if log_ndtr(-of_windows[leading]) + np.log(len(of_windows) / AHEAD) < of_polynomials:
                free = np.column_stack([trend, g[:, leading]])
                z, _ = scores_of(observed, fitted(observed, width, free), free, beyond)
            return z

        expected, degree, enough = smooth_fit(observed, width, p, bent)
        return cls(edges, observed, expected, degree, enough, unit)

    @property
    def centre(self) -> Float64[np.ndarray, " b"]:
        """Of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def events_in(self, windows: Windows) -> Float64[np.ndarray, " J"]:
        """Expected sum of g of each window, in masses."""
        return self.expected @ windows(self.centre)

    def bumps(self, windows: Windows) -> Bumps:
        """The excess of each window."""
        p = polynomials(self.centre, np.diff(self.edges), self.degree)
        z, profile = scores_of(self.observed, self.expected, p, windows(self.centre))
        return Bumps(z, profile, self.expected)


@dataclass(frozen=True, eq=False)
class Bumps:
    """How much more than the smooth spectrum each window has.

    Arguments:
        z: sum_b h'_b (n_b - lambda_b), over its standard deviation, shape (J,).
        profile: h', the window without its part along what the fit has adapted to, shape (b, J).
        expected: lambda, shape (b,).
    """

    z: Float64[np.ndarray, " J"]
    profile: Float64[np.ndarray, "b J"]
    expected: Float64[np.ndarray, " b"]

    @cached_property
    def correlations(self) -> Float64[np.ndarray, "J J"]:
        """Of the z."""
        covariance = self.profile.T @ (self.expected[:, None] * self.profile)
        sd = np.sqrt(np.diag(covariance))
        return covariance / np.outer(sd, sd)

    @cached_property
    def log_p(self) -> Float64[np.ndarray, " J"]:
        """log p of an excess as large, by the chi2 with the three cumulants of a weighted Poisson sum."""
        variance, third = self.expected @ self.profile**2, self.expected @ self.profile**3
        return log_tail(self.z * np.sqrt(variance), np.zeros(len(self.z)), variance, third)


def binned(
    m: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
    sigma: float,
    ends: tuple[float, float] | None = None,
    region: tuple[float, float] | None = None,
) -> tuple[Float64[np.ndarray, " edges"], Float64[np.ndarray, " b"], float]:
    """Edges of bins of a quarter of a resolution, with those of a region; the masses in them, and the weight of one."""
    low, high = (float(m.min()), float(m.max())) if ends is None else ends
    bins = int(np.clip(np.ceil(_BINS_IN_SIGMA * (high - low) / sigma), _LEAST_BINS, _MOST_BINS))
    unit = float(weights @ weights / weights.sum())
    edges = np.union1d(np.linspace(low, high, bins + 1), region or ())
    return edges, np.histogram(m, edges, weights=weights / unit)[0], unit


def smooth_fit(
    observed: Float64[np.ndarray, " b"],
    width: Float64[np.ndarray, " b"],
    p: Float64[np.ndarray, "b k"],
    bent: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Float64[np.ndarray, " b"], int, bool]:
    """The fit of the smallest degree from 3 to 7 that is enough, that degree, and whether it is.

    Arguments:
        observed: masses.
        width: of the bins.
        p: polynomials of all degrees.
        bent: z of the next three, from the polynomials of a degree, these three, and what is expected with that degree.
    """
    for degree in range(FIRST_DEGREE, LARGEST_DEGREE + 1):
        trend, beyond = p[:, : degree + 1], p[:, degree + 1 : degree + 1 + BEYOND]
        expected = fitted(observed, width, trend)
        if float(np.abs(bent(trend, beyond, expected)).max()) < two_sided(LEVEL / BEYOND):
            return expected, degree, True
    return expected, LARGEST_DEGREE, False


def fitted(
    observed: Float64[np.ndarray, " b"], width: Float64[np.ndarray, " b"], p: Float64[np.ndarray, "b k"]
) -> Float64[np.ndarray, " b"]:
    """width exp(p a) at the maximum of the Poisson likelihood, by Newton's steps, halved where they go too far."""
    total = float(observed.sum())
    a = np.zeros(p.shape[1])
    a[0] = np.log(total / width.sum()) / p[0, 0]

    def loss(a: np.ndarray) -> float:
        with np.errstate(over="ignore"):
            return float(width @ np.exp(p @ a) - observed @ (p @ a))

    now = loss(a)
    for _ in range(_STEPS):
        rate = width * np.exp(p @ a)
        gradient = p.T @ (observed - rate)
        step = solve(p.T @ (rate[:, None] * p) + 1e-12 * total * np.eye(len(a)), gradient, assume_a="pos")
        if gradient @ step < _CONVERGED:
            break
        while not (after := loss(a + step)) <= now:
            step = step / 2
        a, now = a + step, after
    return width * np.exp(p @ a)


def scores_of(
    observed: Float64[np.ndarray, " b"],
    expected: Float64[np.ndarray, " b"],
    p: Float64[np.ndarray, "b k"],
    shapes: Float64[np.ndarray, "b J"],
) -> tuple[Float64[np.ndarray, " J"], Float64[np.ndarray, "b J"]]:
    """Standardized scores of shapes, and the shapes without what the fit of exp(p a) takes from them."""
    weighted = expected[:, None] * p
    profile = shapes - p @ solve(p.T @ weighted, weighted.T @ shapes, assume_a="pos")
    variance = expected @ profile**2
    return (observed - expected) @ profile / np.sqrt(np.maximum(variance, 1e-300)), profile


def two_sided(p: float) -> float:
    """|z| with P(|Normal| >= z) = p."""
    return float(-ndtri(p / 2))
