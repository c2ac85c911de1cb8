"""Gaussian auxiliary measurements: independent, log-normal, or correlated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from nplm.nuisance.constraints.base import with_measured
from nplm.nuisance.values import distinct_names, positive, values_of

# Largest asymmetry of a covariance, relative to its diagonal, that is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class GaussianConstraint:
    """Independent Gaussian measurements: a_i ~ Normal(nu_i, sigma_i^2).

    Arguments:
        nuisances: one name or several.
        sigma: standard deviation of each, in the units of nu; one number is for all.
        auxiliary: the measured a; 0 where the reference already stands for what was measured.

    Raises:
        ValueError: if a sigma is not positive, or a value is missing or not finite; the message names the nuisance.

    Example:
        >>> constraint = GaussianConstraint(["scale", "resolution"], sigma=[0.02, 0.1])
        >>> at_zero, one_sigma_off = constraint.logpdf(jnp.zeros(2)), constraint.logpdf(jnp.array([0.02, 0.0]))
        >>> round(float(at_zero - one_sigma_off), 3)
        0.5
    """

    nuisances: tuple[str, ...]
    sigma: Float64[np.ndarray, " k"]
    auxiliary: Float64[np.ndarray, " k"]

    def __init__(
        self,
        nuisances: str | Sequence[str],
        sigma: ArrayLike = 1.0,
        auxiliary: ArrayLike = 0.0,
    ) -> None:
        names = distinct_names(nuisances)
        object.__setattr__(self, "nuisances", names)
        object.__setattr__(self, "sigma", positive(names, sigma, "sigma"))
        object.__setattr__(self, "auxiliary", values_of(names, auxiliary, "the measured value"))

    @classmethod
    def log_normal(cls, name: str, uncertainty: float) -> GaussianConstraint:
        """A yield with a relative uncertainty s, whose logarithm is Gaussian: sigma = log(1 + s) for `Normalization`.

        Arguments:
            name: of the nuisance, which is the logarithm of the yield relative to the reference's.
            uncertainty: s, such as 0.025.

        Raises:
            ValueError: if it is not positive.
        """
        return cls(name, np.log1p(positive((name,), uncertainty, "the relative uncertainty")))

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """-sum_i [(a_i - nu_i)^2 / (2 sigma_i^2) + log(sigma_i sqrt(2 pi))]."""
        pull = (self.auxiliary - nu) / self.sigma
        return -jnp.sum(pull**2) / 2 - float(np.log(self.sigma * np.sqrt(2 * np.pi)).sum())

    def with_auxiliary(self, auxiliary: Float[Array, " k"] | Float64[np.ndarray, " k"]) -> GaussianConstraint:
        """With other measured values."""
        return with_measured(self, auxiliary, len(self.nuisances))

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> GaussianConstraint:
        """With a drawn around nu_true."""
        return self.with_auxiliary(np.asarray(nu_true) + self.sigma * rng.standard_normal(len(self.nuisances)))

    def document(self) -> dict[str, Any]:
        """Kind, names, sigma, and the measured values."""
        return {
            "kind": "gaussian",
            "nuisances": list(self.nuisances),
            "sigma": self.sigma.tolist(),
            "auxiliary": np.asarray(self.auxiliary).tolist(),
        }


@dataclass(frozen=True, eq=False)
class CorrelatedGaussian:
    """Correlated Gaussian measurements: a ~ Normal(nu, covariance).

    Arguments:
        nuisances: the names.
        covariance: shape (k, k), in the units of nu.
        auxiliary: the measured a.

    Raises:
        ValueError: if the covariance has another shape, is not symmetric or not positive definite, or a value is
            missing or not finite.
    """

    nuisances: tuple[str, ...]
    covariance: Float64[np.ndarray, "k k"]
    auxiliary: Float64[np.ndarray, " k"]
    _whitening: Float64[np.ndarray, "k k"]

    def __init__(
        self,
        nuisances: Sequence[str],
        covariance: ArrayLike,
        auxiliary: ArrayLike = 0.0,
    ) -> None:
        names = distinct_names(nuisances)
        matrix = _symmetric(names, covariance, "covariance")
        object.__setattr__(self, "nuisances", names)
        object.__setattr__(self, "covariance", matrix)
        object.__setattr__(self, "auxiliary", values_of(names, auxiliary, "the measured value"))
        object.__setattr__(self, "_whitening", _whitening(names, matrix))

    @classmethod
    def from_correlation(
        cls,
        nuisances: Sequence[str],
        sigma: ArrayLike,
        correlation: ArrayLike,
        auxiliary: ArrayLike = 0.0,
    ) -> CorrelatedGaussian:
        """From standard deviations and the matrix of correlations, whose diagonal is 1.

        Raises:
            ValueError: as the constructor, and if the diagonal is not 1 or a sigma not positive.
        """
        names = distinct_names(nuisances)
        width = positive(names, sigma, "sigma")
        rho = _symmetric(names, correlation, "correlation matrix")
        for name, diagonal in zip(names, np.diag(rho), strict=True):
            if abs(diagonal - 1) > _ROUNDING:
                raise ValueError(
                    f"the correlation of {name} with itself must be 1, not {diagonal:g}; a covariance is given as such"
                )
        return cls(names, rho * np.outer(width, width), auxiliary)

    @property
    def sigma(self) -> Float64[np.ndarray, " k"]:
        """Standard deviations: roots of the covariance's diagonal."""
        return np.sqrt(np.diag(self.covariance))

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """-(a - nu)^T covariance^-1 (a - nu) / 2 - log det(2 pi covariance) / 2."""
        pull = self._whitening @ (self.auxiliary - nu)
        volume = np.log(np.diag(self._whitening)).sum() - len(self.nuisances) / 2 * np.log(2 * np.pi)
        return -jnp.sum(pull**2) / 2 + float(volume)

    def with_auxiliary(self, auxiliary: Float[Array, " k"] | Float64[np.ndarray, " k"]) -> CorrelatedGaussian:
        """With other measured values."""
        return with_measured(self, auxiliary, len(self.nuisances))

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> CorrelatedGaussian:
        """With a drawn around nu_true."""
        z = rng.standard_normal(len(self.nuisances))
        return self.with_auxiliary(np.asarray(nu_true) + solve_triangular(self._whitening, z, lower=True))

    def document(self) -> dict[str, Any]:
        """Kind, names, covariance, and the measured values."""
        return {
            "kind": "correlated gaussian",
            "nuisances": list(self.nuisances),
            "covariance": self.covariance.tolist(),
            "auxiliary": np.asarray(self.auxiliary).tolist(),
        }


def _symmetric(names: tuple[str, ...], given: ArrayLike, what: str) -> Float64[np.ndarray, "k k"]:
    matrix, k = np.asarray(given, dtype=np.float64), len(names)
    if matrix.shape != (k, k):
        raise ValueError(f"the {what} of {', '.join(names)} must have shape ({k}, {k}), not {matrix.shape}")
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"the {what} of {names[i]} and {names[j]} must be a finite number, not {matrix[i, j]}")
    if np.any(np.abs(matrix - matrix.T) > _ROUNDING * np.abs(np.diag(matrix)).max()):
        i, j = np.unravel_index(int(np.abs(matrix - matrix.T).argmax()), matrix.shape)
        raise ValueError(
            f"the {what} is not symmetric: it has {matrix[i, j]:g} for {names[i]} and {names[j]}, and {matrix[j, i]:g}"
            " the other way round"
        )
    return (matrix + matrix.T) / 2


def _whitening(names: tuple[str, ...], covariance: Float64[np.ndarray, "k k"]) -> Float64[np.ndarray, "k k"]:
    """Lower triangular W with W covariance W^T = 1."""
    variance = np.diag(covariance)
    for name, value in zip(names, variance, strict=True):
        if not value > 0:
            raise ValueError(f"the variance of {name} must be positive, not {value:g}")
    # Scaled to correlations first, so that the units of nu do not decide.
    scale = np.sqrt(variance)
    correlation = covariance / np.outer(scale, scale)
    smallest = float(np.linalg.eigvalsh(correlation)[0])
    if not smallest > len(names) * np.finfo(np.float64).eps:
        raise ValueError(
            f"the covariance of {', '.join(names)} is not positive definite: the smallest eigenvalue of its"
            f" correlations is {smallest:.3g}. Correlations must lie between -1 and 1 and fit together; merge nuisances"
            " that are fully correlated into one"
        )
    root = np.linalg.cholesky(correlation)
    return np.asarray(solve_triangular(root, np.diag(1 / scale), lower=True))
