"""All bins of a workspace together: does it describe them, and how large may a template be?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import chi2

from nplm.channels.workspace_likelihood import WorkspaceLikelihood


@dataclass(frozen=True)
class TemplateLimit:
    """The strength of a template in one workspace.

    Arguments:
        template: its name.
        mu: the strength that fits best, 0 or more.
        limit: its upper limit at 95% confidence level; infinite if the workspace sets none.
    """

    template: str
    mu: float
    limit: float


@dataclass(frozen=True)
class WorkspaceFit:
    """The fit without a signal of one workspace.

    Arguments:
        analysis: that it stands for.
        bins: how many it has.
        statistic: 2 log [L of the saturated model / L of the fit].
        degrees: of freedom: bins less free parameters that nothing constrains.
        p_value: of a chi2 with as many; NaN with none.
        drawn_p: (1 + k) / (1 + draws), counted from counts and auxiliary data drawn from the fit, each fitted again.
        draws: how many.
        limits: of templates with yields in its bins.
    """

    analysis: str
    bins: int
    statistic: float
    degrees: int
    p_value: float
    drawn_p: float
    draws: int
    limits: tuple[TemplateLimit, ...] = ()


def workspace_fit(
    analysis: str,
    likelihood: WorkspaceLikelihood,
    signals: Mapping[str, Float64[np.ndarray, " k"]],
    *,
    draws: int = 2000,
    seed: int = 1,
) -> WorkspaceFit:
    """Goodness of fit by the saturated model, and limits on signals.

    The saturated model expects in each bin what was observed, with all nuisances where their auxiliary data have them:
    2 log of the likelihood ratio is asymptotically a chi2 (S. Baker and R. D. Cousins, Nucl. Instrum. Meth. 221 (1984)
    437, with constraint terms as further data).

    Arguments:
        analysis: name of it.
        likelihood: its full likelihood.
        signals: yields in its bins, by template.
        draws: tables that are drawn.
        seed: of the draws.
    """
    model = likelihood.model
    rng = np.random.default_rng([seed, 11])
    drawn = [likelihood.drawn(rng) for _ in range(draws)]
    counts = np.array([likelihood.counts, *(each.counts for each in drawn)])
    auxiliary = np.array([likelihood.auxiliary, *(each.auxiliary for each in drawn)])
    best = model.fit(counts, auxiliary, np.zeros(counts.shape), likelihood.truth)[0]
    statistic = 2 * (model.saturated(counts, auxiliary) - best)
    degrees = counts.shape[1] - model.unconstrained(likelihood.truth)
    return WorkspaceFit(
        analysis=analysis,
        bins=counts.shape[1],
        statistic=float(statistic[0]),
        degrees=degrees,
        p_value=float(chi2.sf(statistic[0], degrees)) if degrees > 0 else float("nan"),
        drawn_p=float((statistic >= statistic[0] - 1e-6).sum() / (1 + draws)),
        draws=draws,
        limits=tuple(
            TemplateLimit(name, likelihood.best_mu(signal), likelihood.upper_limit(signal))
            for name, signal in signals.items()
            if likelihood.sees(signal)
        ),
    )
