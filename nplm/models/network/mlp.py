"""The sigmoid network f(x; w) with linear output, its gradient and its Jacobian.

Arrays of events carry the features first, shape (d + 1, n), with a row of ones for the biases: contiguous rows of
events are what makes the small matrix products fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Layout:
    """The layers of a network, and how its parameters lie in one vector.

    The vector holds, layer after layer and neuron after neuron, the neuron's weights followed by its bias.

    Arguments:
        sizes: inputs, hidden layers, and one output; (1, 4, 1) is the 1-4-1 network of 13 parameters.
    """

    sizes: tuple[int, ...]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(neurons, inputs + 1) of each layer."""
        return tuple((h, n + 1) for n, h in zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def parameters(self) -> int:
        """Number of parameters P."""
        return sum(h * n for h, n in self.shapes)

    @property
    def output_bias(self) -> int:
        """Place of the output's bias, by which the derivative of f is one everywhere."""
        return self.parameters - 1

    @property
    def is_bias(self) -> np.ndarray:
        """Which parameters are biases, shape (P,)."""
        return np.concatenate([(np.arange(h * n) + 1) % n == 0 for h, n in self.shapes])

    def layers(self, theta: Float[Array, " p"]) -> list[Float[Array, "_ _"]]:
        """One matrix a layer: the weights, and the biases in the last column."""
        ends = np.cumsum([h * n for h, n in self.shapes])[:-1]
        parts = jnp.split(theta, ends)
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def forward(self, theta: Float[Array, " p"], x: Float[Array, "d_plus_1 n"]) -> Float[Array, " n"]:
        """f(x; theta) at each event."""
        return self._activations(theta, x)[1]

    def value_and_jacobian(
        self, theta: Float[Array, " p"], x: Float[Array, "d_plus_1 n"]
    ) -> tuple[Float[Array, " n"], Float[Array, "p n"]]:
        """f(x; theta) and its derivatives by the parameters, by backpropagation of the single output."""
        matrices = self.layers(theta)
        activations, f = self._activations(theta, x)
        blocks: list[Float[Array, "_ n"]] = []
        delta = jnp.ones_like(f)[None]
        for matrix, below in zip(reversed(matrices), reversed(activations), strict=True):
            blocks.append((delta[:, None] * below[None]).reshape(matrix.size, -1))
            hidden = below[:-1]
            delta = (matrix[:, :-1].T @ delta) * hidden * (1 - hidden)
        return f, jnp.concatenate(blocks[::-1])

    def _activations(
        self, theta: Float[Array, " p"], x: Float[Array, "d_plus_1 n"]
    ) -> tuple[list[Float[Array, "_ n"]], Float[Array, " n"]]:
        """The inputs of each layer, ones included, and the output."""
        *hidden, output = self.layers(theta)
        inputs = [x]
        for matrix in hidden:
            a = jax.nn.sigmoid(matrix @ inputs[-1])
            inputs.append(jnp.concatenate([a, jnp.ones_like(a[:1])]))
        return inputs, (output @ inputs[-1])[0]


def with_ones(events: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d_plus_1 n"]:
    """Events with the features first and a row of ones below them."""
    return np.concatenate([events.T, np.ones((1, len(events)), events.dtype)])
