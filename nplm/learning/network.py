"""The networks that learn log-ratios: one for each function of the event, with a linear part beside its neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from scipy.special import expit

from nplm.models.network.mlp import Layout

# Groups of parameters that share a penalty; the bias of the output has none.
FREE, HIDDEN, OUTPUT, LINEAR, QUADRATIC = range(5)

# Spread of the weights of a neuron, and of the points where neurons switch, at the start, in standardized features.
_SLOPES, _SWITCH = (0.7, 5.0), 1.5
# Squares of standardized features flatten out where they come near this number: tails shall not be extrapolated.
_LARGEST_SQUARE = 64.0
# With more products of features than this there are squares only.
_MOST_PRODUCTS = 36


@dataclass(frozen=True)
class RatioNetwork:
    """f(x) = network(x) + sum_j a_j x_j + sum_jk b_jk q_jk(x) of standardized x; sigmoid neurons, linear output.

    The linear part carries what is linear, in the tails too, where neurons saturate. q_jk is x_j x_k in the bulk, and
    bounded in the tails: what moves or widens a peak has such terms, which few neurons describe badly.

    Arguments:
        inputs: number of features d.
        hidden: neurons of each hidden layer.
    """

    inputs: int
    hidden: tuple[int, ...]

    @property
    def layout(self) -> Layout:
        """The part with neurons, whose parameters come first."""
        return Layout((self.inputs, *self.hidden, 1))

    @property
    def pairs(self) -> tuple[Int64[np.ndarray, " b"], Int64[np.ndarray, " b"]]:
        """j and k of the products x_j x_k."""
        d = self.inputs
        if d * (d + 1) // 2 > _MOST_PRODUCTS:
            return np.arange(d), np.arange(d)
        j, k = np.triu_indices(d)
        return j, k

    @property
    def parameters(self) -> int:
        """Number of parameters p."""
        return self.layout.parameters + self.inputs + len(self.pairs[0])

    @property
    def groups(self) -> Int64[np.ndarray, " p"]:
        """The group of each parameter."""
        last = self.hidden[-1]
        neurons = self.layout.parameters - last - 1
        sizes = [neurons, last, 1, self.inputs, len(self.pairs[0])]
        return np.repeat([HIDDEN, OUTPUT, FREE, LINEAR, QUADRATIC], sizes)

    def start(self, rng: np.random.Generator) -> Float64[np.ndarray, " p"]:
        """f = 0 with neurons at random: the first step of a fit is then the best combination of these."""
        layers = []
        for layer, (neurons, inputs) in enumerate(self.layout.shapes[:-1]):
            centre, spread = (0.0, _SWITCH) if layer == 0 else (0.5, 0.3)
            slopes = np.geomspace(*_SLOPES, neurons)[:, None]
            weights = slopes * rng.normal(size=(neurons, inputs - 1)) / np.sqrt(inputs - 1)
            if layer == 0:
                # Every other neuron looks along one feature, as edges of a detector do.
                along = np.arange(0, neurons, 2)
                weights[along] = 0
                weights[along, rng.permutation(len(along)) % (inputs - 1)] = slopes[along, 0] * rng.choice(
                    [-1, 1], len(along)
                )
            switch = centre + spread * rng.normal(size=(neurons, inputs - 1))
            layers.append(np.column_stack([weights, -(weights * switch).sum(axis=1)]).ravel())
        return np.concatenate([*layers, np.zeros(self.parameters - self.layout.parameters + self.hidden[-1] + 1)])

    def traced(self, theta: Float[Array, " p"], x: Float[Array, "d_plus_1 n"]) -> Float[Array, " n"]:
        """f at events, for JAX; the last row of x is one."""
        neurons = self.layout.parameters
        return self.layout.forward(theta[:neurons], x) + theta[neurons:] @ self._polynomial(x)

    def traced_jacobian(
        self, theta: Float[Array, " p"], x: Float[Array, "d_plus_1 n"]
    ) -> tuple[Float[Array, " n"], Float[Array, "p n"]]:
        """f at events, and its derivatives by the parameters, for JAX."""
        neurons = self.layout.parameters
        f, jacobian = self.layout.value_and_jacobian(theta[:neurons], x)
        polynomial = self._polynomial(x)
        return f + theta[neurons:] @ polynomial, jnp.concatenate([jacobian, polynomial])

    def _polynomial(self, x: Float[Array, "d_plus_1 n"]) -> Float[Array, "m n"]:
        j, k = self.pairs
        return jnp.concatenate([x[:-1], _bounded(x[j] * x[k]) - (j == k)[:, None].astype(x.dtype)])

    def values(
        self, thetas: Float64[np.ndarray, "members p"], x: Float64[np.ndarray, "n d"]
    ) -> Float64[np.ndarray, "members n"]:
        """f of several networks at events, by NumPy."""
        values = np.empty((len(thetas), len(x)))
        neurons = self.layout.parameters
        ends = np.cumsum([h * n for h, n in self.layout.shapes])[:-1]
        j, k = self.pairs
        polynomial = np.column_stack([x, _bounded(x[:, j] * x[:, k]) - (j == k)])
        for member, theta in enumerate(thetas):
            *hidden, output = (
                part.reshape(shape)
                for part, shape in zip(np.split(theta[:neurons], ends), self.layout.shapes, strict=True)
            )
            a = x
            for matrix in hidden:
                a = expit(a @ matrix[:, :-1].T + matrix[:, -1])
            values[member] = a @ output[0, :-1] + output[0, -1] + polynomial @ theta[neurons:]
        return values


def _bounded(product: Any) -> Any:
    """The product where it is small, and never more than the largest square: an array of NumPy or of JAX."""
    return product / (1 + (product / _LARGEST_SQUARE) ** 2) ** 0.5
