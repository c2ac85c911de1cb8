"""The largest likelihood of a pyhf model over all of its nuisances, for many signals at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import gammaln, xlogy

from nplm.channels.histfactory import HistFactory
from nplm.nuisance.constraints.pyhf_terms import Terms, model_of

# A fit ends where a Newton step would gain less, or where no step gains anything any more.
_GAIN, _MOST_DAMPED, _STEPS = 1e-9, 1e8, 500
# Signals are fitted so many at a time.
_TOGETHER = 32
# What keeps parameters in place that change nothing.
_RIDGE = 1e-12
# What has to be above zero is at least so large.
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class ProfiledModel:
    """Fits of a pyhf model to data, with a signal that is added to its bins; the workspace's own signal is left out.

    Arguments:
        bins: what they expect.
        terms: auxiliary measurements of parameters.
        begin, low, high: where they begin, and within which bounds they stay, shape (p,).
        free: which are fitted, shape (p,).
    """

    bins: HistFactory
    terms: Terms
    begin: Float64[np.ndarray, " p"]
    low: Float64[np.ndarray, " p"]
    high: Float64[np.ndarray, " p"]
    free: Bool[np.ndarray, " p"]

    @classmethod
    def of_workspace(
        cls, workspace: Mapping[str, Any], measurement: str | None = None
    ) -> tuple[ProfiledModel, Float64[np.ndarray, " k"]]:
        """The model of a measurement of a workspace (None: the first), and the counts that were observed.

        The parameter of interest stays at zero, and those that the measurement fixes where they are.

        Raises:
            ValueError: if pyhf is not installed or does not accept the workspace, or has something that is not known.
        """
        model, observed = model_of(workspace, measurement)
        config = model.config
        begin, free = np.asarray(config.suggested_init(), dtype=np.float64), ~np.array(config.suggested_fixed())
        if config.poi_index is not None:
            begin[config.poi_index], free[config.poi_index] = 0.0, False
        bounds = np.full((len(begin), 2), [-np.inf, np.inf])
        for name in config.par_order:
            given = config.param_set(name).suggested_bounds
            if given is not None:
                bounds[config.par_slice(name)] = given
        low, high = bounds.T
        return cls(HistFactory.of(model), Terms.of(model), begin, low, high, free), observed

    def fit(
        self,
        counts: Float64[np.ndarray, "*g k"],
        auxiliary: Float64[np.ndarray, "*g a"],
        signal: Float64[np.ndarray, "g k"],
        start: Float64[np.ndarray, " p"] | None = None,
    ) -> tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, "g p"]]:
        """max over nu of sum_i log Poisson(n_i; lambda_i(nu) + s_i) + log of all constraint terms: pyhf's logpdf.

        By Newton's method with the damping of Levenberg and Marquardt; a parameter that wants to be beyond a bound
        stays there.

        Arguments:
            counts, auxiliary: the data of all fits, or of each.
            signal: of each fit, in each bin.
            start: all parameters, where to begin; by default where pyhf does.

        Returns:
            The largest log L of each signal, and all parameters there.

        Raises:
            ValueError: if a fit does not end.
        """
        first = np.where(self.free, np.clip(self.begin if start is None else start, self.low, self.high), self.begin)
        data = np.broadcast_to(counts, signal.shape), np.broadcast_to(auxiliary, (len(signal), auxiliary.shape[-1]))
        parts = [slice(i, i + _TOGETHER) for i in range(0, len(signal), _TOGETHER)]
        fits = [self._fit(data[0][part], data[1][part], signal[part], first) for part in parts]
        return np.concatenate([value for value, _ in fits]), np.concatenate([nu for _, nu in fits])

    def _fit(
        self, counts: np.ndarray, auxiliary: np.ndarray, signal: np.ndarray, first: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        at = np.repeat(first[None], len(signal), axis=0)
        low, high, many = self.low[self.free], self.high[self.free], int(self.free.sum())
        value, gradient, hessian = self._loss(at, counts, auxiliary, signal)
        unit = np.maximum(np.diagonal(hessian, axis1=1, axis2=2), 1.0)
        damping, eye = np.zeros(len(signal)), np.eye(many)
        left = np.arange(len(signal))
        for _ in range(_STEPS):
            here, g = at[np.ix_(left, self.free)], gradient[left]
            held = ((here <= low) & (g > 0)) | ((here >= high) & (g < 0))
            matrix = np.where(held[:, :, None] | held[:, None, :], 0.0, hessian[left])
            matrix += ((damping[left, None] + _RIDGE) * unit[left] + held)[:, :, None] * eye
            downhill = np.where(held, 0.0, -g)
            step = np.linalg.solve(matrix, downhill[:, :, None])[:, :, 0]
            gain = (downhill * step).sum(axis=1) / 2
            ended = ((gain >= 0) & (gain < _GAIN) & (damping[left] == 0)) | (damping[left] > _MOST_DAMPED)
            left, step = left[~ended], step[~ended]
            if not len(left):
                return -value, at
            moved = at[left]
            moved[:, self.free] = np.clip(moved[:, self.free] + step, low, high)
            new_value, new_gradient, new_hessian = self._loss(moved, counts[left], auxiliary[left], signal[left])
            better = new_value < value[left]
            rows = left[better]
            at[rows], value[rows] = moved[better], new_value[better]
            gradient[rows], hessian[rows] = new_gradient[better], new_hessian[better]
            eased = np.where(damping[left] > 1e-3, damping[left] / 10, 0.0)
            damping[left] = np.where(better, eased, np.maximum(10 * damping[left], 1e-2))
        raise ValueError(f"a fit of the workspace did not end after {_STEPS} steps")

    def expected_information(
        self, at: Float64[np.ndarray, " p"]
    ) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"]]:
        """What bins expect without a signal, and the information that they have on yields s that are added to them.

        With W = diag(1 / lambda), the derivatives J of lambda and the information H of bins and constraints on the
        parameters it is W - W J H^-1 J^T W: the inverse of diag(lambda) + V where the constraints alone leave V.

        Arguments:
            at: all parameters.
        """
        expected = self.bins.at(at[None])
        mean, slope = np.maximum(expected.mean[0], _LEAST), expected.slope[0][:, self.free]
        own = np.zeros(len(at))
        scale, where = self.terms.scale, self.terms.positions
        own[where] = np.where(self.terms.poisson, scale / np.maximum(at[where], _LEAST), 1 / scale**2)
        weighted = slope / mean[:, None]
        information = slope.T @ weighted + np.diag(own[self.free])
        information += _RIDGE * np.diag(np.maximum(np.diag(information), 1.0))
        return expected.mean[0], np.diag(1 / mean) - weighted @ np.linalg.solve(information, weighted.T)

    def saturated(
        self, counts: Float64[np.ndarray, "g k"], auxiliary: Float64[np.ndarray, "g a"]
    ) -> Float64[np.ndarray, " g"]:
        """log L of a model that expects all data as they are."""
        terms, measured = self.terms, np.where(self.terms.poisson, auxiliary, 0.0)
        of_bins = (xlogy(counts, counts) - counts - gammaln(counts + 1)).sum(axis=-1)
        of_poisson = xlogy(measured, measured) - measured - gammaln(measured + 1)
        of_normal = -np.log(terms.scale * np.sqrt(2 * np.pi))
        return of_bins + np.where(terms.poisson, of_poisson, of_normal).sum(axis=-1)

    def unconstrained(self, at: Float64[np.ndarray, " p"]) -> int:
        """How many free parameters, or combinations of these, the bins determine and no auxiliary data constrain."""
        loose = self.free.copy()
        loose[self.terms.positions] = False
        return int(np.linalg.matrix_rank(self.bins.at(at[None]).slope[0][:, loose])) if loose.any() else 0

    def auxiliary_at(self, at: Float64[np.ndarray, " p"]) -> Float64[np.ndarray, " a"]:
        """What auxiliary data expect."""
        p = at[self.terms.positions]
        return np.where(self.terms.poisson, self.terms.scale * p, p)

    def draw(
        self, at: Float64[np.ndarray, " p"], rng: np.random.Generator
    ) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " a"]]:
        """Counts and auxiliary data, drawn without a signal."""
        counts = rng.poisson(self.bins.at(at[None]).mean[0]).astype(np.float64)
        return counts, self.terms.draw(at[self.terms.positions], rng)

    def _loss(
        self, at: np.ndarray, counts: np.ndarray, auxiliary: np.ndarray, signal: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """-log L, and its derivatives by the free parameters; infinite where a bin expects less than nothing."""
        expected = self.bins.at(at)
        mean = expected.mean + signal
        with np.errstate(divide="ignore", invalid="ignore"):
            value = -(xlogy(counts, mean) - mean - gammaln(counts + 1)).sum(axis=1)
            ratio = np.where(counts > 0, counts / mean, 0.0)
            steep = np.where(counts > 0, ratio / mean, 0.0)
        gradient = ((1 - ratio)[:, None, :] @ expected.slope)[:, 0]
        hessian = expected.slope.transpose(0, 2, 1) @ (steep[:, :, None] * expected.slope)
        hessian += expected.curvature(1 - ratio)
        terms, where = self.terms, self.terms.positions
        poisson, scale = terms.poisson, terms.scale
        p = at[:, where]
        # Of normal terms, what only Poisson ones need is taken at one.
        above, measured = np.where(poisson, np.maximum(p, _LEAST), 1.0), np.where(poisson, auxiliary, 1.0)
        of_poisson = scale * above - xlogy(measured, scale * above) + gammaln(measured + 1)
        pull = (p - auxiliary) / scale
        value += np.where(poisson, of_poisson, pull**2 / 2 + np.log(scale * np.sqrt(2 * np.pi))).sum(axis=1)
        gradient[:, where] += np.where(poisson, scale - measured / above, pull / scale)
        hessian[:, where, where] += np.where(poisson, measured / above**2, 1 / scale**2)
        value = np.where(np.isnan(value) | (mean < 0).any(axis=1), np.inf, value)
        return value, gradient[:, self.free], hessian[:, self.free][:, :, self.free]
