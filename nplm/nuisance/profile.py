"""Delta: how much better than the reference as given its variations describe the data, with nu profiled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm.data.averaged_weights import event_weight_of
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import calls, data_blocks
from nplm.likelihood.fits import Fits
from nplm.likelihood.kernel_sums import CALLED, in_blocks, padded
from nplm.likelihood.log_linear import Blocks
from nplm.likelihood.log_linear_fit import Extended, FiniteReference, Likelihood
from nplm.likelihood.pool_sums import Pools
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.nuisance.joint_likelihood import curvature_in_nu, minimize_jointly
from nplm.nuisance.minima import ESCAPES, Axes, bends, distinct, lowest_curvature, numbered
from nplm.nuisance.nuisances import Nuisances

# A maximum of the auxiliary likelihood is none where its curvature is so small a part of 1 / sigma^2.
_FLAT = 1e-3


@dataclass(frozen=True, eq=False)
class Profile:
    """Delta of B data samples.

    Arguments:
        delta: -2 min over nu of the loss without f, shape (B,); non-negative.
        nu: where that minimum is, shape (B, k).
        converged: shape (B,).
        others: where else the loss of each sample has minima, in the order of Delta there, each of shape (m, k).
        other_delta: Delta there, each of shape (m,).
    """

    delta: Float64[np.ndarray, " B"]
    nu: Float64[np.ndarray, "B k"]
    converged: Bool[np.ndarray, " B"]
    others: tuple[Float64[np.ndarray, "_ k"], ...]
    other_delta: tuple[Float64[np.ndarray, " _"], ...]

    def starts(self) -> tuple[Int64[np.ndarray, " J"], Float64[np.ndarray, "J k"], Float64[np.ndarray, " J"]]:
        """Where a fit of tau begins: at every minimum of Delta, as it may be the other one that leads to its own.

        Returns:
            The number of the sample, nu and Delta of each start; first the minimum of each sample, then all others.
        """
        return (
            np.concatenate([np.arange(len(self.nu)), numbered(self.others)]),
            np.concatenate([self.nu, *self.others]),
            np.concatenate([self.delta, *self.other_delta]),
        )


class _Ends(NamedTuple):
    """Where descents ended: the loss, shape (J,), nu, shape (J, k), and whether they converged, shape (J,)."""

    value: Float64[np.ndarray, " J"]
    nu: Float64[np.ndarray, "J k"]
    converged: Bool[np.ndarray, " J"]


@dataclass(frozen=True, eq=False)
class PreparedNuisances:
    """Nuisances with the reference.

    Delta = -2 min over nu of { sum_R w (r(x; nu) - 1) - sum_D log r(x; nu) - log [L(nu|A) / L(0|A)] }
    (arXiv:2111.13633, eq. 14, with f = 0). With a reference of finite size the first two terms are the likelihood of
    `FiniteReference` at log r, whose minima are sought from those of the exact one.

    Arguments:
        nuisances: the log-ratios and the auxiliary likelihood.
        blocks: of the reference, with no modes and the columns (1, g).
        event_weight: w0 of the finite-reference likelihood; 0 where the reference is taken as exact.
    """

    nuisances: Nuisances
    blocks: Blocks
    event_weight: float = 0.0

    @classmethod
    def of(
        cls,
        nuisances: Nuisances,
        columns: Float64[np.ndarray, "n e"],
        weights: Float64[np.ndarray, " n"],
        event_weight: float = 0.0,
    ) -> PreparedNuisances:
        """Lays the columns (1, g) of reference events, or of points that stand for them, out for the compiled loss."""
        more, w = in_blocks(columns, weights, 64, CALLED)
        with jax.enable_x64(True):
            nothing = jnp.zeros((*more.shape[:2], 0))
            return cls(nuisances, Blocks(nothing, jnp.asarray(w), more=jnp.asarray(more)), event_weight)

    @cached_property
    def _axes(self) -> Axes:
        return Axes.of(self.nuisances, self.blocks)

    @cached_property
    def _bends(self) -> bool:
        """Whether log r is not linear in nu; if it is, a log-concave auxiliary likelihood leaves one minimum."""
        return bends(self.nuisances)

    @cached_property
    def pools(self) -> Pools:
        """The columns at the events of pools that toys come from."""
        return Pools(self.nuisances.columns, 1 + self.nuisances.ratio.size)

    def sums(self, data: Sequence[Sample]) -> Float64[np.ndarray, "B e"]:
        """sum_D v (1, g) of each sample."""
        pooled = self.pools.sums(data)
        return np.array(
            [
                sample.weights @ self.nuisances.columns(sample.events) if known is None else known
                for sample, known in zip(data, pooled, strict=True)
            ]
        )

    def columns_of(self, data: Sequence[Sample]) -> list[Float64[np.ndarray, "_ e"]]:
        """(1, g) at the events of each sample."""
        return self.pools.rows_of(data)

    def ratios(self, data: Sequence[Sample]) -> Float64[np.ndarray, " B"]:
        """rho of each sample; 0 where the reference is taken as exact."""
        if self.event_weight == 0:
            return np.zeros(len(data))
        return np.array([self.event_weight / event_weight_of(sample) for sample in data])

    def auxiliary(self, data: Sequence[Sample]) -> Float64[np.ndarray, "B a"]:
        """The auxiliary measurements of each sample: those that came with it, or those that the test was given."""
        given = self.nuisances.auxiliary
        measured = [given if sample.auxiliary is None else sample.auxiliary for sample in data]
        for sample, values in zip(data, measured, strict=True):
            if values.shape != given.shape:
                raise ValueError(
                    f"{sample.name} has auxiliary measurements of shape {values.shape}, but the constraint is about"
                    f" {len(given)}: give one for each"
                )
        return np.array(measured)

    def fit(self, data: Sequence[Sample], held: Collection[str] = ()) -> Profile:
        """Delta of samples.

        Nuisances of `held` stay at 0; what is known of the others is then taken at 0 of these.
        """
        sums, auxiliary, free = self.sums(data), self.auxiliary(data), self.nuisances.free(held)
        if self._bends:
            exact = self._lowest(sums, auxiliary, free)
        else:
            start, none = np.zeros((len(sums), self.nuisances.count)), np.zeros((0, self.nuisances.count))
            end = self._descend(self._exact(self.blocks, sums), auxiliary, start, free)
            exact = Profile(-2 * end.value, end.nu, end.converged, (none,) * len(sums), (none[:, 0],) * len(sums))
        return exact if self.event_weight == 0 else self._with_finite_reference(data, exact, free)

    def _with_finite_reference(
        self, data: Sequence[Sample], exact: Profile, free: Float64[np.ndarray, " k"]
    ) -> Profile:
        """The minima with a finite reference, from those of samples with an exact one."""
        owner, nu, _ = exact.starts()
        parts = []
        for part in calls([len(data[i]) for i in owner.tolist()], self.blocks.columns):
            own = [data[i] for i in owner[part].tolist()]
            parts.append(self._descend(self._finite(own), self.auxiliary(own), nu[part], free))
        ends = _Ends(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        return self._sorted(len(data), owner, ends, exact.converged[owner])

    def summary(self, data: Sample, fits: Fits, impact: Float64[np.ndarray, " k"] | None = None) -> NuisanceSummary:
        """What one sample says about the nuisances.

        Arguments:
            data: the sample.
            fits: its fit with f.
            impact: of each nuisance on t, see `nplm.hypotest.impact`; None if it is not wanted.
        """
        assert fits.delta is not None
        assert fits.nu_delta is not None
        assert fits.nu_tau is not None
        nu, auxiliary = fits.nu_delta[0], self.auxiliary([data])[0]
        others = self.fit([data])
        likelihood = self._finite([data]) if self.event_weight > 0 else self._exact(self.blocks, self.sums([data]))
        return NuisanceSummary.of(
            self.nuisances.names,
            self.nuisances.sigma,
            self.measured(auxiliary),
            nu,
            np.linalg.inv(self._curvatures(likelihood, nu[None], auxiliary[None])[0]),
            fits.nu_tau[0],
            float(fits.t[0]),
            float(fits.delta[0]),
            impact,
            self.nuisances.learned_range,
            tuple(zip(others.others[0], others.other_delta[0].tolist(), strict=True)),
        )

    def measured(self, auxiliary: Float64[np.ndarray, " a"]) -> Float64[np.ndarray, " k"]:
        """Where the auxiliary likelihood alone has its maximum; NaN where it has none, as of a count of zero."""
        # With a reference of no weight, and no data, the loss of Delta is the auxiliary likelihood.
        with jax.enable_x64(True):
            alone = self.blocks._replace(weights=jnp.zeros_like(self.blocks.weights))
        likelihood, count = self._exact(alone, np.zeros((1, self.blocks.columns))), self.nuisances.count
        end = self._descend(likelihood, auxiliary[None], np.zeros((1, count)), np.ones(count))
        curvature = np.diag(self._curvatures(likelihood, end.nu, auxiliary[None])[0])
        flat = curvature * self.nuisances.sigma**2 < _FLAT
        return np.where(flat | ~end.converged, np.nan, end.nu[0])

    def _lowest(
        self, sums: Float64[np.ndarray, "B e"], auxiliary: Float64[np.ndarray, "B a"], free: Float64[np.ndarray, " k"]
    ) -> Profile:
        """The lowest of all minima that descents from several starts end in, and the others."""
        starts = self._axes.starts(self.nuisances, sums, auxiliary, free)
        owner, nu = numbered(starts), np.concatenate(starts)
        parts: list[tuple[np.ndarray, _Ends, np.ndarray]] = []
        for _ in range(ESCAPES):
            likelihood = self._exact(self.blocks, sums[owner])
            end = self._descend(likelihood, auxiliary[owner], nu, free)
            curvature = self._curvatures(likelihood, end.nu, auxiliary[owner])
            saddle, step = lowest_curvature(curvature, self.nuisances.sigma, free)
            parts.append((owner, end, ~saddle))
            if not saddle.any():
                break
            owner = np.tile(owner[saddle], 2)
            nu = np.concatenate([end.nu[saddle] + step[saddle], end.nu[saddle] - step[saddle]])
        owner = np.concatenate([part[0] for part in parts])
        ends = _Ends(*(np.concatenate(column) for column in zip(*(part[1] for part in parts), strict=True)))
        minimum = np.concatenate([part[2] for part in parts])
        return self._sorted(len(sums), owner, ends, minimum)

    def _sorted(
        self, count: int, owner: Int64[np.ndarray, " J"], ends: _Ends, minimum: Bool[np.ndarray, " J"]
    ) -> Profile:
        """The ends of each sample, the lowest first."""
        rows = np.lexsort((np.where(np.isfinite(ends.value), ends.value, np.inf), owner))
        of_sample = np.split(rows, np.searchsorted(owner[rows], np.arange(1, count)))
        sigma, proper = self.nuisances.sigma, minimum & ends.converged
        kept = [own[distinct(ends.nu[own], sigma, proper[own])] for own in of_sample]
        first = np.array([own[0] for own in kept])
        return Profile(
            -2 * ends.value[first],
            ends.nu[first],
            proper[first],
            tuple(ends.nu[own[1:]] for own in kept),
            tuple(-2 * ends.value[own[1:]] for own in kept),
        )

    def _exact(self, blocks: Blocks, sums: Float64[np.ndarray, "J e"]) -> Extended:
        """The likelihood of samples of which the sums are known, filled up to a number that compilations share."""
        with jax.enable_x64(True):
            return Extended(blocks, jnp.asarray(filled(sums)))

    def _finite(self, data: Sequence[Sample]) -> FiniteReference:
        """The likelihood of samples with a reference of finite size, filled up likewise."""
        order = np.arange(padded(len(data))) % len(data)
        columns = self.columns_of(data)
        rows = [(np.zeros((len(data[i]), 0)), data[i].weights) for i in order.tolist()]
        with jax.enable_x64(True):
            ratios = jnp.asarray(self.ratios(data)[order])
            return FiniteReference(self.blocks, data_blocks(rows, more=[columns[i] for i in order.tolist()]), ratios)

    def _descend(
        self,
        likelihood: Likelihood,
        auxiliary: Float64[np.ndarray, "J a"],
        start: Float64[np.ndarray, "J k"],
        free: Float64[np.ndarray, " k"],
    ) -> _Ends:
        """Descends from one start for each sample of the likelihood."""
        count = len(start)
        with jax.enable_x64(True):
            a, begin, moves = (jnp.asarray(filled(v)) for v in (auxiliary, start, np.tile(free, (count, 1))))
            end = minimize_jointly(self.nuisances, likelihood, jnp.zeros(0), a, begin, moves)
            value = end.value / likelihood.unit
            return _Ends(*(np.asarray(v)[:count] for v in (value, end.point, end.converged)))

    def _curvatures(
        self, likelihood: Likelihood, nu: Float64[np.ndarray, "J k"], auxiliary: Float64[np.ndarray, "J a"]
    ) -> Float64[np.ndarray, "J k k"]:
        with jax.enable_x64(True):
            rows = (jnp.asarray(filled(v)) for v in (nu, auxiliary))
            return np.asarray(curvature_in_nu(self.nuisances, likelihood, *rows))[: len(nu)]


def filled(rows: Float64[np.ndarray, "B c"]) -> Float64[np.ndarray, "P c"]:
    """Rows repeated up to a power of two, so that a few compilations serve all."""
    return rows[np.arange(padded(len(rows))) % len(rows)]
