"""Sums over events in one dimension, as sums over a few fixed nodes.

The modes and exp(f) are smooth on the scale of the kernel's width. In cells of a quarter of the width they are
polynomials of degree 7 to many digits, so a sum over events, sum_e v_e g(x_e), is sum_q V_q g(x_q) over eight Chebyshev
nodes x_q a cell, with V_q = sum_e v_e l_q(x_e) and l_q the Lagrange polynomials of the cell. A sample of any size
becomes the weights of the same nodes. Some V_q are negative, which is no harm to sums of phi; sums of exp(f), whose
minimum is sought, are taken over points of positive weight instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.sparse import csr_array

# Cells of a width, and nodes of a cell.
_CELLS, _NODES = 4, 8
# Beyond so many widths from the outermost centres every kernel has vanished.
_REACH = 9.0
# Share of a cell's weight that is rounding.
_EXHAUSTED = 1e-13


@dataclass(frozen=True, eq=False)
class Line:
    """Cells that cover all of the line where kernels do not vanish.

    Arguments:
        start: lower edge of the first cell.
        step: width of a cell.
        cells: number of cells.
    """

    start: float
    step: float
    cells: int

    @classmethod
    def of(cls, centers: Float64[np.ndarray, "m 1"], width: float) -> Line:
        """The cells for kernels of that width on these centres."""
        low, high = centers.min() - _REACH * width, centers.max() + _REACH * width
        step = width / _CELLS
        return cls(float(low), step, int(np.ceil((high - low) / step)))

    @property
    def nodes(self) -> Float64[np.ndarray, "q 1"]:
        """All nodes, cell after cell."""
        middles = self.start + self.step * (np.arange(self.cells) + 0.5)
        return (middles[:, None] + 0.5 * self.step * _CHEBYSHEV).reshape(-1, 1)

    def weights(
        self, events: Float64[np.ndarray, "n 1"], weights: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " q"]:
        """The weights V_q of the nodes, shape (q,); events where all kernels vanish are left out."""
        position = (events[:, 0] - self.start) / self.step
        cell = np.floor(position.clip(-1, self.cells)).astype(np.int64)
        inside = (cell >= 0) & (cell < self.cells)
        if not inside.all():
            position, cell, weights = position[inside], cell[inside], weights[inside]
        polynomials = _lagrange(2 * (position - cell) - 1)
        columns = [np.bincount(cell, weights * column, self.cells) for column in polynomials]
        return np.stack(columns, axis=1).reshape(-1).astype(np.float64)  # those of no events are integers

    def interpolation(self, events: Float64[np.ndarray, "n 1"]) -> csr_array:
        """The Lagrange polynomials of each event's cell at the event, shape (n, q): g(x_e) = sum_q l_q(x_e) g(x_q)."""
        position = (events[:, 0] - self.start) / self.step
        cell = np.floor(position.clip(-1, self.cells)).astype(np.int64)
        inside = (cell >= 0) & (cell < self.cells)
        polynomials = _lagrange(2 * (position[inside] - cell[inside]) - 1)
        columns = _NODES * cell[inside, None] + np.arange(_NODES)
        ends = np.concatenate([[0], _NODES * np.cumsum(inside)])
        return csr_array((polynomials.T.ravel(), columns.ravel(), ends), shape=(len(events), _NODES * self.cells))

    def gauss(
        self, events: Float64[np.ndarray, "n 1"], weights: Float64[np.ndarray, " n"]
    ) -> tuple[Float64[np.ndarray, "g 1"], Float64[np.ndarray, " g"]]:
        """Points and weights of Gauss's quadrature for the events of each cell, at most four points for each sign.

        They have the events' signs, so what is convex as a sum over events is convex as a sum over them, whatever f
        does between its nodes; and they give sums of polynomials up to degree 7 as `weights` does. A cell of four
        events or fewer is represented by these events themselves.
        """
        parts = [self._gauss(events[:, 0], weights, sign) for sign in (1.0, -1.0)]
        points, sizes = (np.concatenate(column) for column in zip(*parts, strict=True))
        return points[:, None], sizes

    def means(
        self,
        points: Float64[np.ndarray, "g 1"],
        sizes: Float64[np.ndarray, " g"],
        events: Float64[np.ndarray, "n 1"],
        weights: Float64[np.ndarray, " n"],
        values: Float64[np.ndarray, " n"],
    ) -> Float64[np.ndarray, " g"]:
        """Values of events, averaged in proportion to |w|, in the cell of each point of `gauss`, sign by sign."""
        mean = np.zeros(len(points))
        number = [np.floor((x[:, 0] - self.start) / self.step) for x in (points, events)]
        for sign in (1.0, -1.0):
            mine, here = sign * weights > 0, sign * sizes > 0
            cells, of = np.unique(number[1][mine], return_inverse=True)
            size = sign * weights[mine]
            total, sums = (np.bincount(of, v, len(cells)) for v in (size, size * values[mine]))
            at = np.searchsorted(cells, number[0][here]).clip(max=len(cells) - 1)
            mean[here] = (sums / total)[at]
        return mean

    def _gauss(self, x: np.ndarray, weights: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray]:
        """The points for the events of one sign, from the Jacobi matrices of their cells (Stieltjes' procedure)."""
        mine = sign * weights > 0
        w = sign * weights[mine]
        position = (x[mine] - self.start) / self.step
        cell, number = np.unique(np.floor(position), return_inverse=True)
        u = 2 * (position - cell[number]) - 1
        count = len(cell)

        def sums(values: np.ndarray) -> np.ndarray:
            return np.bincount(number, values, count)

        total = sums(w)
        before, now, norm = np.zeros(len(u)), np.ones(len(u)), total
        jacobi = np.zeros((count, _NODES // 2, _NODES // 2))
        for k in range(_NODES // 2):
            alpha = sums(w * u * now**2) / np.where(norm > 0, norm, 1.0)
            jacobi[:, k, k] = alpha
            beta = jacobi[:, k, k - 1] ** 2 if k else np.zeros(count)
            before, now = now, (u - alpha[number]) * now - beta[number] * before
            # Zero within rounding: so many points represent the cell exactly.
            following = sums(w * now**2)
            following = np.where(following > _EXHAUSTED * total, following, 0.0)
            if k + 1 < _NODES // 2:
                ratio = np.divide(following, norm, out=np.zeros(count), where=norm > 0)
                jacobi[:, k, k + 1] = jacobi[:, k + 1, k] = np.sqrt(ratio)
            norm = following
        nodes, vectors = np.linalg.eigh(jacobi)
        sizes = total[:, None] * vectors[:, 0, :] ** 2
        points = self.start + self.step * (cell[:, None] + (nodes + 1) / 2)
        used = sizes > _EXHAUSTED * total[:, None]
        return points[used], sign * sizes[used]


@dataclass(frozen=True, eq=False)
class LineModes:
    """The modes of a kernel model at the nodes of a line.

    Arguments:
        line: the cells.
        phi: at the nodes, shape (q, r).
    """

    line: Line
    phi: Float64[np.ndarray, "q r"]

    def __call__(self, events: Float64[np.ndarray, "n 1"]) -> Float64[np.ndarray, "n r"]:
        """phi at events, in the feature that the kernel sees."""
        return self.line.interpolation(events) @ self.phi

    def weights(
        self, events: Float64[np.ndarray, "n 1"], weights: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " q"]:
        """The weights of the nodes: sum_e v_e phi(x_e) = weights @ phi."""
        return self.line.weights(events, weights)

    def rows(
        self, events: Float64[np.ndarray, "n 1"], weights: Float64[np.ndarray, " n"]
    ) -> tuple[Float64[np.ndarray, "g r"], Float64[np.ndarray, " g"]]:
        """phi at the few points that stand for events, with their weights; see `Line.gauss`."""
        points, sizes = self.line.gauss(events, weights)
        return self(points), sizes


_CHEBYSHEV = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
# Rows: the Lagrange polynomials of these nodes in powers of u, from 1 to u^7.
_LAGRANGE = np.linalg.inv(np.vander(_CHEBYSHEV, increasing=True)).T


def _lagrange(u: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "nodes n"]:
    """The Lagrange polynomials at -1 <= u <= 1."""
    return _LAGRANGE @ np.vander(u, _NODES, increasing=True).T
