"""Summaries of fits whose numbers are known."""

from __future__ import annotations

import numpy as np

from nplm.nuisance.fit_summary import NuisanceSummary


def summary(k: int, impact: float | None = 2.5) -> NuisanceSummary:
    """k nuisances n0, n1, ... of which the first two are correlated by -0.8, all others by 0.1."""
    rho = np.full((k, k), 0.1) + 0.9 * np.eye(k)
    rho[0, 1:2] = rho[1:2, 0] = -0.8
    names = tuple(f"n{i}" for i in range(k))
    sigma, measured, nu, nu_tau = (np.full(k, value) for value in (0.5, 0.25, 1.0, 0.75))
    effect = None if impact is None else np.full(k, impact)
    return NuisanceSummary.of(names, sigma, measured, nu, rho * 0.04, nu_tau, 7.0, 3.0, effect)
