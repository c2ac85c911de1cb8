"""Events whose weights are polynomials in the couplings of an effective theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.sample import Sample
from nplm.learning.morphing import Morphing
from nplm.learning.relative_weights import absolute

# Weights at theta = 0 may differ from those of the sample by so much of their size, as of columns in single precision.
_SAME = 1e-3
# Standard deviations, by the information that latent values carry, up to which a theta may matter.
_REACH = 5.0


class Morphed(NamedTuple):
    """Yields at a theta, with the errors of a simulation of finite size.

    Arguments:
        value: sum of w(theta), of all events or in bins.
        error: sqrt(sum w(theta)^2).
        ratio: value relative to that at theta = 0.
        ratio_error: its error, in which the events are the same in both.
    """

    value: Float64[np.ndarray, "*bins"]
    error: Float64[np.ndarray, "*bins"]
    ratio: Float64[np.ndarray, "*bins"]
    ratio_error: Float64[np.ndarray, "*bins"]


@dataclass(frozen=True, eq=False)
class MorphedSample:
    """Events with w(theta) = sum_a w_a theta^a each.

    Arguments:
        sample: the events, with their weights at theta = 0: the reference of tests and fits.
        morphing: the polynomial and the basis points it is from.
        coefficients: w_a of each event, shape (n, T), the constant first.

    Raises:
        ValueError: if the sample has no positive yield.
    """

    sample: Sample
    morphing: Morphing
    coefficients: Float64[np.ndarray, "n T"]

    @classmethod
    def of(
        cls,
        sample: Sample,
        weights: ArrayLike,
        points: ArrayLike | Sequence[Mapping[str, float]],
        parameters: str | Sequence[str] | None = None,
        degree: int = 2,
        *,
        relative: bool | None = None,
    ) -> MorphedSample:
        """From weights at basis points.

        Arguments:
            sample: the events with their weights at theta = 0.
            weights: at each basis point, shape (n, m), or their ratios to those of the sample.
            points: the basis: values by name, or shape (m, k).
            parameters: names; default: those that the points name, in order of appearance.
            degree: of the polynomial.
            relative: whether weights are ratios; None to see, by sums and signs.

        Raises:
            ValueError: as `Morphing`; or if the polynomial at theta = 0 is not the weight of the events.

        Example:
            >>> events = Sample([1.0, 2.0], features=["pt"])
            >>> morphed = MorphedSample.of(events, [[1, 1.5, 0.7], [1, 2.1, 0.3]], [{"c": 0}, {"c": 1}, {"c": -1}])
            >>> morphed.yield_at({"c": 1}).value.round(6).item()
            3.6
        """
        if parameters is None:
            named = [point for point in points if isinstance(point, Mapping)]  # type: ignore[union-attr]
            if not named:
                raise ValueError("name the parameters, or give basis points as values by name")
            parameters = tuple(dict.fromkeys(str(name) for point in named for name in point))
        morphing = Morphing(parameters, points, degree)
        given = np.asarray(weights, dtype=np.float64)
        if given.ndim != 2 or len(given) != len(sample):
            raise ValueError(
                f"weights must have shape ({len(sample)}, {len(morphing.points)}), one for each event of {sample.name}"
                f" and each basis point, not {given.shape}"
            )
        sample.require_yield()
        coefficients = morphing.coefficients(absolute(sample, given, relative))
        difference = np.sqrt(((coefficients[:, 0] - sample.weights) ** 2).sum() / (sample.weights**2).sum())
        if difference > _SAME:
            raise ValueError(
                f"the weights at the basis points are, at {' = '.join(morphing.parameters)} = 0, not those of"
                f" {sample.name}, which differ by {difference:.2g} of their size: give it the weights at 0, or say"
                " whether the basis has weights or ratios to them (relative)"
            )
        coefficients[:, 0] = sample.weights
        return cls(sample, morphing, coefficients)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names, in the order of theta."""
        return self.morphing.parameters

    def weights_at(self, theta: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " n"]:
        """w(theta) of each event."""
        self.morphing.factors(theta)
        return np.asarray(self.coefficients @ self.morphing.monomials(theta))

    def at(self, theta: Mapping[str, float] | ArrayLike) -> Sample:
        """The events with their weights at theta.

        Raises:
            ValueError: if these do not add up to a positive yield.
        """
        where = self.morphing.described(self.morphing.theta(theta))
        name = f"{self.sample.name} at {where}"
        return replace(self.sample, weights=self.weights_at(theta), name=name).require_yield()

    def yield_at(self, theta: Mapping[str, float] | ArrayLike) -> Morphed:
        """The yield at theta, interference included, with its error."""
        w, w0 = self.weights_at(theta), self.sample.weights
        return Morphed(*(np.asarray(v)[0] for v in _sums(np.zeros(len(w), dtype=np.int64), w, w0, 1)))

    def histogram(
        self, values: Float64[np.ndarray, " n"] | str, edges: ArrayLike, theta: Mapping[str, float] | ArrayLike
    ) -> Morphed:
        """Yields in bins of a feature, or of any number of each event, at theta; events beyond the edges are left out.

        Raises:
            ValueError: if edges do not ascend, or values have another shape.
        """
        column = self.sample[values] if isinstance(values, str) else np.asarray(values, dtype=np.float64)
        ends = np.asarray(edges, dtype=np.float64)
        if ends.ndim != 1 or len(ends) < 2 or not (np.diff(ends) > 0).all():
            raise ValueError("edges of bins must be two numbers or more that ascend")
        if column.shape != (len(self.sample),):
            raise ValueError(f"values must have shape ({len(self.sample)},), one for each event, not {column.shape}")
        inside = (column >= ends[0]) & (column <= ends[-1])
        bins = np.clip(np.searchsorted(ends, column[inside], side="right") - 1, 0, len(ends) - 2)
        return _sums(bins, self.weights_at(theta)[inside], self.sample.weights[inside], len(ends) - 1)

    def joint_score(self) -> Float64[np.ndarray, "n k"]:
        """d log w / d theta at theta = 0 of each event: the score that latent values know; 0 where w is 0."""
        w = self.sample.weights[:, None]
        return np.divide(self._linear(), w, out=np.zeros((len(w), len(self.parameters))), where=w != 0)

    def joint_information(self) -> Float64[np.ndarray, "k k"]:
        """sum w s s^T of the joint score: information on theta = 0 in data that see latent values, at least as much as
        there is in the features."""
        s = self.joint_score()
        return np.asarray(s.T @ (self.sample.weights[:, None] * s))

    def usual_reach(self) -> Float64[np.ndarray, " k"]:
        """The |theta| up to which log-ratios are wanted: five standard deviations by the joint information, or where
        the basis points end, if that is less."""
        information = self.joint_information()
        values, vectors = np.linalg.eigh(information)
        known = values > 1e-12 * max(values[-1], 0.0)
        variance = (vectors[:, known] ** 2 / values[known]).sum(axis=1) if known.all() else np.full(len(values), np.inf)
        return np.minimum(self.morphing.largest, _rounded_down(_REACH * np.sqrt(variance)))

    def select(self, rows: Int64[np.ndarray, " m"]) -> MorphedSample:
        """Some of the events."""
        return replace(self, sample=self.sample.select(rows), coefficients=self.coefficients[rows])

    def scaled_to(self, expected_yield: float) -> MorphedSample:
        """The same with weights that add up to this yield at theta = 0."""
        factor = self.sample.factor_to(expected_yield)
        return replace(self, sample=factor * self.sample, coefficients=factor * self.coefficients)

    def _linear(self) -> Float64[np.ndarray, "n k"]:
        return self.coefficients[:, 1 : 1 + len(self.parameters)]


def _rounded_down(values: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    """Two digits of each, as of a number that people read."""
    finite = np.isfinite(values) & (values > 0)
    unit = 10.0 ** (np.floor(np.log10(np.where(finite, values, 1.0))) - 1)
    return np.where(finite, np.round(np.floor(values / unit) * unit, 12), values)


def _sums(
    bins: Int64[np.ndarray, " n"], w: Float64[np.ndarray, " n"], w0: Float64[np.ndarray, " n"], count: int
) -> Morphed:
    value, square = np.bincount(bins, w, count), np.bincount(bins, w**2, count)
    at_zero = np.bincount(bins, w0, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = value / at_zero
        left = np.bincount(bins, (w - ratio[bins] * w0) ** 2, count)
        return Morphed(value, np.sqrt(square), ratio, np.sqrt(left) / np.abs(at_zero))
