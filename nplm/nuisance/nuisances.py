"""Nuisances: how the expectation moves with them, and what is known about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.data.fingerprint import summary
from nplm.data.sample import Sample
from nplm.nuisance.constraints.base import Constraint
from nplm.nuisance.ratios.base import LogRatio

if TYPE_CHECKING:
    from nplm.learning.learned_ratio import LearnedLogRatio


@dataclass(frozen=True, eq=False)
class Nuisances:
    """An imperfect reference: log r(x; nu), and the auxiliary likelihood L(nu | A).

    Arguments:
        ratio: how the density and the yield of events move with nu; nu = 0 is the reference as given.
        constraint: what auxiliary measurements say about nu.
        allow_failed: use learned log-ratios even if they failed their checks.

    Raises:
        ValueError: if one of them does not know a nuisance of the other.
    """

    ratio: LogRatio
    constraint: Constraint
    allow_failed: bool = False

    def __post_init__(self) -> None:
        moved, constrained = set(self.ratio.nuisances), set(self.constraint.nuisances)
        if free := sorted(moved - constrained):
            raise ValueError(
                f"nothing constrains {', '.join(free)}: give a constraint for every nuisance of the log-ratios"
            )
        if unknown := sorted(constrained - moved):
            raise ValueError(
                f"{', '.join(unknown)} is constrained, but no log-ratio depends on it: the log-ratios know"
                f" {', '.join(self.ratio.nuisances)}"
            )

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that log-ratios are for this reference: that binned ones have its features, and that learned
        ones were learned from it and passed their checks.

        Raises:
            ValueError: saying what is wrong.
        """
        self.ratio.require_reference(reference)
        if not self.allow_failed:
            self.ratio.require_valid()

    @property
    def learned(self) -> tuple[LearnedLogRatio, ...]:
        """The log-ratios among the parts that networks have learned."""
        return tuple(part.learned for part in self.ratio.summands if part.learned is not None)

    @property
    def quadratic(self) -> tuple[LogRatio, ...]:
        """The log-ratios among the parts that are quadratic forms in nu through variations."""
        return tuple(part for part in self.ratio.summands if part.quadratic)

    @property
    def learned_range(self) -> Float64[np.ndarray, "k 2"]:
        """Between which values of each nuisance its log-ratio was learned; infinite where it was not."""
        known = {name: ends for part in self.ratio.summands for name, ends in part.learned_range.items()}
        return np.array([known.get(name, (-np.inf, np.inf)) for name in self.names])

    @property
    def names(self) -> tuple[str, ...]:
        """The nuisances, in the order of nu."""
        return self.ratio.nuisances

    @property
    def count(self) -> int:
        """Number of nuisances, k."""
        return len(self.names)

    @cached_property
    def _of_constraint(self) -> np.ndarray:
        return np.array([self.names.index(name) for name in self.constraint.nuisances])

    @property
    def sigma(self) -> Float64[np.ndarray, " k"]:
        """Size of each nuisance's uncertainty, in the order of nu."""
        sigma = np.empty(self.count)
        sigma[self._of_constraint] = self.constraint.sigma
        return sigma

    @property
    def auxiliary(self) -> Float64[np.ndarray, " a"]:
        """The auxiliary measurements A."""
        return np.asarray(self.constraint.auxiliary, dtype=np.float64)

    def free(self, held: Collection[str] = ()) -> Float64[np.ndarray, " k"]:
        """1 for each nuisance that is profiled, 0 for those that are held at their nominal value 0.

        Raises:
            ValueError: for an unknown name.
        """
        if unknown := [name for name in held if name not in self.names]:
            raise ValueError(f"'{unknown[0]}' cannot be held: the nuisances are {', '.join(self.names)}")
        return np.array([0.0 if name in held else 1.0 for name in self.names])

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """c(nu), see `LogRatio`; traced by JAX."""
        return self.ratio.coefficients(nu)

    def log_auxiliary(self, nu: Float[Array, " k"], auxiliary: Float[Array, " a"]) -> Float[Array, ""]:
        """log [L(nu | A) / L(0 | A)]; traced by JAX."""
        constraint = self.constraint.with_auxiliary(auxiliary)
        here = nu[self._of_constraint]
        return constraint.logpdf(here) - constraint.logpdf(jnp.zeros_like(here))

    def sample_auxiliary(self, nu: Float64[np.ndarray, " k"], rng: np.random.Generator) -> Float64[np.ndarray, " a"]:
        """Auxiliary measurements as they fluctuate if nu is the truth."""
        drawn = self.constraint.sample(nu[self._of_constraint], rng).auxiliary
        return np.asarray(drawn, dtype=np.float64)

    def expected_auxiliary(self, nu: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " a"]:
        """Auxiliary measurements whose likelihood has its maximum at nu: what they are expected to be there.

        The score d log L(nu | A) / dnu is linear in A for normal and Poisson measurements, whose means are then these;
        of more measurements than nuisances those nearest to the given ones are taken.
        """
        with jax.enable_x64(True):
            at, found = jnp.asarray(nu), jnp.asarray(self.auxiliary)
            score = jax.grad(self.log_auxiliary)
            for _ in range(3):
                slope = np.asarray(jax.jacfwd(score, argnums=1)(at, found))
                step = np.linalg.lstsq(slope, -np.asarray(score(at, found)), rcond=None)[0]
                found = found + jnp.asarray(step)
            return np.asarray(found)

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q_plus_1"]:
        """(1, g(x)) of events: log r(x; nu) is these times c(nu)."""
        return np.column_stack([np.ones(len(events)), self.ratio.basis(events)])

    def document(self, reference: Sample) -> dict[str, Any]:
        """What they are, as JSON values; what g is at the reference says which functions these are."""
        columns = summary(Sample(self.columns(reference.events), reference.weights))
        return {"ratio": self.ratio.document(), "constraint": self.constraint.document(), "columns": columns}
