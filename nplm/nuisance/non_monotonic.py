"""Quadratic log-ratios that turn round between their own variations."""

from __future__ import annotations

import numpy as np

from nplm.data.sample import Sample
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.base import log_ratio

# Points between -sigma and sigma, and events of the reference that are looked at.
_POINTS = np.linspace(-1.0, 1.0, 41)
_EVENTS = 5000
# Beyond both ends by so small a share of the effect it has not turned; so small a share of all effect is not said.
_BEYOND, _SHARE = 1e-3, 0.3


def turning_remarks(nuisances: Nuisances, reference: Sample) -> list[str]:
    """A remark on each nuisance whose quadratic log-ratio is not monotonic within one sigma for much of its effect.

    Variations of +50% and -10% give a parabola in log r whose lowest point is at nu = -.85: at nu = -2 the yield rises.
    """
    some = reference.select(np.arange(0, len(reference), max(1, len(reference) // _EVENTS)))
    sigma = dict(zip(nuisances.names, nuisances.sigma, strict=True))
    remarks = []
    for part in nuisances.quadratic:
        for name in part.nuisances:
            curves = np.array([log_ratio(part, some.events, {name: s * sigma[name]}) for s in _POINTS])
            size = np.abs(curves).max(axis=0)
            ends = curves[[0, -1]]
            turned = (curves.max(axis=0) > ends.max(axis=0) + _BEYOND * size) | (
                curves.min(axis=0) < ends.min(axis=0) - _BEYOND * size
            )
            effect = np.abs(some.weights) * size
            share = effect[turned].sum() / max(effect.sum(), 1e-300)
            if share > _SHARE:
                remarks.append(
                    f"the effect of nuisance '{name}' turns round within one standard deviation of it, for {share:.0%}"
                    " of the effect: its variations go the same way, or are very unequal, and beyond the smaller one a"
                    " quadratic log-ratio goes the other way. If that is not meant, let histograms interpolate:"
                    " BinnedLogRatio(interpolation='polynomial')"
                )
    return remarks
