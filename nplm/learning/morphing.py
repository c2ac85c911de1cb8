"""Morphing: weights of events at any couplings, from those at a few basis points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import ArrayLike

from nplm.nuisance.ratios.monomials import monomials, names_of_monomials, powers_of
from nplm.nuisance.values import distinct_names, nu_of

# A worse conditioning would turn the single precision of weights in files into per mille of what is left of them.
LARGEST_CONDITION = 1e4
LARGEST_AMPLIFICATION = 1e4
# Residual of weights at more points than a polynomial needs, relative to what theta changes, that makes them none.
_LARGEST_MISFIT = 0.01
# Changes of weights that are so small a part of them are rounding.
_NO_EFFECT = 1e-6


@dataclass(frozen=True, eq=False)
class Morphing:
    """w(theta) = sum_c W_c(theta) w_c: weights that are polynomials in theta, through those at basis points theta_c.

    Amplitudes that are linear in k couplings give weights of degree 2, which (k + 1)(k + 2) / 2 basis points determine;
    in general C(k + d, d) points do for degree d. Through more points the polynomial passes by least squares.
    W(theta) = p(theta) A^+ with the monomials p(theta) and A those at the basis points, in units of the largest |theta|
    (ATL-PHYS-PUB-2015-047; arXiv:1805.00020, section III.B).

    Arguments:
        parameters: names, in the order of theta.
        points: the basis, shape (m, k), or as values by name (those that are not named are 0).
        degree: of the polynomial.

    Attributes:
        powers: of each parameter in each monomial, the constant first, shape (T, k).
        condition: ratio of the largest singular value of A to the smallest: by how much errors of weights may grow.

    Raises:
        ValueError: if there are too few points, two are the same, or they do not determine the polynomial, or badly.

    Example:
        >>> morphing = Morphing(["c"], [[0.0], [1.0], [-1.0]])
        >>> morphing.factors({"c": 2.0}).round(6).tolist()
        [-3.0, 3.0, 1.0]
    """

    parameters: tuple[str, ...]
    points: Float64[np.ndarray, "m k"]
    degree: int
    powers: Int64[np.ndarray, "T k"] = field(repr=False)
    condition: float
    _inverse: Float64[np.ndarray, "T m"] = field(repr=False)

    def __init__(
        self,
        parameters: str | Sequence[str],
        points: ArrayLike | Sequence[Mapping[str, float]],
        degree: int = 2,
    ) -> None:
        names = distinct_names(parameters)
        basis = _points(names, points)
        powers = monomials(len(names), degree)
        _require_points(names, basis, degree)
        scale = np.abs(basis).max(axis=0)
        design = powers_of(basis / scale, powers)
        sizes = np.linalg.svd(design, compute_uv=False)
        rank = int((sizes > 1e-10 * sizes[0]).sum())
        if rank < len(powers):
            raise ValueError(
                f"the {len(basis)} basis points determine {rank} of the {len(powers)} coefficients of a polynomial of"
                f" degree {degree} in {', '.join(names)}: {_missing(names, design, powers)}"
            )
        condition = float(sizes[0] / sizes[-1])
        if condition > LARGEST_CONDITION:
            raise ValueError(
                f"the basis points determine a polynomial of degree {degree} badly (condition number {condition:.2g},"
                f" at most {LARGEST_CONDITION:g}): move them apart, to both sides of 0 and to several sizes"
            )
        inverse = np.linalg.pinv(design) / powers_of(scale, powers)[:, None]
        values = {
            "parameters": names,
            "points": basis,
            "degree": degree,
            "powers": powers,
            "condition": condition,
            "_inverse": inverse,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the monomials, the constant first."""
        return tuple(names_of_monomials(self.parameters, self.powers))

    @property
    def largest(self) -> Float64[np.ndarray, " k"]:
        """The largest |theta| of the basis points."""
        return np.asarray(np.abs(self.points).max(axis=0))

    def monomials(self, theta: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " T"]:
        """p(theta)."""
        return powers_of(self.theta(theta), self.powers)

    def theta(self, theta: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " k"]:
        """theta as a vector.

        Raises:
            ValueError: if it has another length, names no parameter, or is not finite.
        """
        point = nu_of(self.parameters, theta)
        if not np.isfinite(point).all():
            raise ValueError(f"values of {', '.join(self.parameters)} must be finite numbers, not {point.tolist()}")
        return point

    def factors(self, theta: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " m"]:
        """W(theta), what the weights at each basis point are multiplied by.

        Raises:
            ValueError: if theta is so far from the basis points that errors of weights grow 10^4 times.
        """
        found = self.monomials(theta) @ self._inverse
        amplification = float(np.abs(found).sum())
        if amplification > LARGEST_AMPLIFICATION:
            shown = ", ".join(f"{n} = {v:g}" for n, v in zip(self.parameters, self.theta(theta), strict=True))
            raise ValueError(
                f"{shown} is so far from the basis points that errors of weights grow {amplification:.2g} times (at"
                f" most {LARGEST_AMPLIFICATION:g}): give basis points nearer to it"
            )
        return np.asarray(found)

    def amplification(self, theta: Mapping[str, float] | ArrayLike) -> float:
        """sum_c |W_c(theta)|: by how much errors of weights, such as rounding, may grow at theta."""
        return float(np.abs(self.monomials(theta) @ self._inverse).sum())

    def coefficients(self, weights: Float64[np.ndarray, "n m"]) -> Float64[np.ndarray, "n T"]:
        """What multiplies each monomial in the weight of each event.

        Arguments:
            weights: of the events at the basis points.

        Raises:
            ValueError: if weights have another shape or are not finite, are the same at all points, or, with more
                points than coefficients, are no polynomial of that degree.
        """
        values = np.asarray(weights, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.points):
            raise ValueError(
                f"weights must have shape (n, {len(self.points)}), one column for each basis point, not {values.shape}"
            )
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"the weight of event {row} at {self.described(self.points[column])} is {values[row, column]}: leave"
                " out the event, or repair it"
            )
        size = float(np.sqrt((values**2).sum()))
        change = float(np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).sum()))
        if not change > _NO_EFFECT * size:
            raise ValueError(
                f"the weights are the same at all basis points: {', '.join(self.parameters)} would have no effect; are"
                " the columns the right ones?"
            )
        found = self.fit(values)
        misfit = float(np.sqrt(((found @ powers_of(self.points, self.powers).T - values) ** 2).sum())) / change
        if misfit > _LARGEST_MISFIT:
            raise ValueError(
                f"the weights at {len(self.points)} basis points are no polynomial of degree {self.degree} in"
                f" {', '.join(self.parameters)}: {misfit:.1%} of what changes is left over; raise the degree, or give"
                " each column its point"
            )
        return np.asarray(found)

    def fit(self, weights: Float64[np.ndarray, "n m"]) -> Float64[np.ndarray, "n T"]:
        """The polynomials through values at the basis points, or nearest to them, unchecked."""
        return np.asarray(weights @ self._inverse.T)

    def described(self, theta: Float64[np.ndarray, " k"]) -> str:
        """A point in words."""
        return ", ".join(f"{name} = {value:g}" for name, value in zip(self.parameters, theta, strict=True))

    def describe(self) -> str:
        """The polynomial, its basis and the conditioning in words."""
        return (
            f"weights of degree {self.degree} in {', '.join(self.parameters)}: {len(self.powers)} coefficients from"
            f" {len(self.points)} basis points, condition number {self.condition:.3g}"
        )


def _points(names: tuple[str, ...], points: ArrayLike | Sequence[Mapping[str, float]]) -> Float64[np.ndarray, "m k"]:
    if isinstance(points, Sequence) and points and all(isinstance(point, Mapping) for point in points):
        return np.stack([nu_of(names, point) for point in points])
    values = np.asarray(points, dtype=np.float64)
    if values.ndim == 1 and len(names) == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"basis points must have shape (m, {len(names)}) for {', '.join(names)}, not {values.shape}")
    return values


def _require_points(names: tuple[str, ...], basis: Float64[np.ndarray, "m k"], degree: int) -> None:
    """Refuses basis points that cannot do before any algebra."""
    if not np.isfinite(basis).all():
        raise ValueError(f"basis points must be finite numbers, not {basis.tolist()}")
    needed = comb(len(names) + degree, degree)
    if len(basis) < needed:
        raise ValueError(
            f"a polynomial of degree {degree} in {len(names)} parameter{'s' * (len(names) > 1)} ({', '.join(names)})"
            f" has {needed} coefficients, but there are {len(basis)} basis points: give {needed} or more"
        )
    for name, column in zip(names, basis.T, strict=True):
        if not column.any():
            raise ValueError(f"no basis point moves {name}: leave it out, or give points that do")
    rows, counts = np.unique(basis, axis=0, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"the basis point {rows[counts > 1][0].tolist()} is given more than once")


def _missing(names: tuple[str, ...], design: Float64[np.ndarray, "m T"], powers: Int64[np.ndarray, "T k"]) -> str:
    """Which monomials the points leave open, in words."""
    _, sizes, vectors = np.linalg.svd(design)
    sizes = np.concatenate([sizes, np.zeros(len(powers) - len(sizes))])
    free = vectors[sizes <= 1e-10 * sizes[0]]
    named = [
        n for n, size in zip(names_of_monomials(names, powers), np.abs(free).max(axis=0), strict=True) if size > 1e-6
    ]
    return (
        f"they do not tell {', '.join(named)} apart; give points that move parameters alone to several values, and in"
        " pairs"
    )
