"""An effective theory with interference, seen by a detector with resolution: |SM + c_even A + c_odd B|^2.

Each event has latent values: an energy z above threshold, exponential in the Standard Model, an azimuth phi, uniform,
and, with three features, a rapidity y, which is standard normal; with two, y stands for 1. The amplitudes of two
operators, relative to that of the Standard Model, grow with the energy,

    a_even = g z (u y + v e^(i phi)),   a_odd = i g z v e^(i phi),
    w(theta) / w(0) = |1 + c_even a_even + c_odd a_odd|^2,

so that both interfere: c_odd in the azimuth only, and c_even in the yield too where y is 1. What is seen is
m = z + noise, phi + noise on the circle, and y + noise. Given these, z is a normal variable cut at 0, phi a wrapped
normal one and y a normal one, so that the density at any theta, its score and its yield are known in closed form; what
an event weighs depends on more than what is seen of it, as in a simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import log_ndtr
from scipy.stats import norm

from nplm.data.sample import Sample
from nplm.nuisance.ratios.monomials import monomials, powers_of
from nplm.nuisance.ratios.polynomial import PolynomialLogRatio
from nplm.nuisance.values import nu_of

PARAMETERS = ("c_even", "c_odd")
STANDARD_MODEL: Mapping[str, float] = {}
# c_even, c_odd, c_even^2, c_even c_odd, c_odd^2.
MONOMIALS = monomials(2, 2)[1:]
# Energies beyond this many units have a probability of 1e-26, and points of the quadrature along each feature.
_LARGEST, _ENERGIES, _ANGLES, _RAPIDITIES = 60.0, 400, 64, 40


@dataclass(frozen=True)
class Interference:
    """The problem.

    Arguments:
        dimension: number of features, 2 (m, phi) or 3 (m, phi, y).
        growth: g, by which amplitudes of the operators grow with energy.
        direct, azimuthal: u and v.
        resolution: standard deviation of the noise of m.
        angle_resolution: of that of phi, before it is wrapped.
        rapidity_resolution: of that of y.
        expected_yield: number of events expected in the Standard Model.

    Raises:
        ValueError: if the dimension is neither 2 nor 3, or a resolution or the yield is not positive.
    """

    dimension: int = 2
    growth: float = 0.3
    direct: float = 0.3
    azimuthal: float = 0.5
    resolution: float = 0.3
    angle_resolution: float = 0.5
    rapidity_resolution: float = 0.5
    expected_yield: float = 1000.0

    def __post_init__(self) -> None:
        if self.dimension not in (2, 3):
            raise ValueError(f"the problem has 2 features or 3, not {self.dimension}")
        sizes = (self.resolution, self.angle_resolution, self.rapidity_resolution, self.expected_yield)
        if not all(np.isfinite(size) and size > 0 for size in sizes):
            raise ValueError(f"resolutions and the expected yield must be positive numbers, not {sizes}")

    @property
    def features(self) -> tuple[str, ...]:
        """m, phi, and y if there are three."""
        return ("m", "phi", "y")[: self.dimension]

    def draw(
        self, rng: np.random.Generator, n: int, theta: Mapping[str, float] = STANDARD_MODEL
    ) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n d"]]:
        """n unweighted events at theta: what is seen of them, and their latent values.

        w(theta) / w(0) is at most 2 + 4 g^2 z^2 [c_even^2 u^2 y^2 + (c_even^2 + c_odd^2) v^2], whose three terms can be
        drawn from; events are accepted with the ratio of both.
        """
        even, odd = nu_of(PARAMETERS, theta)
        of_y, of_angle = (
            (even * self.growth * self.direct) ** 2,
            (even**2 + odd**2) * (self.growth * self.azimuthal) ** 2,
        )
        # With z^2 exp(-z) = 2 Gamma(3).
        share = np.cumsum([2.0, 8 * of_y, 8 * of_angle])
        found = np.empty((0, self.dimension))
        while len(found) < n:
            count = 2 * (n - len(found)) + 100
            term = np.searchsorted(share / share[-1], rng.random(count), side="right")
            z = rng.gamma(np.where(term == 0, 1.0, 3.0))
            angle = rng.uniform(-np.pi, np.pi, count)
            y = rng.standard_normal(count)
            # y^2 times a normal density is that of a chi variable with three degrees of freedom, of either sign.
            y = np.where(term == 1, np.sqrt(rng.chisquare(3, count)) * np.sign(y), y)
            latent = np.column_stack([z, angle, y][: self.dimension])
            y2 = latent[:, 2] ** 2 if self.dimension == 3 else 1.0
            most = 2 + 4 * z**2 * (of_y * y2 + of_angle)
            kept = rng.random(count) * most < self.weight(latent, theta)
            found = np.concatenate([found, latent[kept]])
        latent = found[:n]
        return self._seen(rng, latent), latent

    def _seen(self, rng: np.random.Generator, latent: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
        sizes = (self.resolution, self.angle_resolution, self.rapidity_resolution)[: self.dimension]
        x = latent + np.array(sizes) * rng.standard_normal(latent.shape)
        x[:, 1] = np.mod(x[:, 1] + np.pi, 2 * np.pi) - np.pi
        return x

    def draw_reference(
        self, rng: np.random.Generator, n_reference: int, theta: Mapping[str, float] = STANDARD_MODEL
    ) -> Sample:
        """n_reference events at theta, whose weights add up to the yield there."""
        weight = self.expected_at(theta) / n_reference
        events, _ = self.draw(rng, n_reference, theta)
        return Sample(events, np.full(n_reference, weight), self.features, "reference")

    def draw_weighted(
        self, rng: np.random.Generator, n_reference: int, points: Sequence[Mapping[str, float]]
    ) -> tuple[Sample, Float64[np.ndarray, "n m"]]:
        """Events of the Standard Model, and the weight of each at basis points, as a generator writes them."""
        events, latent = self.draw(rng, n_reference)
        w = np.full(n_reference, self.expected_yield / n_reference)
        weights = np.column_stack([w * self.weight(latent, point) for point in points])
        return Sample(events, w, self.features, "reference"), weights

    def draw_data(self, rng: np.random.Generator, theta: Mapping[str, float] = STANDARD_MODEL) -> Sample:
        """Data at the true theta: a Poisson number of events."""
        events, _ = self.draw(rng, rng.poisson(self.expected_at(theta)), theta)
        return Sample(events, features=self.features, name="data")

    def weight(self, latent: Float64[np.ndarray, "n d"], theta: Mapping[str, float]) -> Float64[np.ndarray, " n"]:
        """The joint ratio r(x, z; theta) = w(theta) / w(0) of each event, yield included."""
        even, odd = nu_of(PARAMETERS, theta)
        z, turn = latent[:, 0], np.exp(1j * latent[:, 1])
        y = latent[:, 2] if self.dimension == 3 else 1.0
        amplitude = 1 + self.growth * z * (even * self.direct * y + self.azimuthal * turn * (even + 1j * odd))
        return np.abs(amplitude) ** 2

    def joint_score(self, latent: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 2"]:
        """d log r(x, z; theta) / d theta at theta = 0, twice the real parts of the amplitudes."""
        z, angle = latent[:, 0], latent[:, 1]
        y = latent[:, 2] if self.dimension == 3 else 1.0
        even = self.direct * y + self.azimuthal * np.cos(angle)
        return 2 * self.growth * z[:, None] * np.column_stack([even, -self.azimuthal * np.sin(angle)])

    def polynomial(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 5"]:
        """The exact R of r(x; theta) = 1 + sum_a R_a(x) theta^a, in the order of MONOMIALS.

        They are means given x of what multiplies theta^a in |1 + c_even a_even + c_odd a_odd|^2.
        """
        one, two = self._energy(x[:, 0])
        damped = np.exp(-(self.angle_resolution**2) / 2)
        cosine, sine = damped * np.cos(x[:, 1]), damped * np.sin(x[:, 1])
        y1, y2 = self._rapidity(x)
        g, u, v = self.growth, self.direct, self.azimuthal
        return np.column_stack(
            [
                2 * g * one * (u * y1 + v * cosine),
                -2 * g * one * v * sine,
                g**2 * two * (u**2 * y2 + v**2 + 2 * u * v * y1 * cosine),
                -2 * g**2 * two * u * v * y1 * sine,
                g**2 * two * v**2 + 0 * y1,
            ]
        )

    def log_ratio(self, x: Float64[np.ndarray, "n d"], theta: Mapping[str, float]) -> Float64[np.ndarray, " n"]:
        """log r(x; theta), exact, yield included."""
        return np.log1p(self.polynomial(x) @ powers_of(nu_of(PARAMETERS, theta), MONOMIALS))

    def score(
        self, x: Float64[np.ndarray, "n d"], theta: Mapping[str, float] = STANDARD_MODEL
    ) -> Float64[np.ndarray, "n 2"]:
        """d log r(x; theta) / d theta, exact."""
        even, odd = nu_of(PARAMETERS, theta)
        r = self.polynomial(x)
        slopes = np.column_stack(
            [r[:, 0] + 2 * even * r[:, 2] + odd * r[:, 3], r[:, 1] + even * r[:, 3] + 2 * odd * r[:, 4]]
        )
        return slopes / np.exp(self.log_ratio(x, theta))[:, None]

    def log_density(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Logarithm of the probability density of x in the Standard Model."""
        s = self.resolution
        m = x[:, 0] - s**2
        found = s**2 / 2 - x[:, 0] + log_ndtr(m / s) - np.log(2 * np.pi)
        if self.dimension == 3:
            found = found + norm.logpdf(x[:, 2], scale=np.hypot(1.0, self.rapidity_resolution))
        return found

    def expected_at(self, theta: Mapping[str, float]) -> float:
        """N(theta), the exact yield: <z> = 1, <z^2> = 2, and <y> = 0 if y is a feature."""
        even, odd = nu_of(PARAMETERS, theta)
        g, u, v = self.growth, self.direct, self.azimuthal
        linear = 2 * g * u * even if self.dimension == 2 else 0.0
        return self.expected_yield * (1 + linear + 2 * g**2 * (even**2 * (u**2 + v**2) + odd**2 * v**2))

    def information(self, theta: Mapping[str, float] = STANDARD_MODEL) -> Float64[np.ndarray, "2 2"]:
        """The exact Fisher information on (c_even, c_odd): the integral of n(x; theta) s s^T."""
        x, expected = self.cells(theta)
        s = self.score(x, theta)
        return np.asarray(s.T @ (expected[:, None] * s))

    def cells(
        self, theta: Mapping[str, float] = STANDARD_MODEL
    ) -> tuple[Float64[np.ndarray, "cells d"], Float64[np.ndarray, " cells"]]:
        """Points of a quadrature in x, and what is expected in each at theta: sums over them are integrals.

        The rule of Gauss and Legendre in m, in pieces; equal steps in phi; that of Gauss and Hermite in y.
        """
        nodes, gauss = np.polynomial.legendre.leggauss(40)
        ends = np.concatenate([[-8 * self.resolution], np.geomspace(1, _LARGEST, 10)])
        half = np.diff(ends) / 2
        m = (ends[:-1] + half)[:, None] + half[:, None] * nodes
        axes = [m.ravel(), -np.pi + 2 * np.pi * np.arange(_ANGLES) / _ANGLES]
        sizes = [(half[:, None] * gauss).ravel(), np.full(_ANGLES, 2 * np.pi / _ANGLES)]
        if self.dimension == 3:
            y, hermite = np.polynomial.hermite_e.hermegauss(_RAPIDITIES)
            width = np.hypot(1.0, self.rapidity_resolution)
            axes.append(width * y)
            sizes.append(width * hermite * np.exp(y**2 / 2))
        x = np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1)
        size = np.prod([grid.ravel() for grid in np.meshgrid(*sizes, indexing="ij")], axis=0)
        return x, self.expected_yield * size * np.exp(self.log_density(x) + self.log_ratio(x, theta))

    def exact_ratio(self, reach: Mapping[str, float], order: int = 16) -> PolynomialLogRatio:
        """The exact log r(x; theta) as a log-ratio of the parameters that `reach` names, all others being 0.

        Arguments:
            reach: the largest |theta| of each parameter.
            order: of its expansion in theta.

        Raises:
            ValueError: for an unknown parameter.
        """
        nu_of(PARAMETERS, reach)
        is_used = np.array([name in reach for name in PARAMETERS])
        used = np.flatnonzero(is_used)
        kept = np.flatnonzero((MONOMIALS[:, ~is_used] == 0).all(axis=1))
        return PolynomialLogRatio(
            tuple(PARAMETERS[i] for i in used),
            MONOMIALS[np.ix_(kept, used)],
            lambda events: self.polynomial(events)[:, kept],
            [reach[PARAMETERS[i]] for i in used],
            order=order,
            description="interference behind a detector, exact",
        )

    def _energy(self, m: Float64[np.ndarray, " n"]) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """E[z | m] and E[z^2 | m]: z is normal around m - s^2, cut at 0."""
        s = self.resolution
        mean = m - s**2
        hazard = np.exp(norm.logpdf(mean / s) - log_ndtr(mean / s))
        one = mean + s * hazard
        return one, mean * one + s**2

    def _rapidity(self, x: Float64[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """E[y | x] and E[y^2 | x]; 1 if y is no feature."""
        if self.dimension == 2:
            return np.ones(len(x)), np.ones(len(x))
        noise = self.rapidity_resolution**2
        mean = x[:, 2] / (1 + noise)
        return mean, mean**2 + noise / (1 + noise)
