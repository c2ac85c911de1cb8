"""What changes smoothly with the resonant feature m: polynomials in it, and the other features without their trend."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.polynomial import chebyshev
from scipy.linalg import solve_triangular

# Degrees of the trends that are taken out of the mean and of the variance of a feature, and the least variance that it
# is divided by. What is left of a trend is for the nuisances of the test.
MEAN_DEGREE, VARIANCE_DEGREE, LEAST_VARIANCE = 3, 2, 1 / 16
# A feature of which more events than this share have one value keeps its trend.
MOST_ALIKE = 0.01


def polynomials(
    m: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], degree: int
) -> Float64[np.ndarray, "n k"]:
    """Polynomials of degrees 0 to `degree` with sum |v| P P^T = 1 over the events, each of its own degree.

    They are polynomials in m itself: in its rank a steep spectrum would bend what is straight in m.
    """
    low, high = float(m.min()), float(m.max())
    of_degree = chebyshev.chebvander(2 * (m - low) / (high - low) - 1, degree)
    # P = T R^-1 with the QR decomposition of sqrt|v| T.
    _, r = np.linalg.qr(np.sqrt(np.abs(weights))[:, None] * of_degree)
    return np.asarray(solve_triangular(r.T, of_degree.T, lower=True).T)


def without_trend(
    scores: Float64[np.ndarray, "n d"], m: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n d"]:
    """Features less a cubic of m, over the root of a parabola that follows their squares (at least 1/4).

    Kernels then need not follow a trend that runs through all windows, and their widths are those of structures at one
    m. Features with values that many events have, such as counts, stay as they are: less a trend they would say what m
    is, to kernels as narrow as equal events are then apart.
    """
    p = polynomials(m, weights, MEAN_DEGREE)
    weighted = np.abs(weights)[:, None]
    left = scores - p @ (p.T @ (weighted * scores))
    p = p[:, : VARIANCE_DEGREE + 1]
    variance = p @ (p.T @ (weighted * left**2))
    found = left / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return np.where([_repeats(column) for column in scores.T], scores, found)


def _repeats(column: Float64[np.ndarray, " n"]) -> bool:
    return bool(np.unique(column, return_counts=True)[1].max() > MOST_ALIKE * len(column))
