"""How the density of events moves with nuisances: the contract of log-ratios, and their sum."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from jaxtyping import Array, Float, Float64


class LogRatio(Protocol):
    """log r(x; nu) = c_0(nu) + sum_k c_k(nu) g_k(x): the density of events at nu over that at nu = 0, yields included.

    The form is separable so that everything that depends on events is computed once: a data sample is its sums of g.
    """

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the nuisances, in the order of nu."""
        ...

    @property
    def size(self) -> int:
        """q, the number of basis functions g."""
        ...

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """g at events, whose columns are the features of the reference as given (not standardised)."""
        ...

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q+1"]:
        """(c_0, c_1, ..., c_q), with c(0) = 0. Traced by JAX (jit, grad, hessian, vmap)."""
        ...

    def document(self) -> dict[str, Any]:
        """What the ratio is, as JSON values, for results and fingerprints."""
        ...
