"""What a HistFactory model expects in its bins, with first and second derivatives in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm.nuisance.ratios.interpolation_polynomial import polynomial_between

# Modifiers that multiply bins with their parameter: all bins with one, or each bin with its own.
_ONE, _EACH = ("normfactor", "lumi"), ("shapefactor", "shapesys", "staterror")
# A factor of zero has no logarithm; this one is as small as makes no difference.
_LEAST = 1e-12
_POWERS = np.arange(1, 7)


@dataclass(frozen=True, eq=False)
class Varied:
    """Variations of some rows by some parameters.

    Arguments:
        rows, parameters: which, shape (v,); a pair is there once.
        up, down: at +1 and at -1: factors, or differences from the nominal yield, shape (v,).
    """

    rows: Int64[np.ndarray, " v"]
    parameters: Int64[np.ndarray, " v"]
    up: Float64[np.ndarray, " v"]
    down: Float64[np.ndarray, " v"]

    def factors(self, alpha: Float64[np.ndarray, "g v"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The factor and its two derivatives: a power of `up` or `down` from +1 or -1 on, and between a polynomial.

        The polynomial of degree six is 1 at 0 and has the values and derivatives of the powers at +1 and -1 (pyhf's
        code 4).
        """
        log_up, log_down = np.log(self.up), np.log(self.down)
        coefficients = polynomial_between(log_up, log_down)
        a = np.clip(alpha, -1, 1)[..., None]
        inner = [
            1 + (a**_POWERS * coefficients.T).sum(axis=-1),
            (_POWERS * a ** (_POWERS - 1) * coefficients.T).sum(axis=-1),
            ((_POWERS * (_POWERS - 1))[1:] * a ** (_POWERS - 2)[1:] * coefficients.T[:, 1:]).sum(axis=-1),
        ]
        slope = np.where(alpha > 0, log_up, -log_down)
        power = np.exp(slope * alpha)
        outer = [power, power * slope, power * slope**2]
        value, first, second = (np.where(np.abs(alpha) < 1, i, o) for i, o in zip(inner, outer, strict=True))
        return value, first, second

    def differences(self, alpha: Float64[np.ndarray, "g v"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The difference and its two derivatives: linear beyond +1 and -1, and between a polynomial of degree six.

        alpha S + A alpha^2 (15 - 10 alpha^2 + 3 alpha^4), S = (up - down) / 2, A = (up + down) / 16 (pyhf's code 4p).
        """
        odd, even = (self.up - self.down) / 2, (self.up + self.down) / 16
        a = np.clip(alpha, -1, 1)
        a2 = a**2
        value = a * odd + even * a2 * (15 - 10 * a2 + 3 * a2**2)
        first = odd + even * a * (30 - 40 * a2 + 18 * a2**2)
        second = np.where(np.abs(alpha) < 1, even * (30 - 120 * a2 + 90 * a2**2), 0.0)
        return value + (alpha - a) * first, first, second


@dataclass(frozen=True, eq=False)
class Expectation:
    """What bins expect at some values of the parameters, with derivatives.

    Arguments:
        mean: of the bins, shape (g, k).
        slope: their derivatives by the parameters, shape (g, k, p).
    """

    mean: Float64[np.ndarray, "g k"]
    slope: Float64[np.ndarray, "g k p"]
    _bins: Int64[np.ndarray, " r"]
    _factor: Float64[np.ndarray, "g r"]
    _sum: Float64[np.ndarray, "g r"]
    _of_factor: tuple[np.ndarray, np.ndarray]
    _of_sum: tuple[np.ndarray, np.ndarray]

    def curvature(self, weight: Float64[np.ndarray, "g k"]) -> Float64[np.ndarray, "g p p"]:
        """sum_i weight_i d^2 mean_i / d theta^2."""
        each = weight[:, self._bins] * self._factor
        (by_factor, log_second), (by_sum, sum_second) = self._of_factor, self._of_sum
        turned = by_factor.transpose(0, 2, 1)
        mixed = turned @ (each[:, :, None] * by_sum)
        found = turned @ ((each * self._sum)[:, :, None] * by_factor) + mixed + mixed.transpose(0, 2, 1)
        own = (each[:, :, None] * (self._sum[:, :, None] * log_second + sum_second)).sum(axis=1)
        found[:, np.arange(own.shape[1]), np.arange(own.shape[1])] += own
        return found


@dataclass(frozen=True, eq=False)
class HistFactory:
    """The bins of a HistFactory model (K. Cranmer et al., CERN-OPEN-2012-016), as pyhf reads them.

    A row is a sample in a bin. It expects [nominal + sum of differences] times all its factors; a bin expects the sum
    of its rows.

    Arguments:
        nominal: of the rows, shape (r,).
        bins: of the rows, in order, shape (r,).
        factors: how often each parameter multiplies each row itself, shape (r, p).
        scales: variations of whole samples, by factors.
        shapes: variations of bins, by differences.
    """

    nominal: Float64[np.ndarray, " r"]
    bins: Int64[np.ndarray, " r"]
    factors: Float64[np.ndarray, "r p"]
    scales: Varied
    shapes: Varied

    @classmethod
    def of(cls, model: Any) -> HistFactory:
        """That of a pyhf model.

        Raises:
            ValueError: if it has something that is not known here.
        """
        config = model.config
        channels = {channel["name"]: channel for channel in model.spec["channels"]}
        nominal: list[float] = []
        bins: list[int] = []
        factors: list[np.ndarray] = []
        scales: list[tuple[int, int, float, float]] = []
        shapes: list[tuple[int, int, float, float]] = []
        first = 0
        for channel in config.channels:
            for i in range(config.channel_nbins[channel]):
                for sample in channels[channel]["samples"]:
                    row, multiplied = len(nominal), np.zeros(config.npars)
                    nominal.append(float(sample["data"][i]))
                    bins.append(first + i)
                    factors.append(multiplied)
                    for modifier in sample["modifiers"]:
                        kind, data = modifier["type"], modifier["data"]
                        at = config.par_slice(modifier["name"]).start
                        if kind in _ONE or kind in _EACH:
                            multiplied[at + i * (kind in _EACH)] += 1
                        elif kind == "normsys":
                            scales.append((row, at, data["hi"], data["lo"]))
                        elif kind == "histosys":
                            nominal_here = sample["data"][i]
                            up, down = data["hi_data"][i] - nominal_here, data["lo_data"][i] - nominal_here
                            shapes.append((row, at, up, down))
                        else:
                            raise ValueError(
                                f"the workspace has a modifier '{modifier['name']}' of the type {kind}, which the full"
                                " likelihood does not know: take the simplified one"
                            )
            first += config.channel_nbins[channel]
        found = cls(np.array(nominal), np.array(bins), np.array(factors), _varied(scales), _varied(shapes))
        found._require_same(model)
        return found

    def at(self, parameters: Float64[np.ndarray, "g p"]) -> Expectation:
        """Expectation at each of some values of all parameters."""
        shape = (len(parameters), *self.factors.shape)
        value = np.where(self.factors.any(axis=0), np.maximum(parameters, _LEAST), 1.0)
        log_factor = np.log(value) @ self.factors.T
        by_factor, log_second = self.factors / value[:, None, :], -self.factors / value[:, None, :] ** 2
        rows, at = self.scales.rows, self.scales.parameters
        scale, first, second = self.scales.factors(parameters[:, at])
        np.add.at(log_factor.T, rows, np.log(scale).T)
        by_factor[:, rows, at] += first / scale
        log_second[:, rows, at] += second / scale - (first / scale) ** 2
        total = np.broadcast_to(self.nominal, log_factor.shape).copy()
        by_sum, sum_second = np.zeros(shape), np.zeros(shape)
        rows, at = self.shapes.rows, self.shapes.parameters
        difference, by_sum[:, rows, at], sum_second[:, rows, at] = self.shapes.differences(parameters[:, at])
        np.add.at(total.T, rows, difference.T)
        factor = np.exp(log_factor)
        starts = np.flatnonzero(np.diff(self.bins, prepend=-1))
        slope = factor[:, :, None] * (by_sum + total[:, :, None] * by_factor)
        return Expectation(
            np.add.reduceat(factor * total, starts, axis=1),
            np.add.reduceat(slope, starts, axis=1),
            self.bins,
            factor,
            total,
            (by_factor, log_second),
            (by_sum, sum_second),
        )

    def _require_same(self, model: Any) -> None:
        """Refuses a model of which pyhf expects something else."""
        begin = np.asarray(model.config.suggested_init(), dtype=np.float64)
        moved = begin + np.random.default_rng(1).uniform(-0.5, 0.5, begin.shape)
        for parameters in (begin, moved):
            mean = np.asarray(model.expected_data(parameters.tolist(), include_auxdata=False), dtype=np.float64)
            if not np.allclose(self.at(parameters[None]).mean[0], mean, rtol=1e-9, atol=1e-9 * mean.max()):
                raise ValueError(
                    "the workspace expects something else than its HistFactory document says; take the simplified"
                    " likelihood"
                )


def _varied(found: list[tuple[int, int, float, float]]) -> Varied:
    rows, parameters, up, down = (
        np.array(v, dtype=np.float64) for v in (zip(*found, strict=True) if found else [[]] * 4)
    )
    return Varied(rows.astype(np.int64), parameters.astype(np.int64), up, down)
