"""The fit of ratio networks: damped Gauss-Newton steps on all events, a few tens of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int

from nplm.learning.loss import CHUNK, Form, Loss, Rows, sums
from nplm.learning.network import FREE, HIDDEN, LINEAR, OUTPUT, QUADRATIC, RatioNetwork

# Standard deviations that parameters have before the data say more: for effects of one sigma of the nuisance, and
# standardized features, they are wide. They keep parameters that the data do not determine where they are.
_EXPECTED = {HIDDEN: 3.0, OUTPUT: 0.5, LINEAR: 1.0, QUADRATIC: 0.3}
# Rows that the curvature is summed over, by parameter: it then is known well enough to converge in few steps.
_CURVED_ROWS, _FEWEST_CURVED = 300, 30_000
# A step is taken if it gains this share of its promise, and damping decreases if it gains the second one.
_ACCEPTED, _GOOD = 0.05, 0.7
_FIRST_DAMPING, _GROWTH, _DECAY = 1e-5, 4.0, 0.2
# Steps that are damped more than this are lost in the digits of float32: there is no way on from where the fit is.
_LARGEST_DAMPING = 1e6
# Steps between two looks at the held-out events: what gains nothing there only follows single events in the tails.
_BETWEEN_LOOKS = 10
# Weights that x alone determines have no noise: a fit shall not go on to their last digit.
_LARGEST_SCALE = 100.0
# The bias of the second output of the positive form: at 0 its gradient would vanish.
_LIFTED = 0.1


@dataclass(frozen=True)
class FitRecord:
    """How the fit of one member of an ensemble went.

    Arguments:
        losses: by unit of weight, at the start and after each step.
        held_out: the loss at the end on events that were kept out of the fit.
        decrement: twice the log-likelihood that the last step promised; None if there was none.
        gradient: norm of the gradient at the end, penalties included, relative to that at the start.
        parameters: how many parameters the data determine, rather than the penalties.
        converged: whether the decrement went below the tolerance, or the held-out loss, as a log-likelihood, gained
            less than half of it in ten steps.
    """

    losses: tuple[float, ...]
    held_out: float
    decrement: float | None
    gradient: float
    parameters: float
    converged: bool

    def to_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FitRecord:
        """What `to_dict` gave."""
        return cls(**{**values, "losses": tuple(values["losses"])})


def fit_rows(
    network: RatioNetwork,
    kind: Loss,
    form: Form,
    outputs: int,
    rows: Rows,
    held_out: Rows,
    rng: np.random.Generator,
    iterations: int,
    tolerance: float,
) -> tuple[Float64[np.ndarray, "T p"], FitRecord]:
    """Minimizes kappa loss + sum_i theta_i^2 / (2 s_i^2) over the networks' parameters.

    kappa makes the loss a log-likelihood: with it the sum of squared gradients is the sum of second derivatives. So
    the penalties are independent of the scale of the weights and of the kind of loss. Steps are those of Levenberg
    and Marquardt; the first one, from output 0, is a ridge regression on neurons at random.

    Arguments:
        network: shape of each network.
        kind, form: of the loss.
        outputs: number of networks T.
        rows: the events.
        held_out: others, for the record and to see when the fit is over.
        rng: draws the start.
        iterations: at most so many steps are tried.
        tolerance: of the decrement.

    Returns:
        The parameters, and how the fit went.
    """
    fewest = -(-max(_CURVED_ROWS * outputs * network.parameters, _FEWEST_CURVED) // CHUNK)
    curved = min(len(rows.x), max(1, fewest))
    for within in (curved, len(rows.x)):
        start = np.stack([network.start(rng) for _ in range(outputs)])
        if form == "positive":
            start[1, network.groups == FREE] = _LIFTED
        theta, record, stuck = _descend(network, kind, form, start, rows, held_out, within, iterations, tolerance)
        # Where no step leads on, another start and the curvature of all rows may; a spent budget is for its owner.
        if not stuck:
            break
    return theta, record


def _descend(
    network: RatioNetwork,
    kind: Loss,
    form: Form,
    start: Float64[np.ndarray, "T p"],
    rows: Rows,
    held_out: Rows,
    curved: int,
    iterations: int,
    tolerance: float,
) -> tuple[Float64[np.ndarray, "T p"], FitRecord, bool]:
    """The fit from one start, with the curvature of the first `curved` chunks of rows; and whether it got stuck."""
    deviations = np.array([_EXPECTED.get(int(group), np.inf) for group in network.groups])
    penalty = np.tile(deviations**-2, len(start))

    def expand(point: Float64[np.ndarray, " Tp"], on: Rows = rows) -> Any:
        return jax.device_get(sums(network, kind, form, curved, jnp.asarray(point.reshape(start.shape)), on))

    theta = start.ravel()
    at = expand(theta)
    first = float(np.linalg.norm(at.gradient))
    losses, damping = [float(at.loss / at.weight)], _FIRST_DAMPING
    decrement: float | None = None
    converged, outside = False, expand(theta, held_out)
    for _ in range(iterations):
        known = at.second > 0 and at.square * _LARGEST_SCALE > at.second
        kappa = float(at.second / at.square) if known else _LARGEST_SCALE if at.second > 0 else 1.0
        gradient = kappa * at.gradient + penalty * theta
        step = _solve(kappa * at.curvature + np.diag(penalty), gradient, damping)
        accepted = False
        if step is not None:
            decrement = promised = float(-gradient @ step)
            # A step that is damped this much promises little whether or not there is much to gain.
            converged = promised < tolerance and damping < 1
            if converged:
                break
            trial = expand(theta + step)
            gain = kappa * (float(at.loss) - float(trial.loss)) + float(penalty @ (theta**2 - (theta + step) ** 2)) / 2
            accepted = bool(np.isfinite(trial.loss)) and gain > _ACCEPTED * promised / 2
        if not accepted:
            damping *= _GROWTH
            if damping > _LARGEST_DAMPING:
                break
            continue
        theta, at = theta + step, trial
        losses.append(float(at.loss / at.weight))
        if gain > _GOOD * promised / 2:
            damping *= _DECAY
        if (len(losses) - 1) % _BETWEEN_LOOKS == 0:
            before, outside = outside, expand(theta, held_out)
            converged = kappa * float(before.loss - outside.loss) < tolerance / 2
            if converged:
                break
    outside = expand(theta, held_out)
    stuck = damping > _LARGEST_DAMPING
    if not np.isfinite(outside.loss):
        # A loss with weights below zero may have no minimum. What ran away from events that it did not see is nothing.
        theta, converged, stuck = start.ravel(), False, True
        outside = expand(theta, held_out)
    record = FitRecord(
        losses=tuple(losses),
        held_out=float(outside.loss / outside.weight),
        decrement=decrement,
        gradient=float(np.linalg.norm(gradient) / (kappa * first)) if first > 0 else 0.0,
        parameters=_determined(kappa * at.curvature, penalty),
        converged=converged,
    )
    return theta.reshape(start.shape), record, stuck


def _solve(
    hessian: Float64[np.ndarray, "Tp Tp"], gradient: Float64[np.ndarray, " Tp"], damping: float
) -> Float64[np.ndarray, " Tp"] | None:
    """The step; None if the matrix is not positive, as sums with negative weights may make it."""
    step, positive = _eliminated(hessian + damping * np.diag(np.abs(np.diag(hessian))), -gradient[:, None])
    return np.asarray(step)[:, 0] if positive else None


def _determined(curvature: Float64[np.ndarray, "Tp Tp"], penalty: Float64[np.ndarray, " Tp"]) -> float:
    """Trace of H (H + penalty)^-1."""
    inverse, positive = _eliminated(curvature + np.diag(penalty), np.eye(len(penalty)))
    return float(len(penalty) - penalty @ np.diag(np.asarray(inverse))) if positive else float(len(penalty))


@jax.jit
def _eliminated(matrix: Float[Array, "m m"], right: Float[Array, "m k"]) -> tuple[Float[Array, "m k"], Bool[Array, ""]]:
    """matrix^-1 right by Gauss and Jordan, and whether all pivots, and so the matrix, are positive.

    LAPACK's threads fight with XLA's for the cores: for matrices of this size that takes a hundred times as long.
    """

    def eliminate(i: Int[Array, ""], state: tuple[Array, Array]) -> tuple[Array, Array]:
        rows, positive = state
        row = rows[i] / rows[i, i]
        return (rows - jnp.outer(rows[:, i], row)).at[i].set(row), positive & (rows[i, i] > 0)

    rows = jnp.concatenate([matrix, right], axis=1)
    rows, positive = jax.lax.fori_loop(0, len(matrix), eliminate, (rows, jnp.array(True)))
    return rows[:, len(matrix) :], positive
