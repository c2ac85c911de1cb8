"""All that a hunt needs of its events: sums of the modes of the other features with functions of the resonant one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nplm._util.blas import blas_threads
from nplm.hunt.single_precision import RANK_CUT, SingleModes
from nplm.hunt.trend import polynomials
from nplm.hunt.windows import Windows
from nplm.two_sample.modes import KernelModes, default_widths

# Kernels of each width; how many of the default widths, from the narrowest; and penalties.
CENTERS, WIDTHS, PENALTIES = 200, 3, (1e-2, 1e-3)
# Degrees of the polynomials that are summed: the largest trend, and the three beyond it that it is checked with.
LARGEST_DEGREE, BEYOND = 7, 3
# Modes are made of so many events at most, and products of them are summed over so many: a sample tells them well
# enough.
_SHAPING, _MULTIPLIED = 5_000, 20_000
_CELLS_IN_SIGMA, _MOST_CELLS = 8, 4000
_BLOCK = 1 << 11
_STREAM = 0x68756E74


@dataclass(frozen=True, eq=False)
class HuntEvents:
    """The events of a hunt, in the coordinates in which kernels see the features beside the resonant one.

    Arguments:
        m: the resonant feature, shape (n,).
        rows: the others, without their trend, shape (n, d).
        weights: v, shape (n,).
    """

    m: Float64[np.ndarray, " n"]
    rows: Float64[np.ndarray, "n d"]
    weights: Float64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.m)

    @property
    def events(self) -> Float64[np.ndarray, "n d"]:
        """The rows."""
        return self.rows

    @cached_property
    def masses(self) -> Float64[np.ndarray, " n"]:
        """v sum v / sum v^2, which add up to the effective number of events."""
        return self.weights * (self.weights.sum() / (self.weights @ self.weights))

    @cached_property
    def total(self) -> float:
        """The effective number of events."""
        return float(self.masses.sum())

    def only(self, rows: Int64[np.ndarray, " k"]) -> HuntEvents:
        """Some of the events."""
        return HuntEvents(self.m[rows], self.rows[rows], self.weights[rows])


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums over the events in narrow cells of m, on which functions of m are about constant.

    Arguments:
        functions: T in the middle of each cell, shape (c, k).
        squares: sum v^2, shape (c,).
        fourth: sum v^4, shape (c,).
        phi: sum v^2 phi, shape (c, r).
        phi_squared: sum v^2 phi^2, shape (c, r).
    """

    functions: Float64[np.ndarray, "c k"]
    squares: Float64[np.ndarray, " c"]
    fourth: Float64[np.ndarray, " c"]
    phi: Float64[np.ndarray, "c r"]
    phi_squared: Float64[np.ndarray, "c r"]


@dataclass(frozen=True, eq=False)
class Products:
    """Sums of products of modes over some of the events, or all, with what takes out their trend.

    Arguments:
        of_modes: sum v^2 phi phi^T, shape (r, r).
        with_trend: sum v^2 P phi^T, shape (p, r).
        of_trend: sum v^2 P P^T, shape (p, p).
        total: sum v^2.
        of_events: variance over the events of k_ii = sum_r c_kr phi_r^2, shape (K,).
        own: 2 sum_i p_i^2 k_ii^2 with p = v^2 / sum v^2, shape (K,).
    """

    of_modes: Float64[np.ndarray, "r r"]
    with_trend: Float64[np.ndarray, "p r"]
    of_trend: Float64[np.ndarray, "p p"]
    total: float
    of_events: Float64[np.ndarray, " k"]
    own: Float64[np.ndarray, " k"]

    @classmethod
    def of(
        cls,
        p: Float64[np.ndarray, "n p"],
        phi: Float32[np.ndarray, "n r"],
        weights: Float64[np.ndarray, " n"],
        filters: Float64[np.ndarray, "r k"],
    ) -> Products:
        """The sums, in single precision, which is enough for variances and takes half of the time."""
        squares, total = weights**2, float(weights @ weights)
        k = (phi**2 @ filters.astype(np.float32)).astype(np.float64)
        # About the mean that enters t, in which events count v^2, and so v^4 in its variance.
        variance = squares**2 @ (k - squares @ k / total) ** 2 / (squares @ squares)
        phi *= weights.astype(np.float32)[:, None]
        p = weights[:, None] * p
        of_modes = (phi.T @ phi).astype(np.float64)
        with_trend = (p.astype(np.float32).T @ phi).astype(np.float64)
        return cls(of_modes, with_trend, p.T @ p, total, variance, 2 * (squares / total) ** 2 @ k**2)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the events, with T the polynomials of m followed by the windows, and phi the modes.

    Modes and sums over a block of events are in single precision, sums over blocks in double.

    Arguments:
        basis: of the modes, with the penalties of each test.
        size: number of events.
        polynomials: how many of the columns of T are polynomials.
        first: sum v T T^T, shape (k, k).
        second: sum v^2 T T^T, shape (k, k).
        linear: sum v T phi^T, shape (k, r).
        cells: of the events.
        products: of some of them.
    """

    basis: KernelModes
    size: int
    polynomials: int
    first: Float64[np.ndarray, "k k"]
    second: Float64[np.ndarray, "k k"]
    linear: Float64[np.ndarray, "k r"]
    cells: Cells
    products: Products

    @classmethod
    @blas_threads()
    def of(cls, events: HuntEvents, windows: Windows, seed: int) -> Sums:
        """The sums of these events, which are in the order of m."""
        n = len(events)
        rng = np.random.default_rng([seed, _STREAM])
        shaping = events.only(np.sort(rng.choice(n, min(n, _SHAPING), replace=False)))
        distinct = len(np.unique(shaping.rows, axis=0))
        basis = KernelModes.prepared(
            shaping, default_widths(shaping, seed)[:WIDTHS], PENALTIES, min(CENTERS, distinct), seed, RANK_CUT
        )
        p = polynomials(events.m, events.weights, LARGEST_DEGREE + BEYOND)
        cell, middle = _cells(events.m, windows)
        k, r, cells = p.shape[1] + len(windows), basis.count, len(middle)
        first, second, linear = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, r))
        of_cells = np.zeros((2, cells, r))
        multiplied = np.zeros(n, dtype=bool)
        multiplied[rng.choice(n, min(n, _MULTIPLIED), replace=False)] = True
        modes = SingleModes.of(basis)
        kept = []
        for start in range(0, n, _BLOCK):
            block = slice(start, min(start + _BLOCK, n))
            v, phi = events.weights[block][:, None], modes(events.rows[block])
            t = np.column_stack([p[block], windows(events.m[block])])
            weighted = v * t
            first += t.T @ weighted
            second += weighted.T @ weighted
            linear += weighted.T.astype(np.float32) @ phi
            begins = np.flatnonzero(np.diff(cell[block], prepend=-1))
            squares = (v**2).astype(np.float32) * phi
            for found, each in zip(of_cells, (squares, squares * phi), strict=True):
                found[cell[block][begins]] += np.add.reduceat(each, begins)
            kept.append(phi[multiplied[block]])
        functions = np.stack([np.bincount(cell, column, cells) for column in p.T], axis=1)
        functions = np.column_stack([functions / np.bincount(cell, minlength=cells)[:, None], windows(middle)])
        squares = events.weights**2
        of_squares = [np.bincount(cell, squares**power, cells) for power in (1, 2)]
        phi = np.concatenate(kept)
        products = Products.of(p[multiplied], phi, events.weights[multiplied], basis.filters)
        held = Cells(functions, *of_squares, *of_cells)
        return cls(basis, n, p.shape[1], first, second, linear, held, products)

    @property
    def windows(self) -> Int64[np.ndarray, " J"]:
        """The columns of T that are windows."""
        return np.arange(self.polynomials, len(self.first))


def _cells(
    m: Float64[np.ndarray, " n"], windows: Windows
) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " cells"]]:
    """The cell of each event, of those that hold any, and the mean m of each; a region that is given is cut nowhere."""
    low, high = float(m[0]), float(m[-1])
    count = int(np.clip(_CELLS_IN_SIGMA * (high - low) / windows.sigma.min(), 1, _MOST_CELLS))
    edges = np.linspace(low, high, count + 1)
    if windows.region is not None:
        edges = np.union1d(edges, windows.region)
    place = np.searchsorted(edges[1:-1], m, side="right")
    filled = np.bincount(place) > 0
    cell = (np.cumsum(filled) - 1)[place]
    return cell, np.bincount(cell, m) / np.bincount(cell)
