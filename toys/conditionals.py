"""Distributions of one feature given others, an event a row: with a share of zeros, of counts, and of flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln, log_ndtr, ndtr, ndtri, xlogy

Values = Float64[np.ndarray, " n"]


class Conditional(Protocol):
    """The distribution of one feature given others, of as many events as its arrays have rows."""

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""

    def log_density(self, x: Values) -> Values:
        """Log of the density, or of the probability of values that have one."""


@dataclass(frozen=True)
class ZeroOrLogNormal:
    """Zero with the probability `zero`, else exp(location + width e) with e standard normal."""

    zero: Values
    location: Values
    width: Values

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""
        found = np.exp(self.location + self.width * rng.standard_normal(len(self.zero)))
        return np.where(rng.random(len(self.zero)) < self.zero, 0.0, found)

    def log_density(self, x: Values) -> Values:
        """log P(0), or log of the density at x > 0."""
        with np.errstate(divide="ignore"):
            log_x = np.log(np.where(x > 0, x, 1.0))
            normal = _log_normal((log_x - self.location) / self.width) - np.log(self.width) - log_x
            return np.where(x > 0, np.log1p(-self.zero) + normal, np.log(self.zero))


@dataclass(frozen=True)
class Normal:
    """A normal distribution, of values above `least` only."""

    mean: Values
    width: float
    least: float = -np.inf

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""
        below = ndtr((self.least - self.mean) / self.width)
        return np.asarray(self.mean + self.width * ndtri(below + (1 - below) * rng.random(len(self.mean))))

    def log_density(self, x: Values) -> Values:
        """Log of the density, -inf below."""
        log_above = log_ndtr((self.mean - self.least) / self.width)
        inside = _log_normal((x - self.mean) / self.width) - np.log(self.width) - log_above
        return np.where(x >= self.least, inside, -np.inf)


@dataclass(frozen=True)
class Poisson:
    """A Poisson number with this mean."""

    mean: Values

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""
        return rng.poisson(self.mean).astype(np.float64)

    def log_density(self, x: Values) -> Values:
        """Log of the probability."""
        return np.asarray(xlogy(x, self.mean) - self.mean - gammaln(x + 1))


@dataclass(frozen=True)
class Choice:
    """One of 0, 1, 2, ... with the probabilities in the event's row of a table."""

    table: Float64[np.ndarray, "kinds values"]
    row: np.ndarray

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""
        below = np.cumsum(self.table, axis=1)[:, :-1]
        return (rng.random(len(self.row))[:, None] >= below[self.row]).sum(axis=1).astype(np.float64)

    def log_density(self, x: Values) -> Values:
        """Log of the probability, -inf of other values."""
        value = x.astype(np.int64)
        known = (value == x) & (value >= 0) & (value < self.table.shape[1])
        with np.errstate(divide="ignore"):
            return np.where(known, np.log(self.table[self.row, np.where(known, value, 0)]), -np.inf)


@dataclass(frozen=True)
class Sign:
    """+1 with the probability `positive`, else -1."""

    positive: Values

    def draw(self, rng: np.random.Generator) -> Values:
        """One value for each event."""
        return np.where(rng.random(len(self.positive)) < self.positive, 1.0, -1.0)

    def log_density(self, x: Values) -> Values:
        """Log of the probability, -inf of other values."""
        return np.where(np.abs(x) == 1, np.log(np.where(x > 0, self.positive, 1 - self.positive)), -np.inf)


def _log_normal(z: Values) -> Values:
    return np.asarray(-0.5 * z**2 - 0.5 * np.log(2 * np.pi))
