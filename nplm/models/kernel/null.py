"""The covariance of the sums over modes that t of a kernel model is made of, under the null."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.data.sample import Sample


def covariance_of_sums(
    information: Float64[np.ndarray, "r_plus_1 r_plus_1"],
    data: Float64[np.ndarray, "r_plus_1 r_plus_1"] | None,
    noise: Float64[np.ndarray, "r_plus_1 r_plus_1"] | None,
    events: int,
    *,
    shape_of: float | None,
    normalized: bool,
    pooled: Float64[np.ndarray, "r r"] | None = None,
    event_weight: float = 0.0,
) -> Float64[np.ndarray, "r r"]:
    """V of u = sum_D v phi - sum_R w phi, for data that fluctuate about the reference.

    V is sum v^2 phi phi^T of the data, which for unit weights is expected to be sum_R w phi phi^T, and sum_R w^2 phi
    phi^T of the reference, less s s^T / n for the number of its events, which is fixed. Where only the shape of a
    sample counts its phi are taken from their mean.

    A test of the shape scales data of yield n to N(R), and t by n / N(R). So V is that of the scaled data times
    n / N(R): for unit weights the data's part is what it would be at the yield N(R), and the reference's is smaller by
    n / N(R).

    Arguments:
        information: sum_R w (phi, 1)(phi, 1)^T.
        data: sum_D v^2 (phi, 1)(phi, 1)^T; None for unit weights.
        noise: sum_R w^2 (phi, 1)(phi, 1)^T; None if the reference is held fixed.
        events: number of reference events.
        shape_of: yield n of the data in a test of the shape; None in one of shape and yield.
        normalized: the reference was scaled to a yield that is known from elsewhere.
        pooled: sum_R w phi phi^T as reference and data together give it; None for that of the reference alone.
        event_weight: w0, by which the noise follows it.
    """
    r = len(information) - 1
    if pooled is not None:
        more = np.zeros_like(information)
        more[:r, :r] = pooled - information[:r, :r]
        information = information + more
        noise = None if noise is None else noise + event_weight * more
    expected, total = information[:r, r], information[r, r]
    from_mean = np.column_stack([np.eye(r), -expected / total])
    as_it_is = np.eye(r, r + 1)
    scale = 1.0 if shape_of is None else shape_of / total
    project = as_it_is if shape_of is None else from_mean
    covariance = project @ (information if data is None else data / scale) @ project.T
    if noise is not None and (shape_of is not None or normalized):
        covariance += scale * (from_mean @ noise @ from_mean.T)
    elif noise is not None:
        covariance += noise[:r, :r] - np.outer(expected, expected) / events
    return covariance


def curvature_root(
    hessian: Float64[np.ndarray, "r r"] | None, penalty: Float64[np.ndarray, " r"]
) -> Float64[np.ndarray, "r r"]:
    """A with A A^T = (H + P)^-1 (H + 2 P) (H + P)^-1, P = diag p: t is |A^T u|^2 / (1 + rho) to second order.

    Arguments:
        hessian: H of G in the modes; None for 1, whose A is the root of c_i = 1 - (p_i / (1 + p_i))^2.
        penalty: p.
    """
    if hessian is None:
        return np.diag(np.sqrt(1 + 2 * penalty) / (1 + penalty))
    with blas_threads(len(penalty)):
        inverse = np.linalg.inv(hessian + np.diag(penalty))
        return inverse @ np.linalg.cholesky(hessian + 2 * np.diag(penalty))


def shape_yield(shape_only: bool, data: Sample | None, total: float) -> float | None:
    """The yield of the data in a test of the shape, that of the reference where there are no data yet; else None."""
    if not shape_only:
        return None
    return total if data is None else data.total_weight
