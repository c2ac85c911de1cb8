"""Polynomials in theta that are nowhere negative: sums of squares, as densities of squared amplitudes are.

With m(theta) the monomials up to half of the degree, r = m^T Q m is a sum of squares if Q has no negative eigenvalue
(arXiv:2007.10356 has it for degree 2; P. A. Parrilo, Math. Program. 96 (2003) 293 in general). Of degree 2 the
coefficients of r determine Q; of a higher one, as theta^2 = 1 theta^2 = theta theta, there are many Q of the same r.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm.nuisance.ratios.monomials import monomials

# Eigenvalues of Q beside the constant, at least, in units of a^2: no detector lets interference be complete.
_LEAST_SQUARE, _SMALLEST = 0.05, 1e-12
# Projections in turn onto the Q of given coefficients, and onto those without negative eigenvalues, at most.
_TURNS = 40


class _Squares(NamedTuple):
    """How elements of Q make coefficients.

    Arguments:
        place: number of the coefficient that an element belongs to, the constant's being 0, shape (h, h).
        members: whether an element belongs to a coefficient, shape (h * h, T + 1).
    """

    place: Int64[np.ndarray, "h h"]
    members: Bool[np.ndarray, "hh T1"]

    @classmethod
    def of(cls, powers: Int64[np.ndarray, "T k"]) -> _Squares:
        """Of polynomials without the constant."""
        half = monomials(powers.shape[1], int(powers.sum(axis=1).max()) // 2)
        number = {(0,) * powers.shape[1]: 0} | {tuple(row): t for t, row in enumerate(powers.tolist(), 1)}
        place = np.array([[number[tuple((a + b).tolist())] for b in half] for a in half])
        return cls(place, place.reshape(-1, 1) == np.arange(len(number)))

    def coefficients(self, q: Float64[np.ndarray, "n h h"]) -> Float64[np.ndarray, "n T1"]:
        """Those of m^T Q m."""
        return q.reshape(len(q), -1) @ self.members

    def spread(self, coefficients: Float64[np.ndarray, "n T1"]) -> Float64[np.ndarray, "n h h"]:
        """The smallest Q of such coefficients: equal shares for all elements of each."""
        return (coefficients / self.members.sum(axis=0))[:, self.place]


def made_positive(
    values: Float64[np.ndarray, "*m n T"], powers: Int64[np.ndarray, "T k"]
) -> Float64[np.ndarray, "*m n T"]:
    """Coefficients near the given ones that make r positive at every theta, the linear ones being as they are.

    r = (1 + sum_i m_i a_i)^2 + sum_j (sum_i m_i b_ij)^2 over the monomials beside 1, with eigenvalues of b b^T of 5% of
    the square of the linear a at least. Of degree 2 the nearest; of a higher degree Q is sought by projections in turn.

    Arguments:
        values: coefficients, without the constant, which is 1.
        powers: of their monomials, without the constant; the highest degree is even.
    """
    k, flat = powers.shape[1], values.reshape(-1, values.shape[-1])
    squares = _Squares.of(powers)
    wanted = np.column_stack([np.ones(len(flat)), flat])
    least = np.maximum(_LEAST_SQUARE * (flat[:, :k] ** 2).sum(axis=1) / 4, _SMALLEST)
    q = squares.spread(wanted)
    if powers.sum(axis=1).max() > 2:
        q = _towards_squares(squares, q, wanted, least)
    a = q[:, 0, 1:]
    of_a = a[:, :, None] * a[:, None, :]
    sizes, vectors = np.linalg.eigh(q[:, 1:, 1:] - of_a)
    q[:, 1:, 1:] = of_a + vectors * np.maximum(sizes, least[:, None])[:, None, :] @ np.swapaxes(vectors, -1, -2)
    found = squares.coefficients(q)[:, 1:]
    found[:, :k] = flat[:, :k]
    return found.reshape(values.shape)


def _towards_squares(
    squares: _Squares,
    q: Float64[np.ndarray, "n h h"],
    wanted: Float64[np.ndarray, "n T1"],
    least: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, "n h h"]:
    """Q of the wanted coefficients whose eigenvalues are large enough, or nearly, where there is none (von Neumann)."""
    edge = np.diag(np.r_[0.0, np.ones(q.shape[-1] - 1)]) * least[:, None, None]
    rows = np.arange(len(q))
    for _ in range(_TURNS):
        sizes, vectors = np.linalg.eigh(q[rows] - edge[rows])
        below = sizes[:, 0] < 0
        rows, sizes, vectors = rows[below], sizes[below], vectors[below]
        if not len(rows):
            break
        nearest = vectors * np.maximum(sizes, 0.0)[:, None, :] @ np.swapaxes(vectors, -1, -2) + edge[rows]
        q[rows] = nearest + squares.spread(wanted[rows] - squares.coefficients(nearest))
    return q
