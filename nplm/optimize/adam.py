"""The published recipe: Adam on the full samples, with the weights clipped after every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from nplm._util.seed_range import require_seed


@dataclass(frozen=True)
class Adam:
    """Settings of the published recipe (arXiv:1912.12155, section 3.1), kept for comparison.

    Arguments:
        epochs: full-batch steps.
        learning_rate: of Adam.
        seed: of the random start.
    """

    epochs: int = 300_000
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.epochs < 1 or not self.learning_rate > 0:
            raise ValueError(f"Adam needs epochs >= 1 and a positive learning rate, not {self}")

    def shortened(self, divisor: int) -> Adam:
        """The same recipe with fewer epochs."""
        return replace(self, epochs=-(-self.epochs // divisor))


def adam(
    settings: Adam,
    loss: Callable[[Float[Array, " p"]], Float[Array, ""]],
    theta: Float[Array, " p"],
    bound: Float[Array, " p"],
) -> Float[Array, " p"]:
    """Parameters after the last epoch: a step of Adam on the loss, then the clip, `epochs` times."""
    optimizer = optax.adam(settings.learning_rate)

    def step(_: int, state: tuple[Float[Array, " p"], optax.OptState]) -> tuple[Float[Array, " p"], optax.OptState]:
        theta, memory = state
        update, memory = optimizer.update(jax.grad(loss)(theta), memory)
        return jnp.clip(theta + update, -bound, bound), memory

    start = jnp.clip(theta, -bound, bound)
    return jax.lax.fori_loop(0, settings.epochs, step, (start, optimizer.init(start)))[0]
