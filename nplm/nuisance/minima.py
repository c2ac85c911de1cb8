"""Where the loss of Delta may have its minima: it has several where log-ratios bend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int64

from nplm.likelihood.log_linear import Blocks
from nplm.nuisance.nuisances import Nuisances

# Points along an axis, in units of sigma.
STEPS = np.linspace(-5.0, 5.0, 41)
# Rows of the reference that stand for all of them along an axis, to second order in log r only.
_ROWS = 20_000
# Points that differ by less than this share of sigma are one minimum.
_ONE_POINT = 0.01
# A curvature below this share of 1 / sigma^2 is that of a saddle or a ridge.
_FLAT = 1e-4
# Times that descents which ended at a saddle go on from both its sides.
ESCAPES = 4


@dataclass(frozen=True, eq=False)
class Axes:
    """The loss along the axis of each nuisance whose log-ratio is not linear in it: along others it is convex.

    sum_R w (r - 1) = c(nu) . S_R + sum_R w (r - 1 - log r), of which only the last sum needs r at the events.

    Arguments:
        axis: number of the nuisance of each axis, shape (a,).
        nu: points, shape (a, p, k).
        coefficients: c(nu), shape (a, p, e).
        bent: sum_R w (r - 1 - log r), shape (a, p).
        expected: S_R = sum_R w (1, g), shape (e,).
    """

    axis: Int64[np.ndarray, " a"]
    nu: Float64[np.ndarray, "a p k"]
    coefficients: Float64[np.ndarray, "a p e"]
    bent: Float64[np.ndarray, "a p"]
    expected: Float64[np.ndarray, " e"]

    @classmethod
    def of(cls, nuisances: Nuisances, blocks: Blocks) -> Axes:
        """The axes of a reference."""
        k = nuisances.count
        points = STEPS[None, :, None] * np.diag(nuisances.sigma)[:, None, :]
        with jax.enable_x64(True):
            c = np.asarray(jax.vmap(jax.vmap(nuisances.coefficients))(jnp.asarray(points)))
        linear = STEPS[:, None] * (c[:, -1:] - c[:, :1]) / np.ptp(STEPS)
        axis = np.flatnonzero(np.abs(c - linear).max(axis=(1, 2)) > 1e-9 * np.abs(c).max(axis=(1, 2)))
        assert blocks.more is not None
        rows = np.asarray(blocks.more).reshape(-1, blocks.columns)
        weights = np.asarray(blocks.weights).ravel()
        rows, weights = rows[weights != 0], weights[weights != 0]
        some = slice(None, None, max(1, len(rows) // _ROWS))
        share = weights[some].sum() / weights.sum() if len(rows) else 1.0
        bent = np.empty((len(axis), len(STEPS)))
        with np.errstate(over="ignore", invalid="ignore"):
            for at, i in enumerate(axis):
                log_r = rows[some] @ c[i].T
                bent[at] = weights[some] @ (np.expm1(log_r) - log_r) / share
        return cls(axis, points[axis].reshape(len(axis), len(STEPS), k), c[axis], bent, weights @ rows)

    def starts(
        self,
        nuisances: Nuisances,
        sums: Float64[np.ndarray, "B e"],
        auxiliary: Float64[np.ndarray, "B a"],
        free: Float64[np.ndarray, " k"],
    ) -> list[Float64[np.ndarray, "_ k"]]:
        """For each sample nu = 0, and the minima along each axis on which the loss is not convex."""
        origin = np.zeros((1, nuisances.count))
        chosen = np.flatnonzero(free[self.axis] > 0)
        if not len(chosen):
            return [origin] * len(sums)
        with jax.enable_x64(True):
            known = np.asarray(_log_auxiliary(nuisances, jnp.asarray(self.nu[chosen]), jnp.asarray(auxiliary)))
        left = self.expected - sums
        with np.errstate(invalid="ignore"):
            loss = self.bent[chosen] + np.einsum("ape,be->bap", self.coefficients[chosen], left) - known
        loss = np.where(np.isfinite(loss), loss, np.inf)
        inner, before, after = loss[..., 1:-1], loss[..., :-2], loss[..., 2:]
        lowest = (inner <= before) & (inner <= after) & np.isfinite(inner)
        with np.errstate(invalid="ignore"):
            dented = before + after < 2 * inner - 1e-9 * np.abs(inner)
        lowest &= dented.any(axis=2, keepdims=True)
        lowest[..., len(STEPS) // 2 - 1] = False
        points = self.nu[chosen][:, 1:-1]
        return [np.concatenate([origin, points[found]]) for found in lowest]


def bends(nuisances: Nuisances) -> bool:
    """Whether log r is not linear in nu, by c(x + y) = c(x) + c(y) at some points."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, size=(2, 4, nuisances.count)) * nuisances.sigma
    with jax.enable_x64(True):
        one, other, both = (
            np.asarray(jax.vmap(nuisances.coefficients)(jnp.asarray(nu)), dtype=np.float64) for nu in (x, y, x + y)
        )
    return bool((np.abs(both - one - other) > 1e-9 * np.abs(both).max()).any())


def lowest_curvature(
    curvature: Float64[np.ndarray, "J k k"], sigma: Float64[np.ndarray, " k"], free: Float64[np.ndarray, " k"]
) -> tuple[Bool[np.ndarray, " J"], Float64[np.ndarray, "J k"]]:
    """Which points are no minima by their second derivatives, and a step of about one sigma that leads down from each.

    Arguments:
        curvature: second derivatives of the loss at each point.
        sigma: of the nuisances.
        free: 0 for those that are held.
    """
    scale = sigma * free
    relative = curvature * scale[:, None] * scale + np.diag(1 - free)
    finite = np.isfinite(relative).all(axis=(1, 2))
    values, vectors = np.linalg.eigh(np.where(finite[:, None, None], relative, np.eye(len(sigma))))
    return finite & (values[:, 0] < _FLAT), vectors[:, :, 0] * scale


def distinct(
    nu: Float64[np.ndarray, "m k"], sigma: Float64[np.ndarray, " k"], minimum: Bool[np.ndarray, " m"]
) -> list[int]:
    """The first of points, and those after it that are minima elsewhere, in the order given."""
    kept = [0]
    for i in range(1, len(nu)):
        if minimum[i] and all((np.abs(nu[i] - nu[j]) > _ONE_POINT * sigma).any() for j in kept):
            kept.append(i)
    return kept


def best_of(value: Float64[np.ndarray, " J"], owner: Int64[np.ndarray, " J"], count: int) -> Int64[np.ndarray, " B"]:
    """The number of the largest value of each owner, the first of equal ones; NaN only where there is nothing else."""
    order = np.lexsort((np.arange(len(value)), -np.where(np.isnan(value), -np.inf, value), owner))
    return order[np.searchsorted(owner[order], np.arange(count))]


def numbered(lists: Sequence[np.ndarray]) -> Int64[np.ndarray, " J"]:
    """The number of the list that each row belongs to, when lists are put one after the other."""
    return np.repeat(np.arange(len(lists)), [len(rows) for rows in lists])


@partial(jax.jit, static_argnames="nuisances")
def _log_auxiliary(
    nuisances: Nuisances, nu: Float[Array, "a p k"], auxiliary: Float[Array, "B m"]
) -> Float[Array, "B a p"]:
    """log [L(nu | A) / L(0 | A)] of each sample's measurements at all points."""

    def of(measured: Array) -> Array:
        return jax.vmap(jax.vmap(lambda point: nuisances.log_auxiliary(point, measured)))(nu)

    return jax.vmap(of)(auxiliary)
