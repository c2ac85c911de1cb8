"""Products of powers of parameters: the terms of polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from math import comb

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

# More coefficients than this, and no basis of weights that anybody writes would determine them.
_MOST = 5000


def monomials(parameters: int, degree: int) -> Int64[np.ndarray, "T k"]:
    """Powers of each parameter in each of the C(k + degree, degree) monomials of that degree or a lower one.

    The constant comes first, then by degree, each in the order a, b, ..., and a^2, a b, ..., b^2.

    Raises:
        ValueError: if there is no parameter, the degree is below 1, or there are too many.

    Example:
        >>> monomials(2, 2).tolist()
        [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    if parameters < 1 or degree < 1:
        raise ValueError(
            f"a polynomial has a degree of 1 or more, in one parameter or more, not {degree}, {parameters}"
        )
    if (count := comb(parameters + degree, degree)) > _MOST:
        raise ValueError(
            f"a polynomial of degree {degree} in {parameters} parameters has {count:,} coefficients: too many"
        )
    found = np.zeros((count, parameters), dtype=np.int64)
    row = 0
    for total in range(degree + 1):
        for chosen in combinations_with_replacement(range(parameters), total):
            for i in chosen:
                found[row, i] += 1
            row += 1
    return found


def powers_of(
    theta: Float64[np.ndarray, "*points k"], powers: Int64[np.ndarray, "T k"]
) -> Float64[np.ndarray, "*points T"]:
    """The monomials at theta."""
    return np.prod(np.asarray(theta)[..., None, :] ** powers, axis=-1)


def traced_powers(theta: Float[Array, " k"], powers: Int64[np.ndarray, "T k"]) -> Float[Array, " T"]:
    """The monomials at theta, for JAX: by products, whose derivatives exist at 0."""
    found = []
    for row in powers.tolist():
        factors = [theta[i] for i, power in enumerate(row) for _ in range(power)]
        product = jnp.ones_like(theta[0])
        for factor in factors:
            product = product * factor
        found.append(product)
    return jnp.stack(found)


def names_of_monomials(names: Sequence[str], powers: Int64[np.ndarray, "T k"]) -> list[str]:
    """How the monomials are called: 1, a, a^2, a b."""

    def name(row: Int64[np.ndarray, " k"]) -> str:
        factors = [n if p == 1 else f"{n}^{p}" for n, p in zip(names, row.tolist(), strict=True) if p]
        return " ".join(factors) or "1"

    return [name(row) for row in powers]
