"""The histogram model with an imperfect reference: the saturated goodness of fit with nuisances profiled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from scipy.special import xlogy

from nplm.data.averaged_weights import event_weight, event_weight_of
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import calls, data_blocks
from nplm.likelihood.fits import Fits
from nplm.likelihood.kernel_sums import padded
from nplm.models.base import WithNuisancesDefaults
from nplm.models.histogram.fit import PreparedHistogram
from nplm.models.histogram.joint import Binned, minimize_in_bins
from nplm.nuisance.joint_likelihood import bend, curve_of
from nplm.nuisance.minima import best_of
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances, Profile, filled
from nplm.optimize.batched_newton import Expansion, Minimum, damped_newton, solve_dense
from nplm.stats.chi2 import Chi2Null

# Tolerance of the Newton decrement, and steps at most.
_TOLERANCE, _STEPS = 1e-10, 100


@dataclass(frozen=True, eq=False)
class PreparedHistogramWithNuisances(WithNuisancesDefaults):
    """The histogram model with its reference and its nuisances.

    Where f is free in each bin, its maximum at fixed nu is f_b = log(n_b / lambda_b(nu)) with lambda_b the bin's sum of
    w r(x; nu), and tau = -2 min over nu of

        n_D - N(R) - sum_b n_b log(n_b / lambda_b(nu)) - sum_D log r(x; nu) - log [L(nu|A) / L(0|A)].

    If r is constant in each bin that is the saturated likelihood ratio with constraints. With a finite reference both
    samples fluctuate in each bin, see `minimize_in_bins`.

    Arguments:
        histogram: the model with the reference as given.
        profile: the nuisances with the reference.
        rows: reference events, those of one bin and the same g taken together.
    """

    histogram: PreparedHistogram
    profile: PreparedNuisances
    rows: Binned

    @classmethod
    def of(
        cls, histogram: PreparedHistogram, nuisances: Nuisances, reference: Sample
    ) -> PreparedHistogramWithNuisances:
        """Adds the nuisances' columns to the events of a prepared histogram."""
        columns = nuisances.columns(reference.events)
        bins = histogram.binning.assign(reference.events)
        kinds, number = np.unique(np.column_stack([bins, columns]), axis=0, return_inverse=True)
        weights = np.bincount(number.ravel(), reference.weights, len(kinds))
        with jax.enable_x64(True):
            parts = (kinds[:, 0].astype(np.int64), kinds[:, 1:], weights)
            rows = Binned(*map(jnp.asarray, parts))
        size = 0.0 if histogram.events is None else event_weight(reference.weights)
        return cls(histogram, PreparedNuisances.of(nuisances, kinds[:, 1:], weights, size), rows)

    @property
    def parameters(self) -> int:
        return self.histogram.parameters + self.profile.nuisances.count

    @property
    def batch_size(self) -> int:
        return self.histogram.batch_size

    def fit(self, data: Sequence[Sample], held: Collection[str] = ()) -> Fits:
        """t = tau - Delta of each sample, with the nuisances of `held` at 0 in both."""
        background = self.profile.fit(data, held)
        if self.histogram.events is None:
            return self._exact(data, background, held)
        return self._finite(data, background, held)

    def _exact(self, data: Sequence[Sample], background: Profile, held: Collection[str]) -> Fits:
        plain = self.histogram.fit(data)
        n = self.histogram.counts(data)
        sums, auxiliary = self.profile.sums(data), self.profile.auxiliary(data)
        owner, start, _ = background.starts()
        free = np.tile(self.profile.nuisances.free(held), (len(owner), 1))
        with jax.enable_x64(True):
            rows = (np.maximum(n, 0)[owner], sums[owner], auxiliary[owner], start, free)
            given = (jnp.asarray(filled(v)) for v in rows)
            end, expected = _minimize(self.profile.nuisances, self.histogram.parameters, self.rows, *given)
            best = best_of(-np.asarray(end.value)[: len(owner)], owner, len(n))
            nu, decrement, value, done = (
                np.asarray(v)[best] for v in (end.point, end.decrement, end.value, end.converged)
            )
            lam = np.asarray(expected)[best]
        tau = 2 * (xlogy(n, n).sum(axis=1) - n.sum(axis=1) + self.histogram.expected.sum()) - 2 * value
        failure = plain.failure.copy()
        failure[(failure == "") & ~np.all(lam > 0, axis=1)] = "a bin's expectation is not positive at the fitted nu"
        t = np.where(failure == "", tau - background.delta, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_ratio = np.log(n / lam)
        converged = background.converged & done & (failure == "")
        return Fits(
            t,
            np.column_stack([log_ratio, nu]),
            converged,
            1,
            np.ones(len(n), dtype=np.int64),
            np.zeros(len(n)),
            decrement,
            failure,
            delta=background.delta,
            nu_delta=background.nu,
            nu_tau=nu,
        )

    def _finite(self, data: Sequence[Sample], background: Profile, held: Collection[str]) -> Fits:
        """Both minima, with a reference that fluctuates in each bin as its events there do."""
        plain, (owner, nu, _) = self.histogram.fit(data), background.starts()
        bins, free = self.histogram.parameters, self.profile.nuisances.free(held)
        shape = (len(owner), bins)
        start = np.column_stack([np.zeros(shape), nu])
        delta, without, settled, _ = self._descend(data, owner, start, np.append(np.zeros(bins), free))
        start[:, bins:] = without[:, bins:]
        tau, point, done, decrement = self._descend(data, owner, start, np.append(np.ones(bins), free))
        lowest, best = best_of(delta, owner, len(data)), best_of(tau, owner, len(data))
        t = np.where(plain.failure == "", tau[best] - delta[lowest], np.nan)
        converged = background.converged & settled[lowest] & done[best] & (plain.failure == "")
        point = point[best]
        point[:, :bins][self.histogram.counts(data) == 0] = -np.inf
        return Fits(
            t,
            point,
            converged,
            1,
            np.ones(len(data), dtype=np.int64),
            np.zeros(len(data)),
            decrement[best],
            plain.failure,
            delta=delta[lowest],
            nu_delta=without[lowest, bins:],
            nu_tau=point[:, bins:],
        )

    def _descend(
        self,
        data: Sequence[Sample],
        owner: Int64[np.ndarray, " J"],
        start: Float64[np.ndarray, "J bins_plus_k"],
        free: Float64[np.ndarray, " bins_plus_k"],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """-2 L at the minimum, where it is, whether it was reached, and how much was left; one start for each row."""
        ends = []
        for part in calls([len(data[i]) for i in owner.tolist()], start.shape[1]):
            own = [data[i] for i in owner[part].tolist()]
            count = len(own)
            rows = (self._ratios(own), self.profile.auxiliary(own), start[part], np.tile(free, (count, 1)))
            with jax.enable_x64(True):
                given = (jnp.asarray(filled(v)) for v in rows)
                end = minimize_in_bins(self.profile.nuisances, self.rows, self._binned(own), *given)
                ends.append([np.asarray(v)[:count] for v in (-2 * end.value, end.point, end.converged, end.decrement)])
        value, point, done, left = (np.concatenate(values) for values in zip(*ends, strict=True))
        return value, point, done, left

    def _ratios(self, data: Sequence[Sample]) -> Float64[np.ndarray, "B bins"]:
        """rho of each sample and bin."""
        assert self.histogram.events is not None
        of_reference = self.histogram.expected / self.histogram.events
        return np.array([of_reference / event_weight_of(sample) for sample in data])

    def _binned(self, data: Sequence[Sample]) -> Binned:
        """The events of samples, filled up to a number and a length that compilations share."""
        order = np.arange(padded(len(data))) % len(data)
        columns = self.profile.columns_of(data)
        bins = [self.histogram.binning.assign(sample.events)[:, None].astype(float) for sample in data]
        laid_out = data_blocks(
            [(bins[i], data[i].weights) for i in order.tolist()], more=[columns[i] for i in order.tolist()]
        )
        assert laid_out.more is not None
        # Blocks of events side by side make one row of a sample's events.
        rows = (jnp.moveaxis(values, 1, 0) for values in (laid_out.x, laid_out.more, laid_out.weights))
        of_bins, of_columns, weights = (values.reshape(len(order), -1, *values.shape[3:]) for values in rows)
        return Binned(of_bins[..., 0].astype(jnp.int64), of_columns, weights)

    def null(self, data: Sample | None = None, **fluctuations: bool) -> Chi2Null:
        """A chi2 with as many degrees of freedom as bins: the nuisances of tau and Delta cancel."""
        return self.histogram.null()

    def log_ratio(self, parameters: Float64[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        return self.histogram.log_ratio(parameters[: self.histogram.parameters], events)

    def named_parameters(self, parameters: Float64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        bins = self.histogram.parameters
        return {**self.histogram.named_parameters(parameters[:bins]), "nu": parameters[bins:]}

    @property
    def alone(self) -> PreparedHistogram:
        return self.histogram


@partial(jax.jit, static_argnames=("nuisances", "bins"))
def _minimize(
    nuisances: Nuisances,
    bins: int,
    rows: Binned,
    n: Float[Array, "B bins"],
    sums: Float[Array, "B e"],
    auxiliary: Float[Array, "B a"],
    start: Float[Array, "B k"],
    free: Float[Array, "B k"],
) -> tuple[Minimum, Float[Array, "B bins"]]:
    """Minimizes sum_b n_b log lambda_b(nu) - S . c(nu) - log [L(nu|A) / L(0|A)]; also returns lambda there."""

    def moments(c: Float[Array, " e"]) -> tuple[Array, Array, Array]:
        """sum w r over each bin of 1, (1, g) and (1, g)(1, g)^T."""
        density = rows.weights * jnp.exp(rows.columns @ c)
        first = density[:, None] * rows.columns
        second = first[:, :, None] * rows.columns[:, None, :]
        return tuple(jax.ops.segment_sum(v, rows.bins, bins) for v in (density, first, second))  # type: ignore[return-value]

    def expand(nu: Float[Array, "B k"]) -> Expansion:
        c = curve_of(nuisances, nu, auxiliary, free)
        lam, first, second = jax.lax.map(moments, c.value)
        value = jnp.sum(jnp.where(n > 0, n * jnp.log(lam), 0.0), axis=1) - jnp.sum(sums * c.value, axis=1) - c.auxiliary
        share = n / lam
        left = jnp.einsum("bi,bie->be", share, first) - sums
        gradient = jnp.einsum("bek,be->bk", c.first, left) - c.pull
        score = jnp.einsum("bie,bek->bik", first / lam[:, :, None], c.first)
        outer = jnp.einsum("bi,bief,bek,bfl->bkl", share, second, c.first, c.first)
        hessian = outer - jnp.einsum("bi,bik,bil->bkl", n, score, score)
        return Expansion(value, gradient, hessian + bend(nuisances, nu, left, free) + c.stiffness)

    end = damped_newton(expand, solve_dense, start, _TOLERANCE, _STEPS)
    return end, jax.lax.map(lambda nu: moments(nuisances.coefficients(nu))[0], end.point)
