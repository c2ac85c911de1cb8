"""Gaussian latent variables seen with noise: events with weights of other nu, and a joint score unlike that of x.

Each event has latent values z of d features, z ~ Normal(shift 1, e^(2 width) C) with C = latent_scale^2 [(1 - rho) I +
rho 1 1^T], and is seen as x = z + noise, noise ~ Normal(0, noise^2 I). A generator that keeps z can give each event the
weight w(nu) = p(z|nu) / p(z|0) of another nu; with the joint score t = d log p(z|nu) / d nu,

    d1 = E[t | x],    d2 = E[dt/dnu + t^2 | x] - d1^2,

and the second is not E[dt/dnu | x]: with one feature, latent_scale 2 and noise 1, the shift has d1 = x / 5 and
d2 = -1/5, where the mean of dt/dnu is -1/4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.data.sample import Sample
from nplm.nuisance.ratios.separable import SeparableLogRatio
from nplm.nuisance.values import nu_of

NUISANCES = ("shift", "width")
CENTRAL: Mapping[str, float] = {}


@dataclass(frozen=True)
class LatentGaussian:
    """The problem; its nuisances are the shift of z in all features, and the logarithm of its width.

    Arguments:
        dimension: d.
        correlation: rho of the latent values.
        latent_scale: their standard deviation.
        noise: standard deviation of what is added to each.
        expected_yield: number of events expected, whatever nu.

    Raises:
        ValueError: if the covariance is not positive definite, or the noise not positive.
    """

    dimension: int = 1
    correlation: float = 0.0
    latent_scale: float = 2.0
    noise: float = 1.0
    expected_yield: float = 2000.0

    def __post_init__(self) -> None:
        if self.dimension < 1 or not (self._variances > 0).all() or not self.noise > 0:
            raise ValueError(
                "the dimension must be 1 or more, latent_scale and noise positive, and the correlation below 1 and"
                f" above -1 / (dimension - 1); not {self.dimension}, {self.latent_scale:g}, {self.noise:g} and"
                f" {self.correlation:g}"
            )

    @property
    def features(self) -> tuple[str, ...]:
        """x0, x1, ..."""
        return tuple(f"x{i}" for i in range(self.dimension))

    def draw(
        self, rng: np.random.Generator, n: int, nu: Mapping[str, float] = CENTRAL
    ) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n d"]]:
        """x and z of n events at nu."""
        shift, width = nu_of(NUISANCES, nu)
        along, across = np.sqrt(self._variances) * np.exp(width)
        normal = rng.standard_normal((n, self.dimension))
        z = shift + across * normal + (along - across) * normal.mean(axis=1, keepdims=True)
        return z + self.noise * rng.standard_normal(z.shape), z

    def draw_reference(
        self,
        rng: np.random.Generator,
        n_reference: int,
        expected_yield: float | None = None,
        nu: Mapping[str, float] = CENTRAL,
    ) -> Sample:
        """n_reference events at nu, whose weights add up to the expected yield."""
        total = self.expected_yield if expected_yield is None else expected_yield
        return Sample(self.draw(rng, n_reference, nu)[0], np.full(n_reference, total / n_reference), self.features)

    def draw_data(
        self, rng: np.random.Generator, expected_yield: float | None = None, nu: Mapping[str, float] = CENTRAL
    ) -> Sample:
        """Data at the true nu: a Poisson number of events."""
        total = self.expected_yield if expected_yield is None else expected_yield
        return Sample(self.draw(rng, rng.poisson(total), nu)[0], features=self.features, name="data")

    def weight(self, z: Float64[np.ndarray, "n d"], nu: Mapping[str, float]) -> Float64[np.ndarray, " n"]:
        """w(nu) = p(z|nu) / p(z|0) of each event, as a generator writes it to a file."""
        shift, width = nu_of(NUISANCES, nu)
        exponent = self._square(z - shift) * np.exp(-2 * width) - self._square(z)
        return np.exp(-exponent / 2 - self.dimension * width)

    def joint_score(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 2"]:
        """t = d log p(z|nu) / d nu at nu = 0, which is w'(0): 1^T C^-1 z, and z^T C^-1 z - d."""
        return np.column_stack([self._pull(z), self._square(z) - self.dimension])

    def second_derivative(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 2 2"]:
        """w''(0) = dt/dnu + t t^T, with dt/dnu = -1^T C^-1 1 of the shift, -2 z^T C^-1 z of the width, and
        -2 1^T C^-1 z of both."""
        t = self.joint_score(z)
        bent = np.empty((len(z), 2, 2))
        bent[:, 0, 0] = -self.dimension / self._variances[0]
        bent[:, 1, 1] = -2 * self._square(z)
        bent[:, 0, 1] = bent[:, 1, 0] = -2 * self._pull(z)
        return bent + t[:, :, None] * t[:, None, :]

    def exact_ratio(self) -> SeparableLogRatio:
        """The exact log r of x ~ Normal(shift 1, e^(2 width) C + noise^2 I), in the order of NUISANCES.

        It is linear in the component of x along the diagonal, the square of that, and the square of the rest.
        """
        return SeparableLogRatio(NUISANCES, self._coefficients, self._components, "latent Gaussian with noise")

    @cached_property
    def _variances(self) -> Float64[np.ndarray, " 2"]:
        """Of z along the diagonal and across it."""
        rho, variance = self.correlation, self.latent_scale**2
        return variance * np.array([1 + (self.dimension - 1) * rho, 1 - rho if self.dimension > 1 else 1.0])

    def _components(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 3"]:
        """Component along the diagonal, its square, and the square of the rest."""
        average = x.mean(axis=1, keepdims=True)
        along = np.sqrt(self.dimension) * average[:, 0]
        return np.column_stack([along, along**2, ((x - average) ** 2).sum(axis=1)])

    def _square(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """z^T C^-1 z."""
        return self._components(z)[:, 1:] @ (1 / self._variances)

    def _pull(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """1^T C^-1 z."""
        return z.sum(axis=1) / self._variances[0]

    def _coefficients(self, nu: Float[Array, " 2"]) -> Float[Array, " 4"]:
        shift = np.sqrt(self.dimension) * nu[0]
        central = self._variances + self.noise**2
        along, across = self._variances * jnp.exp(2 * nu[1]) + self.noise**2
        log_volume = jnp.log(along / central[0]) + (self.dimension - 1) * jnp.log(across / central[1])
        square = (1 / central[0] - 1 / along) / 2, (1 / central[1] - 1 / across) / 2
        return jnp.stack([-(log_volume + shift**2 / along) / 2, shift / along, *square])


LATENT_1D = LatentGaussian()
LATENT_5D = LatentGaussian(dimension=5, correlation=0.5)
