"""The spectrum beside a window: a smooth fit whose degree is chosen without what is inside."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.hunt.spectrum import (
    BEYOND,
    FIRST_DEGREE,
    LARGEST_DEGREE,
    LEVEL,
    Spectrum,
    binned,
    fitted,
    scores_of,
    two_sided,
)
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
    degree, enough = FIRST_DEGREE, False
    for degree in range(FIRST_DEGREE, LARGEST_DEGREE + 1):
        # An empty window has nothing to follow, and a parameter that ends nowhere.
        free = np.column_stack([p[:, : degree + 1], inside]) if observed @ inside > 0 else p[:, : degree + 1]
        z, _ = scores_of(observed, fitted(observed, width, free), free, p[:, degree + 1 : degree + 1 + BEYOND])
        enough = float(np.abs(z).max()) < two_sided(LEVEL / BEYOND)
        if enough:
            break
    return Spectrum(edges, observed, fitted(observed, width, p[:, : degree + 1]), degree, enough, unit)
