"""The spectrum beside a window: a smooth fit whose degree is chosen without what is inside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.hunt.spectrum import BEYOND, LARGEST_DEGREE, Spectrum, binned, fitted, scores_of, smooth_fit
from nplm.hunt.trend import polynomials


def spectrum_beside(
    m: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
    sigma: float,
    window: tuple[float, float],
    ends: tuple[float, float],
    region: tuple[float, float] | None = None,
) -> Spectrum:
    """exp(polynomial in m) at its maximum likelihood, of the smallest degree from 3 to 7 that is enough in sidebands.

    Few events that a cut has kept may hold a signal that is as large as their background. A degree that is chosen with
    all events follows it, and then says that no polynomial is enough. Here the window has a parameter of its own while
    the degree is chosen; the fit of that degree is of all events, as a score test needs it.

    Arguments:
        m: the resonant feature.
        weights: v.
        sigma: the resolution, or half of the width of a region.
        window: its ends, with some room.
        ends: of the spectrum, which few events need not reach.
        region: one that is given, whose ends are edges of bins.
    """
    edges, observed, unit = binned(m, weights, sigma, ends, region)
    centre, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    p = polynomials(centre, width, LARGEST_DEGREE + BEYOND)
    inside = ((centre >= window[0]) & (centre < window[1])).astype(np.float64)

    def bent(
        trend: Float64[np.ndarray, "b k"], beyond: Float64[np.ndarray, "b q"], expected: Float64[np.ndarray, " b"]
    ) -> Float64[np.ndarray, " q"]:
        # An empty window has nothing to follow, and a parameter that ends nowhere.
        if observed @ inside > 0:
            trend = np.column_stack([trend, inside])
            expected = fitted(observed, width, trend)
        return scores_of(observed, expected, trend, beyond)[0]

    return Spectrum(edges, observed, *smooth_fit(observed, width, p, bent), unit)
