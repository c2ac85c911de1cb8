"""Small problems for the optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from nplm.models.network.events import Points, one_chunk
from nplm.models.network.loss import expand, network_loss
from nplm.models.network.mlp import Layout
from nplm.optimize.levenberg_marquardt import Expansion, State, minimize


@dataclass(frozen=True)
class Problem:
    """A small network, a reference, data, and a box."""

    layout: Layout
    reference: Points
    data: Points
    bound: Float[np.ndarray, " p"]

    def expand(self, theta: Float[Array, " p"]) -> Expansion:
        return expand(self.layout, theta, self.reference, self.data)

    @cached_property
    def value_and_gradient(self) -> Callable[..., tuple[Array, Array]]:
        """The loss and its gradient by automatic differentiation, independent of `expand`."""
        return jax.jit(jax.value_and_grad(self.loss))

    @cached_property
    def climb(self) -> Callable[..., State]:
        """States that a number of steps from several points, with one damping, end in."""
        bound = jnp.asarray(self.bound)

        def one(theta: Float[Array, " p"], damping: float, steps: int) -> State:
            return minimize(self.expand, theta, damping, bound, steps)

        return jax.jit(jax.vmap(one, in_axes=(0, None, None)))

    def starts(self, number: int) -> Float[np.ndarray, "number p"]:
        """Points all over the box."""
        return np.random.default_rng(5).uniform(-1, 1, (number, self.bound.size)) * self.bound

    def loss(self, theta: Float[Array, " p"]) -> Float[Array, ""]:
        return network_loss(self.layout, theta, self.reference, self.data)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def make_problem(hidden: int) -> Problem:
    """1-`hidden`-1 in a box of 4, for an exponential reference and data with a bump at 2."""
    rng = np.random.default_rng(2)
    layout = Layout((1, hidden, 1))
    reference, background, bump = rng.exponential(size=400), rng.exponential(size=300), rng.normal(2, 0.2, 40)
    data = np.concatenate([background, bump])
    with jax.enable_x64(True):
        return Problem(
            layout,
            one_chunk(reference[:, None], np.full(400, 0.75), np.float64),
            one_chunk(data[:, None], np.ones(len(data)), np.float64),
            np.full(layout.parameters, 4.0),
        )


# Shared by the tests of a module, so that each function is compiled once.
@pytest.fixture(scope="module")
def one_neuron() -> Problem:
    return make_problem(1)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return make_problem(2)
