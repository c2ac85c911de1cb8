"""Delta: how much better than the reference as given its variations describe the data, with nu profiled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64

from nplm.likelihood import statistic
from nplm.models.base import Fits
from nplm.models.kernel_loss import Blocks
from nplm.models.kernel_pool import Pools
from nplm.models.kernel_products import CALLED, in_blocks, padded
from nplm.nuisance.joint_loss import curvature_in_nu, minimize_jointly
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.summary import NuisanceSummary
from nplm.sample import Sample

# A maximum of the auxiliary likelihood is none where its curvature is so small a part of 1 / sigma^2.
_FLAT = 1e-3


@dataclass(frozen=True, eq=False)
class Profile:
    """Delta of B data samples.

    Arguments:
        delta: -2 min over nu of the loss without f, shape (B,); non-negative.
        nu: where that minimum is, shape (B, k).
        converged: shape (B,).
    """

    delta: Float64[np.ndarray, " B"]
    nu: Float64[np.ndarray, "B k"]
    converged: Bool[np.ndarray, " B"]


@dataclass(frozen=True, eq=False)
class PreparedNuisances:
    """Nuisances with the reference.

    Delta = -2 min over nu of { sum_R w (r(x; nu) - 1) - sum_D log r(x; nu) - log [L(nu|A) / L(0|A)] }
    (arXiv:2111.13633, eq. 14, with f = 0).

    Arguments:
        nuisances: the log-ratios and the auxiliary likelihood.
        blocks: of the reference, with no modes and the columns (1, g).
    """

    nuisances: Nuisances
    blocks: Blocks

    @classmethod
    def of(
        cls, nuisances: Nuisances, columns: Float64[np.ndarray, "n e"], weights: Float64[np.ndarray, " n"]
    ) -> PreparedNuisances:
        """Lays the columns (1, g) of reference events, or of points that stand for them, out for the compiled loss."""
        more, w = in_blocks(columns, weights, 64, CALLED)
        with jax.enable_x64(True):
            nothing = jnp.zeros((*more.shape[:2], 0))
            return cls(nuisances, Blocks(nothing, jnp.asarray(w), more=jnp.asarray(more)))

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

    def fit(
        self, sums: Float64[np.ndarray, "B e"], auxiliary: Float64[np.ndarray, "B a"], held: Collection[str] = ()
    ) -> Profile:
        """Delta of samples of which the sums of the columns and the auxiliary measurements are known.

        Nuisances of `held` stay at 0; what is known of the others is then taken at 0 of these.
        """
        return self._minimum(self.blocks, sums, auxiliary, held)

    def fit_sample(self, data: Sample) -> Profile:
        """Delta of one sample."""
        return self.fit(self.sums([data]), self.auxiliary([data]))

    def summary(self, data: Sample, fits: Fits, impact: Float64[np.ndarray, " k"] | None = None) -> NuisanceSummary:
        """What one sample says about the nuisances.

        Arguments:
            data: the sample.
            fits: its fit with f.
            impact: of each nuisance on t, see `nplm.nuisance.impact`; None if it is not wanted.
        """
        assert fits.delta is not None
        assert fits.nu_delta is not None
        assert fits.nu_tau is not None
        nu, sums, auxiliary = fits.nu_delta[0], self.sums([data])[0], self.auxiliary([data])[0]
        return NuisanceSummary.of(
            self.nuisances.names,
            self.nuisances.sigma,
            self.measured(auxiliary),
            nu,
            np.linalg.inv(self._curvature(self.blocks, nu, sums, auxiliary)),
            fits.nu_tau[0],
            float(fits.t[0]),
            float(fits.delta[0]),
            impact,
            self.nuisances.learned_range,
        )

    def measured(self, auxiliary: Float64[np.ndarray, " a"]) -> Float64[np.ndarray, " k"]:
        """Where the auxiliary likelihood alone has its maximum; NaN where it has none, as of a count of zero."""
        # With a reference of no weight, and no data, the loss of Delta is the auxiliary likelihood.
        with jax.enable_x64(True):
            alone = self.blocks._replace(weights=jnp.zeros_like(self.blocks.weights))
        none = np.zeros((1, self.blocks.columns))
        end = self._minimum(alone, none, auxiliary[None])
        curvature = np.diag(self._curvature(alone, end.nu[0], none[0], auxiliary))
        flat = curvature * self.nuisances.sigma**2 < _FLAT
        return np.where(flat | ~end.converged, np.nan, end.nu[0])

    def _minimum(
        self,
        blocks: Blocks,
        sums: Float64[np.ndarray, "B e"],
        auxiliary: Float64[np.ndarray, "B a"],
        held: Collection[str] = (),
    ) -> Profile:
        count = len(sums)
        free = np.tile(self.nuisances.free(held), (count, 1))
        with jax.enable_x64(True):
            s, a, f = (jnp.asarray(filled(v)) for v in (sums, auxiliary, free))
            end = minimize_jointly(self.nuisances, blocks, jnp.zeros(0), s, a, jnp.zeros_like(f), f)
            delta, nu, converged = (np.asarray(v)[:count] for v in (statistic(end.value), end.point, end.converged))
        return Profile(delta, nu, converged)

    def _curvature(
        self,
        blocks: Blocks,
        nu: Float64[np.ndarray, " k"],
        sums: Float64[np.ndarray, " e"],
        auxiliary: Float64[np.ndarray, " a"],
    ) -> Float64[np.ndarray, "k k"]:
        with jax.enable_x64(True):
            return np.asarray(curvature_in_nu(self.nuisances, blocks, *map(jnp.asarray, (nu, sums, auxiliary))))


def filled(rows: Float64[np.ndarray, "B c"]) -> Float64[np.ndarray, "P c"]:
    """Rows repeated up to a power of two, so that a few compilations serve all."""
    return rows[np.arange(padded(len(rows))) % len(rows)]
