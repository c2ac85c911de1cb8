"""Between and beyond two variations of a yield, as HistFactory interpolates: exponentials, or a polynomial with
exponential ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.nuisance.ratios.interpolation_polynomial import polynomial_between

Kind = Literal["exponential", "polynomial"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The kink at nu = 0 of two exponentials is rounded over so small a part of the step to a variation.
_ROUNDING = 0.01
# Where a polynomial must be positive.
_GRID = np.linspace(-1.0, 1.0, 201)


@dataclass(frozen=True, eq=False)
class Interpolated:
    """log r of several yields, each varied up at nu = 1 and down at nu = -1.

    "exponential" is r = up^nu for nu > 0 and down^-nu for nu < 0 (pyhf's code 1), its kink at 0 rounded over |nu| of
    some .01: with a kink the minimum over nu may be where there is no slope to tell it. "polynomial" is the same beyond
    nu = +-1, and between a polynomial of degree 6 that continues it with two derivatives, r(0) = 1 (code 4).
    Source: K. Cranmer et al., HistFactory, CERN-OPEN-2012-016, section 4.1; L. Heinrich et al., pyhf.

    Arguments:
        kind: which of the two.
        log_up, log_down: of the ratios of yields at nu = +-1, shape (m,).

    Raises:
        ValueError: if there is no such kind, or the polynomial is not positive between the variations.
    """

    kind: Kind
    log_up: Float64[np.ndarray, " m"]
    log_down: Float64[np.ndarray, " m"]
    _powers: Float64[np.ndarray, "6 m"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no interpolation '{self.kind}': choose quadratic, {', '.join(KINDS)}")
        powers = polynomial_between(self.log_up, self.log_down)
        object.__setattr__(self, "_powers", powers)
        if self.kind == "polynomial":
            least = 1 + (_GRID[:, None, None] ** np.arange(1, 7)[:, None] * powers).sum(axis=1).min(axis=0)
            if not (least > 0).all():
                m = int(np.argmin(least))
                raise ValueError(
                    f"variations by factors of {np.exp(self.log_up[m]):.3g} and {np.exp(self.log_down[m]):.3g} are too"
                    " unequal: the polynomial between them is not positive. Take interpolation='exponential'"
                )

    def __call__(self, nu: Float[Array, ""]) -> Float[Array, " m"]:
        """log r at nu; traced by JAX."""
        if self.kind == "exponential":
            positive = (nu + nu * jnp.tanh(nu / _ROUNDING)) / 2
            return positive * self.log_up + (positive - nu) * self.log_down
        # The polynomial is looked at between the variations only: beyond, it may have no logarithm.
        inner = jnp.clip(nu, -1.0, 1.0)
        less_one = jnp.zeros_like(self.log_up)
        for power in self._powers[::-1]:
            less_one = inner * (power + less_one)
        within = jnp.log1p(less_one)
        beyond = jnp.where(nu > 0, nu * self.log_up, -nu * self.log_down)
        return jnp.where(jnp.abs(nu) < 1, within, beyond)


def two_sided(names: Sequence[str], varied: Sequence[Mapping[str, float]]) -> list[tuple[int, int, float]]:
    """For each nuisance the numbers of its variations up and down, and the nu of the one up.

    Raises:
        ValueError: if they are not two for each nuisance alone, at nu and -nu.
    """
    found = []
    for name in names:
        own = {float(nu[name]): i for i, nu in enumerate(varied) if nu.get(name)}
        alone = all(not value or other == name for nu in varied if nu.get(name) for other, value in nu.items())
        steps = sorted(own)
        if not alone or len(own) != 2 or sum(bool(nu.get(name)) for nu in varied) != 2 or steps[0] != -steps[1]:
            raise ValueError(
                f"an interpolation needs two variations of {name} alone, one up and one down by as much, not"
                f" {', '.join(f'{step:g}' for step in steps) or 'none'}"
            )
        found.append((own[steps[1]], own[steps[0]], steps[1]))
    return found
