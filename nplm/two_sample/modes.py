"""Modes of the pooled sample: directions of f in which two samples can differ, and how strongly each is penalized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh
from scipy.spatial.distance import pdist

from nplm.models.kernel.centers import choose_centers
from nplm.models.kernel.modes import DROPPED_SHARE, MODE_CUT, RANK_CUT, Modes
from nplm.two_sample.pooled import Pool

# Quantiles of the distances between events, and factors, that give the widths: from a structure that a twentieth of all
# pairs of events share to a kernel so wide that its modes are polynomials of low order.
WIDTHS: tuple[tuple[float, float], ...] = ((0.05, 1.0), (0.2, 1.0), (0.5, 1.0), (0.9, 2.0))
PENALTIES: tuple[float, ...] = (1e-2, 1e-3, 1e-4)
_PAIRED = 1000
_CENTERS, _FEWEST_CENTERS, _MOST_CENTERS = 2.0, 200, 1000
# Widths closer than this factor are one.
_DISTINCT = 1.05
# Features of the pooled events are kept up to so many bytes, and computed anew in blocks beyond.
_KEPT, _ROWS = 1 << 30, 1 << 15
_STREAM = 0x6D6F646573


class Rows(Protocol):
    """Standardized events that are read at some rows."""

    def __getitem__(self, key: Any) -> np.ndarray: ...


class MassiveEvents(Protocol):
    """What modes are made of: the pool of two samples, or one sample whose modes they are.

    Arguments:
        rows: the events, read at some rows.
        events: all of them.
        masses: of the events, which add up to their effective number, `total`.
    """

    @property
    def rows(self) -> Rows: ...
    @property
    def events(self) -> Float64[np.ndarray, "n d"]: ...
    @property
    def masses(self) -> Float64[np.ndarray, " n"]: ...
    @property
    def total(self) -> float: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class CenteredModes:
    """The modes of a kernel once the mean over the pool is taken out: what differs in shape, whatever the constant.

    phi has sum m phi = 0 and sum m^2 phi phi^T = N 1 over the pool, and f = b . phi has ||f||^2 = sum_i b_i^2 / mu_i
    with mu_i the eigenvalues of the kernel's covariance in the pool. The squares m^2, which are m where weights are
    equal, are what scores fluctuate by. They add up to N as the masses do, and do not cancel as negative weights do.

    Arguments:
        modes: those that are not centred.
        mean: of their phi, shape (q,).
        rotation: to the centred ones, shape (q, r).
        eigenvalues: mu_i, decreasing, shape (r,).
    """

    modes: Modes
    mean: Float64[np.ndarray, " q"]
    rotation: Float64[np.ndarray, "q r"]
    eigenvalues: Float64[np.ndarray, " r"]

    @classmethod
    def of(
        cls,
        pool: MassiveEvents,
        centers: Float64[np.ndarray, "m d"],
        width: float,
        penalty: float,
        rank_cut: float = RANK_CUT,
    ) -> CenteredModes:
        """The modes in which the pool says more than `penalty` does.

        Raises:
            ValueError: if there is none.
        """
        squares = pool.masses**2
        size = float(squares.sum())
        events = pool.events
        modes = Modes.of(events, squares, centers, width, penalty * size, rank_cut)
        phi = modes(events)
        mean, mean_square = pool.masses @ phi / pool.total, squares @ phi / size
        rooted = np.sqrt(modes.penalty)
        # About the mean: f = b . phi has the information b I b and the penalty b diag(p) b, with sum m^2 phi phi^T = 1.
        apart = mean - mean_square
        information = np.eye(modes.count) + size * (np.outer(apart, apart) - np.outer(mean_square, mean_square))
        ratio, vectors = eigh(information / np.outer(rooted, rooted))
        kept = ratio > max(MODE_CUT, 1e-12 * ratio[-1])
        if not kept.any():
            raise ValueError(
                f"kernels of width {width:g} have one value at all events, so that they tell no samples apart: take"
                " another width"
            )
        ratio, vectors = ratio[kept][::-1], vectors[:, kept][:, ::-1]
        seen = _shrinkage(1 / ratio) > 0
        ratio, vectors = ratio[seen], vectors[:, seen]
        rotation = np.sqrt(size) * vectors / rooted[:, None] / np.sqrt(ratio)
        return cls(modes, mean, rotation, penalty * ratio)

    @property
    def width(self) -> float:
        """Width of the kernels, in standardized features."""
        return self.modes.width

    @property
    def count(self) -> int:
        """Number of modes, r."""
        return len(self.eigenvalues)

    def __call__(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n r"]:
        """phi at standardized events."""
        return (self.modes(events) - self.mean) @ self.rotation


@dataclass(frozen=True, eq=False)
class KernelTest:
    """One test: the modes of one width, with one penalty.

    Arguments:
        width, penalty: of its kernels.
        columns: which features of the basis are its modes.
        ratios: p_i = penalty / mu_i, shape (r,).
        shrinkage: c_i = 1 - (p_i / (1 + p_i))^2, zero for modes that are too weak to be seen in t, shape (r,).
    """

    width: float
    penalty: float
    columns: slice
    ratios: Float64[np.ndarray, " r"]
    shrinkage: Float64[np.ndarray, " r"]

    @property
    def name(self) -> str:
        """width 0.71, penalty 0.01"""
        return f"width {self.width:.3g}, penalty {self.penalty:g}"


@dataclass(frozen=True, eq=False)
class KernelModes:
    """The modes of several widths on common centres, and the tests that they make with several penalties.

    Arguments:
        kernels: the modes of each width.
        tests: in order of width and penalty.
    """

    kernels: tuple[CenteredModes, ...]
    tests: tuple[KernelTest, ...]

    @classmethod
    def prepared(
        cls,
        pool: MassiveEvents,
        widths: Sequence[float] | None = None,
        penalties: Sequence[float] = PENALTIES,
        centers: int | None = None,
        seed: int = 1,
        rank_cut: float = RANK_CUT,
    ) -> KernelModes:
        """Prepares the modes on these events, without looking at which sample an event is from.

        Arguments:
            pool: the events.
            widths: of the kernels, in standardized features; None for those of `default_widths`.
            penalties: lambda of each test.
            centers: number of kernels; None for twice the root of the number of events, between 200 and 1000.
            seed: of the draw of the centres.
            rank_cut: share of its largest eigenvalue below which those of K_CC are taken for rounding.

        Raises:
            ValueError: if a width, a penalty or the number of centres is not positive, or is given twice.
        """
        _require_positive("width", widths)
        _require_positive("penalty", penalties)
        if centers is not None and centers < 1:
            raise ValueError(f"the number of centres must be 1 or more, not {centers}")
        count = centers or int(np.clip(_CENTERS * np.sqrt(len(pool)), _FEWEST_CENTERS, _MOST_CENTERS))
        at = choose_centers(pool.events, pool.masses, min(count, _distinct(pool)), "uniform", seed)
        found = default_widths(pool, seed) if widths is None else tuple(sorted(widths))
        kernels = tuple(CenteredModes.of(pool, at, width, min(penalties), rank_cut) for width in found)
        tests, start = [], 0
        for kernel in kernels:
            columns = slice(start, start + kernel.count)
            for penalty in sorted(penalties, reverse=True):
                ratios = penalty / kernel.eigenvalues
                tests.append(KernelTest(kernel.width, penalty, columns, ratios, _shrinkage(ratios)))
            start = columns.stop
        return KernelModes(kernels, tuple(tests))

    @property
    def count(self) -> int:
        """Number of features, the modes of all widths."""
        return sum(kernel.count for kernel in self.kernels)

    @cached_property
    def filters(self) -> Float64[np.ndarray, "r k"]:
        """The shrinkage of each test in its column; t of one step is a product of squared scores and this."""
        filters = np.zeros((self.count, len(self.tests)))
        for number, test in enumerate(self.tests):
            filters[test.columns, number] = test.shrinkage
        return filters

    def __call__(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n r"]:
        """All features at standardized events."""
        return np.concatenate([kernel(events) for kernel in self.kernels], axis=1)


@dataclass(frozen=True, eq=False)
class Basis(KernelModes):
    """Those of the pool of two samples, at its events.

    Arguments:
        kernels: the modes of each width.
        tests: in order of width and penalty.
        pool: that they were prepared on.
    """

    pool: Pool

    @classmethod
    def of(
        cls,
        pool: Pool,
        widths: Sequence[float] | None = None,
        penalties: Sequence[float] = PENALTIES,
        centers: int | None = None,
        seed: int = 1,
    ) -> Basis:
        """As `KernelModes.prepared`."""
        modes = KernelModes.prepared(pool, widths, penalties, centers, seed)
        return cls(modes.kernels, modes.tests, pool)

    def blocks(self) -> Iterator[tuple[slice, Float64[np.ndarray, "m r"]]]:
        """The features of the pooled events, block after block, each with the rows it belongs to."""
        kept = 8 * len(self.pool) * self.count <= _KEPT
        for rows in self._rows:
            yield rows, self._features[rows] if kept else self(self.pool.rows[rows])

    @property
    def _rows(self) -> list[slice]:
        n = len(self.pool)
        return [slice(start, min(start + _ROWS, n)) for start in range(0, n, _ROWS)]

    @cached_property
    def _features(self) -> Float64[np.ndarray, "n r"]:
        features = np.empty((len(self.pool), self.count))
        for rows in self._rows:
            features[rows] = self(self.pool.rows[rows])
        return features


def default_widths(pool: MassiveEvents, seed: int = 1) -> tuple[float, ...]:
    """The 5%, 20% and 50% quantiles of the distances between pooled events, and twice the 90% quantile.

    They are taken from 1000 events that are drawn in proportion to |m|, labels unseen. Events at one place count once.
    """
    rng = np.random.default_rng([seed, _STREAM])
    usable = np.flatnonzero(pool.masses)
    arrival = rng.exponential(size=len(usable)) / np.abs(pool.masses[usable])
    distances = pdist(pool.rows[usable[np.argsort(arrival, kind="stable")[:_PAIRED]]])
    distances = distances[distances > 0]
    widths: list[float] = []
    for quantile, factor in WIDTHS:
        width = factor * float(np.quantile(distances, quantile))
        if not widths or width > _DISTINCT * widths[-1]:
            widths.append(width)
    return tuple(widths)


def _shrinkage(ratios: Float64[np.ndarray, " r"]) -> Float64[np.ndarray, " r"]:
    c = (1 + 2 * ratios) / (1 + ratios) ** 2
    # What is lost if the modes from here on are left out.
    lost = np.cumsum(c[::-1])[::-1]
    return np.where(lost > DROPPED_SHARE * np.sqrt(2 * c @ c), c, 0.0)


def _distinct(pool: MassiveEvents) -> int:
    """Number of places that hold an event of non-zero mass; equal events stand beside each other in a pool."""
    used = pool.rows[pool.masses != 0]
    return 1 + int((used[1:] != used[:-1]).any(axis=1).sum())


def _require_positive(what: str, values: Sequence[float] | None) -> None:
    if values is None:
        return
    if not len(values):
        raise ValueError(f"there is no {what} to test with: give one or more")
    for value in values:
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"a {what} must be a positive number, not {value:g}")
        if list(values).count(value) > 1:
            raise ValueError(f"the {what} {value:g} is given twice: a test that is repeated tells nothing new")
