"""P-values of rare fluctuations from a few thousand fitted toys, by importance sampling.

Counting shows a p-value of 3e-7 with 1e8 toys. Here toys of the kernel model are drawn with random signals that make
large t frequent (`nplm.stats.exponential_tilting`, `.toys`), fitted as data are, and counted with weights that take the
signal back (`.weights`), so that p = mean(weight [t_toy >= t]) is unbiased whatever the signals are. The asymptotic
null chooses the signals, and so decides how well p is known, but not what it is; p may therefore be compared with it.

With shares a_j of the toys on rung j, and Z_j the approximate probability of a toy there relative to the null, a toy's
weight is rho / sum_j a_j Z_j, which is 1 / a_0 times rho at most.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit, logsumexp

from nplm._util.seed_range import require_seed
from nplm.calibration.importance.toys import SignalToys, Toys
from nplm.calibration.importance.weights import SIGNALS, Posteriors, Signals
from nplm.calibration.methods import USUAL_WEIGHTED_TOYS
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import calls
from nplm.likelihood.fits import Fits
from nplm.models.base import PreparedModel
from nplm.models.linear import PreparedLinear
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.exponential_tilting import Rungs
from nplm.stats.importance import ImportanceNull

# No signal is drawn that would give a t of so many times the threshold: its toys would count for nothing.
_LARGEST_SIGNAL = 2.0
# A toy takes at most as long as so many fits: most of it goes into the weights.
FITS_A_TOY = 6


def importance_null(
    prepared: PreparedLinear,
    reference: Sample,
    t: float,
    toys: int = USUAL_WEIGHTED_TOYS,
    *,
    seed: int = 1,
    asymptotic: AsymptoticNull | None = None,
    on_toys: Callable[[int], None] = lambda count: None,
) -> ImportanceNull:
    """The null distribution near t, from toys that are drawn with random signals, fitted and weighted.

    Arguments:
        prepared: the kernel model with the reference.
        reference: the same reference; toys are drawn from it.
        t: of data of unit weights.
        toys: number of toys to draw and fit.
        seed: of the toys; the same seed gives the same toys.
        asymptotic: the asymptotic null of data; default: that of `prepared` for a reference that fluctuates.
        on_toys: called with the number of toys of each batch that is done.

    Raises:
        ValueError: if the reference has negative weights, or the solver is not "ml".
        ImportanceError: if the toys do not fit together, see `ImportanceNull.checked`, or too few of them lie beyond t.

    Source: the pseudo-marginal argument of `nplm.calibration.importance.weights`, with the exponential tilting of
    S. Asmussen, P. W. Glynn, Stochastic Simulation (2007), chapter VI.
    """
    require_seed(seed)
    _require_kernel(prepared, reference)
    for_toys = prepared.null(fixed_reference=True)
    for_data: AsymptoticNull = prepared.null() if asymptotic is None else asymptotic
    threshold = for_toys.threshold_of_z(for_data.z(t))
    # With a finite reference t is 1 + rho times smaller than what its modes add up to.
    enlarged = threshold * (1 + prepared.event_weight)
    ladder = Rungs.to(enlarged, prepared.modes.shrinkage)
    rng = np.random.default_rng(seed)
    source = SignalToys.of(prepared, reference, ladder.variances[-1])
    posteriors = Posteriors.of(source, rng) if ladder.modes else None
    signals = Signals(prepared, _LARGEST_SIGNAL * enlarged)
    done: list[tuple[np.ndarray, ...]] = []
    left = toys
    while left:
        count = min(left, prepared.batch_size)
        done.append(_batch(count, ladder, source, posteriors, signals, rng))
        left -= count
        on_toys(count)
    statistic, rung, tries, log_z, log_rho = (np.concatenate(column) for column in zip(*done, strict=True))
    # Signals within bounds are a share of all, and their density larger by as much.
    size = len(ladder.shares)
    log_z += np.log(np.maximum(np.bincount(rung, tries, size), 1) / np.maximum(np.bincount(rung, minlength=size), 1))
    weights = np.exp(log_rho - logsumexp(log_z, axis=1, b=ladder.shares))
    overlaps = np.array([_overlap(i, rung, log_z, log_rho) for i in range(1, len(ladder.shares))]).reshape(-1, 2)
    null = ImportanceNull(statistic, weights, rung, overlaps, for_data, for_toys).checked()
    null.pvalue(t)  # refuses toys too few of which lie beyond t
    return null


def require_importance(
    prepared: PreparedModel,
    reference: Sample,
    data: Sample,
    toys: object,
    *,
    pool: Sample | None = None,
    shape_only: bool = False,
) -> PreparedLinear:
    """The kernel model, once it is known that its toys can be drawn with signals and weighted.

    Raises:
        ValueError: naming what stands against it, and what to do.
    """
    other = "take another calibration"
    linear = prepared.linear
    if linear is None:
        raise ValueError(f"calibration with 'importance' is for the kernel model: take that model, or {other}")
    _require_kernel(linear, reference)
    if shape_only:
        raise ValueError(f"calibration with 'importance' tests shape and yield: leave out shape_only, or {other}")
    if data.is_weighted:
        raise ValueError(
            f"calibration with 'importance' is for data of unit weights, and {data.name} is weighted: {other}"
        )
    if pool is not None:
        raise ValueError("calibration with 'importance' draws its toys from the reference: leave out the pool")
    if not isinstance(toys, int) or toys < 1:
        raise ValueError(
            f"calibration with 'importance' runs toys of its own: give their number, such as {USUAL_WEIGHTED_TOYS}"
        )
    return linear


def _require_kernel(prepared: PreparedLinear, reference: Sample) -> None:
    if reference.has_negative_weights:
        raise ValueError(
            f"{reference.name} has negative weights, and calibration with 'importance' draws toys in proportion to"
            " weights: merge the weights, or take another calibration"
        )
    if prepared.solver != "ml":
        raise ValueError(
            f"calibration with 'importance' fits with the solver 'ml', not '{prepared.solver}': take that solver, or"
            " another calibration"
        )


def _batch(
    count: int,
    ladder: Rungs,
    source: SignalToys,
    posteriors: Posteriors | None,
    signals: Signals,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """t, rung, draws of a signal, log Z of each rung, and log rho of so many toys."""
    rung = rng.choice(len(ladder.shares), count, p=ladder.shares)
    b, yields, tries = signals.draw(rng, ladder.variances[rung])
    toys = source.draw(rng, b)
    sums, fits = toys.sums, _fit(source, toys)
    t = np.where(fits.converged & np.isfinite(fits.t), fits.t, np.inf)
    log_z, log_rho = np.zeros((count, len(ladder.shares))), np.zeros(count)
    if posteriors is not None:
        tilted = sums[:, : ladder.modes]
        # Signals that may have led to each toy; its own is the first.
        candidates, of_rungs = np.tile(b, (SIGNALS, 1, 1)), []
        for number, variances in enumerate(ladder.variances[1:], start=1):
            posterior, own = posteriors(tilted, variances), rung == number
            log_z[:, number] = posterior.log_z
            of_rungs.append((own, posterior.of_toys(own)))
            candidates[1:, own] = of_rungs[-1][1].draw(rng, SIGNALS - 1)
        inverse = np.zeros((SIGNALS, count))
        for k, candidate in enumerate(candidates):
            n_b = signals.yields(candidate) if k else yields
            for own, posterior in of_rungs:
                inverse[k, own] = -posterior.log_rho(candidate[own], tilted[own], n_b[own])
        log_rho = np.log(SIGNALS) - logsumexp(inverse, axis=0)
    return t, rung, tries, log_z, log_rho


def _fit(source: SignalToys, toys: Toys) -> Fits:
    """The fits of toys, by their events where the reference is a finite sample."""
    prepared = source.prepared
    if prepared.event_weight == 0:
        return prepared.fit_sums(toys.sums)
    rho = np.full(len(toys.rows), prepared.event_weight)
    parts = calls([len(rows) for rows in toys.rows], prepared.modes.count)
    return Fits.concatenate(
        [prepared.fit_rows([source.events_of(rows) for rows in toys.rows[part]], rho[part]) for part in parts]
    )


def _overlap(
    upper: int,
    rung: Int64[np.ndarray, " n"],
    log_z: Float64[np.ndarray, "n rungs"],
    log_rho: Float64[np.ndarray, " n"],
) -> tuple[float, float]:
    """E[Z Z' / (Z + Z')] under the null from the toys of two neighbouring rungs: their ratio, and its error.

    The weight of a toy of rung j alone is rho / Z_j (C. H. Bennett, J. Comput. Phys. 22 (1976) 245).
    """
    means, errors = [], []
    for own, other in ((upper, upper - 1), (upper - 1, upper)):
        mine = rung == own
        values = np.exp(log_rho[mine]) * expit(log_z[mine, other] - log_z[mine, own])
        means.append(values.mean())
        errors.append(values.std() / values.mean() / np.sqrt(len(values)))
    ratio = means[0] / means[1]
    return float(ratio), float(ratio * np.hypot(*errors))
