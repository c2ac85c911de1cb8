"""A part of the family: modes of some features at one scale, and the tests that they make with several penalties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.linalg import eigh

from nplm._util.blas import blas_threads
from nplm.family.views import BLOCK, Grid, Look, Products, blocks
from nplm.two_sample.pooled_events import PooledEvents

# Modes with a variance below this share of the smallest penalty add nothing that could be seen in t.
SEEN = 0.05
# Modes whose score has a larger excess kurtosis than this live on a handful of events: no normal distribution holds for
# them.
LARGEST_KURTOSIS = 0.25


@dataclass(frozen=True, eq=False)
class Member:
    """One test of a part.

    Arguments:
        kind: its class, which shares the family's look-elsewhere effect with the other classes evenly.
        features: numbers of the features that it looks at.
        scale: width of its kernels in normal scores; None for products.
        penalty: lambda; None for products.
        shrinkage: c of each mode of its part, shape (r,): t = sum_i c_i y_i^2.
        residual: whether its products are of what is left of each feature when all others are known.
        subset: the events that it looks at, in words; empty if they are all.
    """

    kind: str
    features: tuple[int, ...]
    scale: float | None
    penalty: float | None
    shrinkage: Float64[np.ndarray, " r"]
    residual: bool = False
    subset: str = ""

    @property
    def used(self) -> Bool[np.ndarray, " r"]:
        """Modes that it looks at."""
        return self.shrinkage > 1e-12


@dataclass(frozen=True, eq=False)
class Part:
    """Modes phi with sum_e s_e phi phi^T = 1, where s_e is the null variance that an event adds, and their tests.

    Arguments:
        cell: row of `phi` for each event, shape (n,); None if each event has a row of its own.
        phi: shape (rows, r); None if it is made of `points` as it is needed: too many for the memory.
        variance: eigenvalue mu_i of the kernel's covariance in each mode, shape (r,); ones for products.
        members: the tests.
        look: functions psi of any event.
        linear, mean: phi = (psi - mean) linear, shapes (q, r) and (q,); None where psi is one in the row of the event.
        points: normal scores of the events, or the events as they are, shape (n, d); None where phi is held.
        inside: rows in the pool of the events that it is made of, phi being zero at others; None if they are all.
        few: whether these are so few that their scores are not taken as normal beyond what is counted.
    """

    cell: Int[np.ndarray, " n"] | None
    phi: Float64[np.ndarray, "rows r"] | None
    variance: Float64[np.ndarray, " r"]
    members: tuple[Member, ...]
    look: Look | None = None
    linear: Float64[np.ndarray, "q r"] | None = None
    mean: Float64[np.ndarray, " q"] | None = None
    points: Float64[np.ndarray, "n d"] | PooledEvents | None = None
    inside: Int[np.ndarray, " n"] | None = None
    few: bool = False

    @property
    def modes(self) -> int:
        """Number of modes, r."""
        return len(self.variance)

    @property
    def rows(self) -> int:
        """Number of rows of phi."""
        if self.phi is not None:
            return len(self.phi)
        assert self.points is not None
        return len(self.points)

    @property
    def blocks(self) -> list[slice]:
        """All rows, in blocks that fit into memory."""
        return [slice(0, self.rows)] if self.phi is not None else blocks(self.rows)

    def phi_of(self, rows: slice | Int[np.ndarray, " k"]) -> Float64[np.ndarray, "k r"]:
        """Rows of phi."""
        if self.phi is not None:
            return self.phi[rows]
        assert self.points is not None
        return self.at(self.points[rows])

    def phi_in_pool(self, rows: Int[np.ndarray, " k"]) -> Float64[np.ndarray, "k r"]:
        """phi of events of the pool."""
        if self.inside is None:
            return self.phi_of(rows if self.cell is None else self.cell[rows])
        place = np.minimum(np.searchsorted(self.inside, rows), len(self.inside) - 1)
        held = self.inside[place] == rows
        own = place[held]
        phi = np.zeros((len(rows), self.modes))
        phi[held] = self.phi_of(own if self.cell is None else self.cell[own])
        return phi

    def summed(self, values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " rows"]:
        """Sums of values of the events over the rows."""
        return values if self.cell is None else np.bincount(self.cell, values, self.rows)

    def score(self, sums: Float64[np.ndarray, " q"], mass: float) -> Float64[np.ndarray, " r"]:
        """sum_e m phi of events for which sum_e m psi and sum_e m are these."""
        if self.linear is None or self.mean is None:
            return sums @ self.phi_of(slice(None))
        return (sums - mass * self.mean) @ self.linear

    def at(self, z: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "m r"]:
        """phi of other events, with these normal scores."""
        assert self.look is not None
        if self.linear is None or self.mean is None:
            return self.look.times(z, self.phi_of(slice(None)))
        return self.look.times(z, self.linear) - self.mean @ self.linear

    @property
    def filters(self) -> Float64[np.ndarray, "r k"]:
        """The shrinkage of each member in its column."""
        return np.column_stack([member.shrinkage for member in self.members])


@dataclass(frozen=True, eq=False)
class Moments:
    """What a row of a part weighs in sums over its events.

    Arguments:
        mass, second, fourth: sums of the masses and of the moments of `Spread`, shape (rows,).
    """

    mass: Float64[np.ndarray, " rows"]
    second: Float64[np.ndarray, " rows"]
    fourth: Float64[np.ndarray, " rows"]

    @classmethod
    def of(cls, columns: Sequence[np.ndarray], cell: Int[np.ndarray, " n"] | None, rows: int) -> Moments:
        """Mass, second and fourth moments of events, summed over cells if there are any."""
        return cls(*(c if cell is None else np.bincount(cell, c, rows) for c in columns))

    def mean(self, psi: Float64[np.ndarray, "rows q"]) -> Float64[np.ndarray, " q"]:
        """Means of functions over the pool."""
        return np.asarray(self.mass @ psi / self.mass.sum())


@blas_threads()
def kernel_part(
    kind: str,
    features: tuple[int, ...],
    scale: float,
    penalties: Sequence[float],
    psi: Float64[np.ndarray, "rows q"],
    cell: Int[np.ndarray, " n"] | None,
    moments: Moments,
    look: Look,
) -> Part | None:
    """The part of a kernel whose features are psi: f = b . psi has ||f||^2 = |b|^2.

    The modes are those of sum_e s psi psi^T / sum_e s = V diag(mu) V^T. With the penalty lambda, in units of the sum of
    s, a mode is kept in f as 1 / (1 + p) with p = lambda / mu, and t = sum_i c_i y_i^2 with c = 1 - (p / (1 + p))^2.

    Returns:
        None if no mode is left: too few events, or values, for this scale.
    """
    mean = moments.mean(psi)
    psi = psi - mean
    total = moments.second.sum()
    mu, vectors = eigh((psi * moments.second[:, None]).T @ psi / total)
    kept = mu > SEEN * min(penalties)
    if not kept.any():
        return None
    mu, vectors = mu[kept][::-1], vectors[:, kept][:, ::-1]
    linear = vectors / np.sqrt(mu * total)
    phi = psi @ linear
    smooth = moments.fourth @ np.square(phi**2) < LARGEST_KURTOSIS
    if not smooth.any():
        return None
    mu, phi = mu[smooth], np.ascontiguousarray(phi[:, smooth])
    members = tuple(
        Member(kind, features, scale, penalty, shrinkage(mu, penalty)) for penalty in sorted(penalties)[::-1]
    )
    if isinstance(look, Grid):
        return Part(cell, phi, mu, members, look)
    return Part(cell, phi, mu, members, look, linear[:, smooth], mean)


def product_part(
    kind: str,
    look: Products,
    z: Float64[np.ndarray, "n d"] | PooledEvents,
    moments: Moments,
    *,
    residual: bool = False,
) -> Part | None:
    """The part of one function a test: a product of features.

    Returns:
        None if no function varies on more than a handful of events.
    """
    mean = np.zeros(len(look.subsets))
    for rows in blocks(len(z)):
        mean += moments.mass[rows] @ look(z[rows])
    mean /= moments.mass.sum()
    norm, fourth = np.zeros(len(mean)), np.zeros(len(mean))
    for rows in blocks(len(z)):
        squares = np.square(look(z[rows]) - mean)
        norm += moments.second[rows] @ squares
        fourth += moments.fourth[rows] @ np.square(squares)
    varies = norm > 1e-12 * moments.second.sum()
    kept = np.flatnonzero(varies & (fourth < LARGEST_KURTOSIS * np.square(norm)))
    chosen = [look.subsets[i] for i in kept]
    if not chosen:
        return None
    units = np.eye(len(chosen))
    linear = np.zeros((len(norm), len(kept)))
    linear[kept, np.arange(len(kept))] = 1 / np.sqrt(norm[kept])
    members = tuple(Member(kind, subset, None, None, units[i], residual) for i, subset in enumerate(chosen))
    part = Part(None, None, np.ones(len(chosen)), members, look, linear, mean, z)
    return part if len(z) > BLOCK else replace(part, phi=part.phi_of(slice(None)), points=None)


def shrinkage(mu: Float64[np.ndarray, " r"], penalty: float) -> Float64[np.ndarray, " r"]:
    """c = 1 - (p / (1 + p))^2 with p = penalty / mu."""
    return (1 + 2 * penalty / mu) / (1 + penalty / mu) ** 2


def kernel_root(points: Float64[np.ndarray, "c k"], scale: float, least: float) -> Float64[np.ndarray, "c q"]:
    """psi with psi psi^T = exp(-|x - y|^2 / (2 scale^2)) at points, without parts below `least` on average."""
    square = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    values, vectors = eigh(np.exp(-square / (2 * scale**2)))
    kept = values > least * len(points)
    return vectors[:, kept] * np.sqrt(values[kept])


def rows_of(parts: Sequence[Part]) -> Iterator[tuple[Part, slice]]:
    """Each part with its columns in the scores of all parts side by side."""
    start = 0
    for part in parts:
        stop = start + part.modes
        yield part, slice(start, stop)
        start = stop
