"""A control region: a count that depends on one nuisance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Float64

from nplm.nuisance.constraints.base import with_measured
from nplm.nuisance.values import distinct_names, positive, values_of


@dataclass(frozen=True, eq=False)
class PoissonControlRegion:
    """n events in a control region: n ~ Poisson(expected exp(response nu) + background).

    With response 1 the nuisance is the logarithm of the yield relative to the reference's, as in `Normalization`.

    Arguments:
        nuisance: the name.
        count: n, the events that were counted.
        expected: events expected at nu = 0 that grow with the nuisance.
        response: derivative of their logarithm with respect to nu.
        background: further events expected, whatever nu.

    Raises:
        ValueError: if the count is not a whole number >= 0, expected not positive, the response zero, or background
            negative.
    """

    nuisances: tuple[str]
    auxiliary: Float64[np.ndarray, " 1"]
    expected: float
    response: float
    background: float

    def __init__(
        self, nuisance: str, count: float, expected: float, response: float = 1.0, background: float = 0.0
    ) -> None:
        names = distinct_names((nuisance,))
        n = values_of(names, count, "the count in the control region")
        if n[0] < 0 or n[0] % 1:
            raise ValueError(
                f"the count in the control region of {nuisance} must be a whole number of events, not {count:g}"
            )
        mean = float(positive(names, expected, "the expectation in the control region")[0])
        slope = float(values_of(names, response, "the response of the control region")[0])
        if slope == 0:
            raise ValueError(f"the response of the control region to {nuisance} is 0: it says nothing about {nuisance}")
        rest = float(values_of(names, background, "the background in the control region")[0])
        if rest < 0:
            raise ValueError(f"the background in the control region of {nuisance} must not be negative, not {rest:g}")
        values = {
            "nuisances": names,
            "auxiliary": n,
            "expected": mean,
            "response": slope,
            "background": rest,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    @property
    def sigma(self) -> Float64[np.ndarray, " 1"]:
        """From the expected information at nu = 0: sqrt(expected + background) / (expected |response|)."""
        return np.array([np.sqrt(self.expected + self.background) / (self.expected * abs(self.response))])

    def logpdf(self, nu: Float[Array, " 1"]) -> Float[Array, ""]:
        """n log mu - mu - log n!, with mu the expectation at nu."""
        n = jnp.asarray(self.auxiliary)[0]
        scaled = jnp.log(self.expected) + self.response * nu[0]
        # log mu through logarithms, which do not overflow where nu strays.
        log_mean = jnp.logaddexp(scaled, jnp.log(self.background)) if self.background > 0 else scaled
        return n * log_mean - jnp.exp(scaled) - self.background - gammaln(n + 1)

    def with_auxiliary(self, auxiliary: Float[Array, " 1"] | Float64[np.ndarray, " 1"]) -> PoissonControlRegion:
        """With another count."""
        return with_measured(self, auxiliary, 1)

    def sample(self, nu_true: Float64[np.ndarray, " 1"], rng: np.random.Generator) -> PoissonControlRegion:
        """With a count drawn at nu_true."""
        mean = self.expected * np.exp(self.response * np.asarray(nu_true)) + self.background
        return self.with_auxiliary(rng.poisson(mean).astype(np.float64))

    def document(self) -> dict[str, Any]:
        """Kind, name, count, and the expectation."""
        return {
            "kind": "poisson",
            "nuisances": list(self.nuisances),
            "auxiliary": np.asarray(self.auxiliary).tolist(),
            "expected": self.expected,
            "response": self.response,
            "background": self.background,
        }
