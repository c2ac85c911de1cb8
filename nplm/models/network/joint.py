"""F = f + log r, a network and nuisances in one vector of parameters."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.models.network.mlp import Layout
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.levenberg_marquardt import Expansion


@dataclass(frozen=True)
class JointNetwork:
    """F(x; theta, nu) = f(x; theta) + log r(x; nu), in the place of the network alone; nu follows theta in the vector.

    Arrays of events have the rows (features, g, 1), so that log r = c(nu) . (g, 1).

    Arguments:
        network: of f.
        nuisances: log r and the auxiliary likelihood.
    """

    network: Layout
    nuisances: Nuisances

    @property
    def parameters(self) -> int:
        """Number of parameters and nuisances."""
        return self.network.parameters + self.nuisances.count

    @property
    def output_bias(self) -> int:
        """Place of the bias of the network's output, by which the derivative of F is one everywhere."""
        return self.network.output_bias

    def forward(self, theta: Float[Array, " p_plus_k"], x: Float[Array, "rows n"]) -> Float[Array, " n"]:
        """F at each event."""
        f = self.network.forward(theta[: self.network.parameters], self._of_network(x))
        return f + self._coefficients(self._nu(theta)).astype(x.dtype) @ x[self._inputs :]

    def value_and_jacobian(
        self, theta: Float[Array, " p_plus_k"], x: Float[Array, "rows n"]
    ) -> tuple[Float[Array, " n"], Float[Array, "p_plus_k n"]]:
        """F and its derivatives by theta and nu."""
        f, jacobian = self.network.value_and_jacobian(theta[: self.network.parameters], self._of_network(x))
        nu, columns = self._nu(theta), x[self._inputs :]
        log_r = self._coefficients(nu).astype(x.dtype) @ columns
        of_nu = jax.jacfwd(self._coefficients)(nu).T.astype(x.dtype) @ columns
        return f + log_r, jnp.concatenate([jacobian, of_nu])

    def auxiliary_term(self, theta: Float[Array, " p_plus_k"], auxiliary: Float[Array, " a"]) -> Expansion:
        """- log [L(nu | A) / L(0 | A)] to second order."""
        nu, first = self._nu(theta), self.network.parameters
        measured = auxiliary.astype(jnp.float64)
        value, pull = jax.value_and_grad(self.nuisances.log_auxiliary)(nu, measured)
        stiffness = jax.hessian(self.nuisances.log_auxiliary)(nu, measured)
        return Expansion(
            -value.astype(theta.dtype),
            jnp.zeros_like(theta).at[first:].set(-pull.astype(theta.dtype)),
            jnp.zeros((theta.size, theta.size), theta.dtype).at[first:, first:].set(-stiffness.astype(theta.dtype)),
        )

    @property
    def _inputs(self) -> int:
        return self.network.sizes[0]

    def _of_network(self, x: Float[Array, "rows n"]) -> Float[Array, "d_plus_1 n"]:
        return jnp.concatenate([x[: self._inputs], x[-1:]])

    def _nu(self, theta: Float[Array, " p_plus_k"]) -> Float[Array, " k"]:
        """nu in double precision: constants of log-ratios and constraints are, and so would be what comes of them."""
        return theta[self.network.parameters :].astype(jnp.float64)

    def _coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """c(nu) in the order of the rows (g, 1)."""
        return jnp.roll(self.nuisances.coefficients(nu), -1)
