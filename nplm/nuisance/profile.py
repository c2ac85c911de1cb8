"""Delta: how much better than the reference as given its variations describe the data, with nu profiled."""

from __future__ import annotations

from collections.abc import Sequence
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

    def fit(self, sums: Float64[np.ndarray, "B e"], auxiliary: Float64[np.ndarray, "B a"]) -> Profile:
        """Delta of samples of which the sums of the columns and the auxiliary measurements are known."""
        count, k = len(sums), self.nuisances.count
        s, a = filled(sums), filled(auxiliary)
        with jax.enable_x64(True):
            none, start = jnp.zeros(0), jnp.zeros((len(s), k))
            end = minimize_jointly(self.nuisances, self.blocks, none, jnp.asarray(s), jnp.asarray(a), start)
            delta, nu, converged = (np.asarray(v)[:count] for v in (statistic(end.value), end.point, end.converged))
        return Profile(delta, nu, converged)

    def fit_sample(self, data: Sample) -> Profile:
        """Delta of one sample."""
        return self.fit(self.sums([data]), self.auxiliary([data]))

    def summary(self, data: Sample, fits: Fits) -> NuisanceSummary:
        """What one sample says about the nuisances.

        Arguments:
            data: the sample.
            fits: its fit with f.
        """
        assert fits.delta is not None
        assert fits.nu_delta is not None
        assert fits.nu_tau is not None
        nu, names = fits.nu_delta[0], self.nuisances.names
        with jax.enable_x64(True):
            given = map(jnp.asarray, (nu, self.sums([data])[0], self.auxiliary([data])[0]))
            curvature = np.asarray(curvature_in_nu(self.nuisances, self.blocks, *given))
        covariance = np.linalg.inv(curvature)
        t, delta = float(fits.t[0]), float(fits.delta[0])
        return NuisanceSummary.of(names, self.nuisances.sigma, nu, covariance, fits.nu_tau[0], t, delta)


def filled(rows: Float64[np.ndarray, "B c"]) -> Float64[np.ndarray, "P c"]:
    """Rows repeated up to a power of two, so that a few compilations serve all."""
    return rows[np.arange(padded(len(rows))) % len(rows)]
