"""A quadratic form in nu through values at some points nu: its terms, and the fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

# A term is the pair of nuisances it multiplies; of a linear term the second is -1.
Term = tuple[int, int]


def quadratic_terms(names: tuple[str, ...], points: Float64[np.ndarray, "m k"]) -> tuple[Term, ...]:
    """The terms that points determine: nu_i; nu_i^2 / 2 if nu_i takes two values or more beside 0; nu_i nu_j if both
    move in some point.

    Raises:
        ValueError: if a nuisance never moves, a point is 0, or the points do not determine the terms.
    """
    for name, column in zip(names, points.T, strict=True):
        if not column.any():
            raise ValueError(f"no variation moves {name}: give yields at one or more values of it")
    if not points.any(axis=1).all():
        raise ValueError("a variation moves no nuisance: the yields at nu = 0 are given apart")
    terms: list[Term] = [(i, -1) for i in range(len(names))]
    terms += [(i, i) for i, column in enumerate(points.T) if len(np.unique(column[column != 0])) > 1]
    terms += [(i, j) for i, j in combinations(range(len(names)), 2) if (points[:, i] * points[:, j]).any()]
    design = term_values(tuple(terms), points)
    if np.linalg.matrix_rank(design / np.abs(design).max(axis=0)) < len(terms):
        raise ValueError(
            f"{len(points)} variations do not determine the {len(terms)} terms {', '.join(term_names(names, terms))}:"
            " vary one nuisance at a time, to both sides, and pairs of them together only beside that"
        )
    return tuple(terms)


def term_names(names: Sequence[str], terms: Sequence[Term]) -> list[str]:
    """How the terms are called."""
    return [names[i] if j < 0 else f"{names[i]}^2/2" if i == j else f"{names[i]} {names[j]}" for i, j in terms]


def term_values(terms: tuple[Term, ...], points: Float64[np.ndarray, "m k"]) -> Float64[np.ndarray, "m terms"]:
    """The terms at points."""
    columns = [points[:, i] * (1.0 if j < 0 else points[:, j] / (2.0 if i == j else 1.0)) for i, j in terms]
    return np.stack(columns, axis=1)


def traced_terms(terms: tuple[Term, ...], nu: Float[Array, " k"]) -> Float[Array, " terms"]:
    """The terms at nu, for JAX."""
    return jnp.stack([nu[i] if j < 0 else nu[i] * nu[j] / (2.0 if i == j else 1.0) for i, j in terms])


def fit_terms(
    design: Float64[np.ndarray, "m terms"],
    values: Float64[np.ndarray, "m bins"],
    variances: Float64[np.ndarray, "m bins"] | None,
    common: Float64[np.ndarray, " bins"] | None,
) -> tuple[Float64[np.ndarray, "terms bins"], Float64[np.ndarray, "terms bins"] | None]:
    """Generalized least squares in each bin: values = design coefficients, with errors.

    The covariance of the values in a bin is diag(variances) + common: the error of the yield at nu = 0 is in all of
    them. Through as many points as terms the fit is exact.

    Arguments:
        design: the terms at the points.
        values: log of the ratio of yields.
        variances: of each value; None to weigh all alike.
        common: variance that all values of a bin share.

    Returns:
        The coefficients, and their standard deviations if variances are given.
    """
    if variances is None:
        return np.linalg.lstsq(design, values, rcond=None)[0], None
    shared = np.zeros(values.shape[1]) if common is None else common
    covariance = np.eye(len(design)) * variances.T[:, :, None] + shared[:, None, None]
    weighted = np.linalg.solve(covariance, np.broadcast_to(design, (values.shape[1], *design.shape)))
    inverse = np.linalg.inv(np.einsum("mt,bmu->btu", design, weighted))
    coefficients = np.einsum("btu,bmu,mb->tb", inverse, weighted, values)
    return coefficients, np.sqrt(np.einsum("btt->tb", inverse))
