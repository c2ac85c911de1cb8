"""Correlated Gaussians in d dimensions: unit variances, and one correlation between each two features.

The features look alike one by one, so that a change of the correlation is invisible in all one-dimensional
distributions. Signals: a compact cluster, and events that are more strongly correlated. The two-sample alternative
rho -> rho2 is another instance: draw from it, and compare with `log_ratio_to` and `ideal_z_to`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from toys.additive import AdditiveProblem, Signal


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian with the same mean mu and standard deviation sigma in each of d features, correlated with rho.

    Its covariance is sigma^2 [(1 - rho) I + rho 1 1^T], with the eigenvalue sigma^2 [1 + (d - 1) rho] along the
    diagonal u = (1, ..., 1) / sqrt(d), and sigma^2 (1 - rho) across.

    Arguments:
        dimension: d.
        mean: mu.
        scale: sigma.
        correlation: rho, above -1 / (d - 1) and below 1.

    Raises:
        ValueError: if the covariance is not positive definite.
    """

    dimension: int
    mean: float = 0.0
    scale: float = 1.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        along, across = self._variances
        if self.dimension < 1 or not (along > 0 and across > 0):
            raise ValueError(
                f"the dimension must be 1 or more, the scale not 0, and the correlation below 1 and above"
                f" -1 / (dimension - 1); not {self.dimension}, {self.scale:g} and {self.correlation:g}"
            )

    @property
    def _variances(self) -> tuple[float, float]:
        """Along the diagonal and across it."""
        variance, rho = self.scale**2, self.correlation
        return variance * (1 + (self.dimension - 1) * rho), variance * (1 - rho)

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n d"]:
        """n events: independent unit Gaussians, stretched along and across the diagonal."""
        along, across = np.sqrt(self._variances)
        z = rng.standard_normal((n, self.dimension))
        return self.mean + across * z + (along - across) * z.mean(axis=1, keepdims=True)

    def log_density(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Logarithm of the probability density."""
        along, across = self._variances
        centred = events - self.mean
        average = centred.mean(axis=1, keepdims=True)
        # Not |x|^2 minus the part along the diagonal, which loses digits if the events lie close to it.
        square = self.dimension * average[:, 0] ** 2 / along + ((centred - average) ** 2).sum(axis=1) / across
        log_determinant = np.log(along) + (self.dimension - 1) * np.log(across)
        return -0.5 * (square + log_determinant + self.dimension * np.log(2 * np.pi))


@dataclass(frozen=True)
class CorrelatedGaussians(AdditiveProblem):
    """A Gaussian reference of mean 0, variance 1 and correlation rho in each two of d features.

    Signals, with the yields as shares of the expected yield (the more features, the easier they are to see):
        cluster: 4% / sqrt(d), N(1.5, 0.4^2) in each feature, uncorrelated.
        correlated: 20% / sqrt(d), like the reference but with the correlation (1 + rho) / 2.

    Arguments:
        dimension: d.
        correlation: rho.
        expected_yield: N(B).
    """

    dimension: int = 5
    correlation: float = 0.5
    expected_yield: float = 2000.0
    SIGNALS: Mapping[str, Signal] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cluster = Gaussian(self.dimension, mean=1.5, scale=0.4)
        correlated = Gaussian(self.dimension, correlation=(1 + self.correlation) / 2)
        unit = self.expected_yield / np.sqrt(self.dimension)
        signals = (
            Signal("cluster", 0.04 * unit, cluster),
            Signal("correlated", 0.2 * unit, correlated),
        )
        object.__setattr__(self, "SIGNALS", {signal.name: signal for signal in signals})

    @property
    def features(self) -> tuple[str, ...]:
        """x0, x1, ..."""
        return tuple(f"x{i}" for i in range(self.dimension))

    @property
    def distribution(self) -> Gaussian:
        """The distribution of the reference."""
        return Gaussian(self.dimension, correlation=self.correlation)

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n d"]:
        """n events of the reference."""
        return self.distribution.sample(rng, n)

    def log_density(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Logarithm of the probability density of the reference."""
        return self.distribution.log_density(events)


GAUSSIANS_2D = CorrelatedGaussians(dimension=2)
GAUSSIANS_5D = CorrelatedGaussians(dimension=5)
GAUSSIANS_10D = CorrelatedGaussians(dimension=10)
# The two-sample alternative of GAUSSIANS_5D.
GAUSSIANS_5D_ALTERNATIVE = CorrelatedGaussians(dimension=5, correlation=0.6)
