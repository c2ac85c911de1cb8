"""Mixtures of isotropic Gaussians in 2 to 30 dimensions: several separate clusters of events.

`four_corners` is the benchmark of MMD-FUSE (arXiv:2306.08777): four Gaussians of standard deviation 1 at (+-20, +-20),
tested against the same with one standard deviation changed. All distances between clusters stay as they are, so that a
method with one length scale, which the distances between the clusters fix, misses the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

from toys.additive import AdditiveProblem, Signal


@dataclass(frozen=True)
class Mixture:
    """Equal shares of k isotropic Gaussians, (1 / k) sum_j N(mean_j, scale_j^2 I).

    Arguments:
        means: k points of d coordinates each.
        scales: k standard deviations.

    Raises:
        ValueError: if there is no component, their means have different dimensions, or a scale is missing or not
            positive.
    """

    means: tuple[tuple[float, ...], ...]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.means or len({len(mean) for mean in self.means}) != 1 or not self.means[0]:
            raise ValueError("a mixture needs one or more means, all with the same number of coordinates")
        if len(self.scales) != len(self.means) or not all(scale > 0 for scale in self.scales):
            raise ValueError(f"a mixture needs one positive scale for each of its {len(self.means)} means")

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.means[0])

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n d"]:
        """n events, each of a component chosen at random."""
        component = rng.integers(len(self.means), size=n)
        z = rng.standard_normal((n, self.dimension))
        return np.array(self.means)[component] + np.array(self.scales)[component, None] * z

    def log_density(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Logarithm of the probability density."""
        components = [
            -0.5 * ((events - np.array(mean)) ** 2).sum(axis=1) / scale**2 - self.dimension * np.log(scale)
            for mean, scale in zip(self.means, self.scales, strict=True)
        ]
        normalization = np.log(len(self.means)) + 0.5 * self.dimension * np.log(2 * np.pi)
        return np.asarray(logsumexp(components, axis=0) - normalization, dtype=np.float64)


@dataclass(frozen=True)
class GaussianMixture(AdditiveProblem):
    """A reference that is a mixture of Gaussians.

    Signals, with the yields as shares of the expected yield:
        wider: 7% / sqrt(d), the last component with 1.3 times its standard deviation. (The more features, the easier
            it is to see.)
        shifted: 2.5%, the last component moved by 1.5 of its standard deviations along the first feature.

    Arguments:
        means: k points of d coordinates each.
        scales: k standard deviations.
        expected_yield: N(B).
    """

    means: tuple[tuple[float, ...], ...]
    scales: tuple[float, ...]
    expected_yield: float = 2000.0
    SIGNALS: Mapping[str, Signal] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        mean, scale = self.distribution.means[-1], self.scales[-1]
        moved = (mean[0] + 1.5 * scale, *mean[1:])
        signals = (
            Signal("wider", 0.07 / np.sqrt(len(mean)) * self.expected_yield, Mixture((mean,), (1.3 * scale,))),
            Signal("shifted", 0.025 * self.expected_yield, Mixture((moved,), (scale,))),
        )
        object.__setattr__(self, "SIGNALS", {signal.name: signal for signal in signals})

    @property
    def features(self) -> tuple[str, ...]:
        """x0, x1, ..."""
        return tuple(f"x{i}" for i in range(self.distribution.dimension))

    @property
    def distribution(self) -> Mixture:
        """The distribution of the reference."""
        return Mixture(self.means, self.scales)

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n d"]:
        """n events of the reference."""
        return self.distribution.sample(rng, n)

    def log_density(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Logarithm of the probability density of the reference."""
        return self.distribution.log_density(events)


def four_corners(
    last_scale: float = 1.0, dimension: int = 2, distance: float = 20.0, expected_yield: float = 2000.0
) -> GaussianMixture:
    """The mixture of MMD-FUSE: (+-distance, +-distance) in the first two features, 0 in the others.

    Arguments:
        last_scale: standard deviation of the component at (-distance, -distance); that of the others is 1.
        dimension: d, at least 2.
        distance: of the means from the axes.
        expected_yield: N(B); the paper takes samples of 500 to 3000 events.
    """
    corners = [(distance, distance), (-distance, distance), (distance, -distance), (-distance, -distance)]
    means = tuple(corner + (0.0,) * (dimension - 2) for corner in corners)
    return GaussianMixture(means, (1.0, 1.0, 1.0, last_scale), expected_yield)


def scattered(
    rng: np.random.Generator,
    dimension: int,
    scales: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5),
    spread: float = 3.0,
    expected_yield: float = 2000.0,
) -> GaussianMixture:
    """A mixture whose means are scattered at random.

    Arguments:
        rng: where the means come from.
        dimension: d.
        scales: standard deviations of the components.
        spread: the root mean square distance of the means from the origin, whatever the dimension.
        expected_yield: N(B).
    """
    means = spread / np.sqrt(dimension) * rng.standard_normal((len(scales), dimension))
    return GaussianMixture(tuple(tuple(mean) for mean in means.tolist()), tuple(scales), expected_yield)


MIXTURE_2D = four_corners()
# The two-sample alternative of MIXTURE_2D: one standard deviation is 1.3 (arXiv:2306.08777).
MIXTURE_2D_ALTERNATIVE = four_corners(last_scale=1.3)
MIXTURE_10D = scattered(np.random.default_rng(10), dimension=10)
MIXTURE_30D = scattered(np.random.default_rng(30), dimension=30)
