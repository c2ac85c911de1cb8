"""The maximum of the likelihood ratio of two finite samples in one test of a family."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from nplm.family.member import Member, Part
from nplm.family.spread import Spread
from nplm.likelihood.finite import data_share, log_mixture
from nplm.two_sample.pooled import Pool

_STEPS, _HALVINGS, _TOLERANCE = 50, 30, 1e-9
# Cells of a function of too many events: f in them is known to 1e-8 of what it varies by.
_CELLS = 65_536


@dataclass(frozen=True, eq=False)
class MemberFit:
    """The fit of one member.

    Arguments:
        log_ratio: f at each event, or in each row of events, shape (n,).
        t: -2 L at the minimum of L + penalty.
        t_one_step: the same at the minimum of its expansion about f = 0.
        converged: whether the minimum was found.
    """

    log_ratio: Float64[np.ndarray, " n"]
    t: float
    t_one_step: float
    converged: bool


def fit_member(pool: Pool, spread: Spread, part: Part, member: Member, q: float) -> MemberFit:
    """The fit of a member to both samples of a pool; see `fit_rows`.

    Of the events of a subset the density ratio is fitted with a constant of its own, that of their numbers; f is zero
    at all others.
    """
    masses = spread.positive, np.where(pool.in_b, pool.masses, 0.0)
    if part.inside is not None:
        rows = part.inside
        positive, in_b = spread.positive[rows], pool.in_b[rows]
        own = float(positive[in_b].sum() / positive.sum())
        # Half an event on both sides keeps the ratio finite where all are from one sample.
        own = min(max(own, 0.5 / len(rows)), 1 - 0.5 / len(rows))
        fit = _fit_events(tuple(each[rows] for each in masses), part, member, own)
        log_ratio = np.zeros(len(pool))
        log_ratio[rows] = fit.log_ratio + np.log(own / (1 - own)) - np.log(q / (1 - q))
        return replace(fit, log_ratio=log_ratio)
    return _fit_events(masses, part, member, q)


def _fit_events(masses: tuple[np.ndarray, ...], part: Part, member: Member, q: float) -> MemberFit:
    """The fit to the events of a part, whose masses, and those of B among them, are given."""
    if part.phi is not None:
        fit = fit_rows(part, member, q, part.phi[:, member.used], *(part.summed(each) for each in masses))
        return fit if part.cell is None else replace(fit, log_ratio=fit.log_ratio[part.cell])
    # Of millions of events those in narrow cells of the one function that is fitted are taken together.
    values = np.concatenate([part.phi_of(rows)[:, member.used] for rows in part.blocks]).sum(axis=1)
    low, high = float(values.min()), float(values.max())
    cell = ((values - low) * ((_CELLS - 1) / (high - low))).astype(np.int32)
    sums, mass, mass_b = (np.bincount(cell, each, _CELLS) for each in (values, *masses))
    phi = sums / np.maximum(np.bincount(cell, minlength=_CELLS), 1)
    fit = fit_rows(part, member, q, phi[:, None], mass, mass_b)
    return replace(fit, log_ratio=fit.log_ratio[cell])


def fit_rows(
    part: Part,
    member: Member,
    q: float,
    phi: Float64[np.ndarray, "rows r"],
    mass: Float64[np.ndarray, " rows"],
    mass_b: Float64[np.ndarray, " rows"],
) -> MemberFit:
    """Minimizes the finite-reference loss of both samples, with the penalty of a member.

    L[f] = sum_A,B m log(1 - q + q e^f) - sum_B m f is that of `nplm.likelihood.finite`, with q = rho / (1 + rho) the
    share of the masses that B has. f = b . phi + constant, and the constant is free; the penalty is
    sum_i p_i b_i^2 / 2 with p_i = lambda / mu_i. Newton's method.

    Arguments:
        part, member: what is fitted.
        q: share of the masses that B has.
        phi: the modes that the member uses, in rows of events or in single events.
        mass, mass_b: of both samples, and of B, in these rows.
    """
    ratios = np.zeros(phi.shape[1])
    if member.penalty is not None:
        ratios = member.penalty / part.variance[member.used]
    phi, ratios = np.column_stack([phi, np.ones(len(phi))]), np.append(ratios, 0.0)
    s, rho = mass_b @ phi, q / (1 - q)

    def loss(b: np.ndarray) -> float:
        f = phi @ b
        return float(mass @ log_mixture(f, rho) - s @ b)

    def curvature(sigma: np.ndarray) -> np.ndarray:
        return (phi * (mass * sigma * (1 - sigma))[:, None]).T @ phi + np.diag(ratios)

    b = np.zeros(phi.shape[1])
    gradient = s - (mass * q) @ phi
    first = curvature(np.full(len(phi), q))
    step = np.linalg.solve(first, gradient)
    one_step = float(2 * gradient @ step - step @ (first - np.diag(ratios)) @ step)
    converged = False
    now = 0.0
    for _ in range(_STEPS):
        promise = float(step @ gradient)
        if promise < _TOLERANCE * max(1.0, abs(now)):
            converged = True
            break
        for share in 0.5 ** np.arange(_HALVINGS):
            trial = b + share * step
            there = loss(trial) + 0.5 * float(ratios @ trial**2)
            if there <= now - 1e-4 * share * promise:
                break
        else:
            break
        b, now = trial, there
        sigma = data_share(phi @ b, rho)
        gradient = s - (mass * sigma) @ phi - ratios * b
        step = np.linalg.solve(curvature(sigma), gradient)
    return MemberFit(phi @ b, -2 * loss(b), one_step, converged)
