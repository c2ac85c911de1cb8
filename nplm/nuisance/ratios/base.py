"""How the density of events moves with nuisances: the contract of log-ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from numpy.typing import ArrayLike

from nplm.data.sample import Sample
from nplm.nuisance.values import nu_of

if TYPE_CHECKING:
    from nplm.learning.learned_ratio import LearnedLogRatio


class LogRatio(Protocol):
    """log r(x; nu) = c_0(nu) + sum_k c_k(nu) g_k(x): the density of events at nu over that at nu = 0, yields included.

    The form is separable so that everything that depends on events is computed once: a data sample is its sums of g.
    What `LogRatioDefaults` has need not be written.
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
        """g at events, whose columns are the features of the reference as given (not standardized)."""
        ...

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(c_0, c_1, ..., c_q), with c(0) = 0. Traced by JAX (jit, grad, hessian, vmap)."""
        ...

    def document(self) -> dict[str, Any]:
        """What the ratio is, as JSON values, for results and fingerprints."""
        ...

    @property
    def summands(self) -> tuple[LogRatio, ...]:
        """The log-ratios that this one is a sum of, none of them a sum; itself if it is none."""
        ...

    @property
    def quadratic(self) -> bool:
        """Whether it is a quadratic form in nu through variations, which may turn round between them."""
        ...

    @property
    def learned(self) -> LearnedLogRatio | None:
        """The same if networks have learned it."""
        ...

    @property
    def learned_range(self) -> Mapping[str, tuple[float, float]]:
        """Between which values of nuisances it is what it says, of those for which that is known."""
        ...

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that it holds for this reference.

        Raises:
            ValueError: saying what is wrong.
        """
        ...

    def require_valid(self) -> None:
        """Makes sure that it has passed its checks, if there are any.

        Raises:
            ValueError: saying which failed.
        """
        ...


class LogRatioDefaults:
    """What most log-ratios have in common: in closed form, for any reference, and no sum."""

    @property
    def summands(self: LogRatio) -> tuple[LogRatio, ...]:
        """Itself."""
        return (self,)

    @property
    def quadratic(self) -> bool:
        """It is not."""
        return False

    @property
    def learned(self) -> LearnedLogRatio | None:
        """It was not."""
        return None

    @property
    def learned_range(self) -> Mapping[str, tuple[float, float]]:
        """None is known."""
        return {}

    def require_reference(self, reference: Sample) -> None:
        """It holds for any."""

    def require_valid(self) -> None:
        """There are no checks."""


def log_ratio(
    ratio: LogRatio, events: Float64[np.ndarray, "n d"], nu: Mapping[str, float] | ArrayLike
) -> Float64[np.ndarray, " n"]:
    """log r(x; nu) at events.

    Arguments:
        ratio: r.
        events: the features of the reference as given, shape (n, d).
        nu: values by name (those that are not named are 0), or in the order of `ratio.nuisances`.

    Raises:
        ValueError: if nu has another length, or names a nuisance that r does not depend on.
    """
    point = nu_of(ratio.nuisances, nu)
    with jax.enable_x64(True):
        c = np.asarray(ratio.coefficients(jnp.asarray(point)))
    return c[0] + ratio.basis(events) @ c[1:]
