"""Log-ratios of effective theories that networks have learned: polynomials in the parameters at each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import rounded, summary
from nplm.data.sample import Sample
from nplm.learning.positive import made_positive
from nplm.learning.regression import Regression
from nplm.learning.validation import RatioValidation
from nplm.nuisance.ratios.base import LogRatioDefaults
from nplm.nuisance.ratios.monomials import powers_of, traced_powers
from nplm.nuisance.ratios.polynomial import TOLERANCE, PolynomialLogRatio
from nplm.nuisance.values import nu_of

if TYPE_CHECKING:
    from nplm.learning.learned_ratio import LearnedLogRatio

PolynomialForm = Literal["positive", "polynomial"]

_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class LearnedPolynomialRatio(LogRatioDefaults):
    """log r(x; theta) = log [1 + sum_a R_a(x) theta^a] + log [Y(theta) / Y_R(theta)], with R_a that was learned.

    R_a is the mean over an ensemble of regressions. "polynomial": as it is. "positive", of an even degree: in the form
    r = (1 + sum_i m_i a_i)^2 + sum_j (sum_i m_i b_ij)^2, nowhere negative (arXiv:2007.10356), with m the monomials up
    to half of the degree, see `nplm.learning.positive`. Of degree 2, a is half of the linear coefficients, and b b^T
    the matrix of the quadratic ones less a a^T, with eigenvalues of 5% of |a|^2 at least.

    Y(theta) is the exact yield relative to that at 0, and Y_R that of the reweighted reference, so that the yield is
    exact at every theta.

    In `nplm.measure`, r is evaluated at each event as it is; among nuisances it is expanded in theta within the reach,
    see `PolynomialLogRatio`.

    Made by `learn_from_morphing` and `learn_polynomial_from_samples`.

    Arguments:
        nuisances: names of the parameters, in the order of theta.
        powers: of each in the terms, shape (T, k), without the constant.
        form: see above.
        regression: R, of theta in units of `reach`.
        reach: the |theta| that r was learned for.
        order: of the expansion in theta; 0 if r is not positive at all events within the reach.
        yields: Y_a of Y(theta) = 1 + sum_a Y_a theta^a, shape (T,).
        mean: the same of R over the reference, shape (T,).
        reference: what the reference holds that r belongs to, see `nplm.data.fingerprint.summary`.
        validation: how r fared on events that it was not learned from; None if nobody has looked.
    """

    nuisances: tuple[str, ...]
    powers: Int64[np.ndarray, "T k"]
    form: PolynomialForm
    regression: Regression
    reach: Float64[np.ndarray, " k"]
    order: int
    yields: Float64[np.ndarray, " T"]
    mean: Float64[np.ndarray, " T"]
    reference: Mapping[str, Any]
    validation: RatioValidation | None = None

    @property
    def learned(self) -> LearnedLogRatio | None:
        """None: that is for those which are quadratic in log r."""
        return None

    @property
    def features(self) -> tuple[str, ...]:
        """Of the reference, in order."""
        return self.regression.features

    @property
    def members(self) -> int:
        """Number of regressions in the ensemble."""
        return self.regression.members

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms, in the order of R."""
        return self._ratio.terms

    @property
    def learned_range(self) -> Mapping[str, tuple[float, float]]:
        """Between which values of each parameter r was learned."""
        return self._ratio.learned_range

    @property
    def size(self) -> int:
        """One function of the event for each term of the expansion."""
        return self._ratio.size

    def polynomial(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        """R at events: means over the ensemble."""
        return self._of(self.regression.values(events).mean(axis=0))

    def spread(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        """Standard deviation over the ensemble of R at events: its statistical error.

        Raises:
            ValueError: if there is one member only.
        """
        if self.members < 2:
            raise ValueError("an ensemble of one member has no spread: learn with members=5 or so")
        return self.member_polynomial(events).std(axis=0, ddof=1)

    def member_polynomial(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "members n T"]:
        """R of every member."""
        return self._of(self.regression.values(events))

    def log_ratio(
        self, events: Float64[np.ndarray, "n d"], theta: Mapping[str, float] | ArrayLike
    ) -> Float64[np.ndarray, " n"]:
        """log r(x; theta) of events, as it is.

        Raises:
            ValueError: if r is not positive at an event, or theta is beyond the reach.
        """
        point = self._ratio.require_within(theta)
        return self._ratio.log_ratio(events, point) + self._of_yield(point)

    def log_of(
        self, r: Float64[np.ndarray, "n T"], theta: Mapping[str, float] | ArrayLike
    ) -> Float64[np.ndarray, " n"]:
        """log r at theta from R of events; very negative where r is not positive."""
        point = nu_of(self.nuisances, theta)
        values = 1 + r @ powers_of(point, self.powers)
        return np.log(np.maximum(values, _SMALLEST)) + self._of_yield(point)

    def score(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """d log r / d theta at theta = 0 of events."""
        k = len(self.nuisances)
        return self.polynomial(events)[:, :k] + (self.yields - self.mean)[:k]

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """Coefficients of the expansion at events.

        Raises:
            ValueError: if r is not positive somewhere within the reach, or the expansion not accurate there.
        """
        return self._ratio.basis(events)

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """c_0 = log [Y / Y_R], and the functions of theta of the expansion."""
        c = self._ratio.coefficients(nu)
        inside = jnp.clip(nu, -self.reach, self.reach)
        return c.at[0].add(self._traced_yield(inside))

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        """R: what `log_r` needs to know of events."""
        return self.polynomial(events)

    def log_r(self, columns: Float[Array, "n T"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """log r of each event from its R, by JAX; where r is not positive it is that of a vanishing one."""
        return self._ratio.log_r(columns, nu) + self._traced_yield(nu)

    def document(self) -> dict[str, Any]:
        """Kind, names, terms, reference, and a hash of the parameters."""
        return {
            "kind": "learned polynomial",
            "nuisances": list(self.nuisances),
            "terms": list(self.terms),
            "form": self.form,
            "members": self.members,
            "reach": [rounded(value) for value in self.reach],
            "order": self.order,
            "reference": dict(self.reference),
            "parameters": self.regression.digest(),
            "valid": None if self.validation is None else self.validation.passed,
        }

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that r was learned for this reference.

        Raises:
            ValueError: saying what differs, if it was learned on another one.
        """
        found = summary(reference)
        if different := [key for key, value in self.reference.items() if found.get(key) != value]:
            details = [f"{key}: {self.reference[key]} when it was learned, {found.get(key)} now" for key in different]
            raise ValueError(
                f"the log-ratio of {', '.join(self.nuisances)} was learned on another reference than {reference.name}"
                f" ({'; '.join(details)}): learn it anew from this one"
            )

    def require_valid(self) -> None:
        """Makes sure that r has passed its checks.

        Raises:
            ValueError: naming the checks that failed; or if there were none.
        """
        names = ", ".join(self.nuisances)
        if self.validation is None:
            raise ValueError(f"the learned log-ratio of {names} was never checked: learn it with a validation")
        if not self.validation.passed:
            raise ValueError(
                f"the learned log-ratio of {names} failed its checks: {self.validation.describe_failures()}. Learn it"
                " from more events, with more kernels, or for a smaller reach"
            )

    def with_validation(self, validation: RatioValidation) -> LearnedPolynomialRatio:
        """The same ratio with the outcome of its checks."""
        return replace(self, validation=validation)

    def _of(self, values: Float64[np.ndarray, "*m n T"]) -> Float64[np.ndarray, "*m n T"]:
        """R from what was regressed."""
        found = values if self.form == "polynomial" else made_positive(values, self.powers)
        return found / powers_of(self.reach, self.powers)

    @cached_property
    def _ratio(self) -> PolynomialLogRatio:
        return PolynomialLogRatio(
            self.nuisances, self.powers, self.polynomial, self.reach, max(self.order, 1), TOLERANCE, "learned"
        )

    def _of_yield(self, theta: Float64[np.ndarray, " k"]) -> float:
        p = powers_of(theta, self.powers)
        return float(np.log((1 + self.yields @ p) / (1 + self.mean @ p)))

    def _traced_yield(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        p = traced_powers(nu, self.powers)
        exact, found = 1 + jnp.dot(self.yields, p), 1 + jnp.dot(self.mean, p)
        return jnp.log(jnp.where(exact > 0, exact, jnp.nan) / jnp.where(found > 0, found, jnp.nan))
