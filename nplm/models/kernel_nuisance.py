"""The kernel model with an imperfect reference: tau over modes and nuisances together, and t = tau - Delta."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from nplm.calibrate.mixture import MixtureNull
from nplm.likelihood import statistic
from nplm.models.base import Fits, seconds_of_batches
from nplm.models.kernel_covariance import covariance_of_sums
from nplm.models.kernel_fit import PreparedKernel
from nplm.models.kernel_loss import Blocks
from nplm.models.kernel_moments import held_blocks
from nplm.nuisance.joint_loss import loss_at, minimize_jointly, moments_at
from nplm.nuisance.law import mixture_with_nuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances, filled
from nplm.sample import Sample

# Points stand for the reference if they give the second moments of the nuisances' columns this well.
_FAITHFUL = 1e-6


@dataclass(frozen=True, eq=False)
class PreparedKernelWithNuisances:
    """The kernel model with its reference and its nuisances.

    tau = -2 min over (f, nu) of the penalised loss, without its penalty, and t = tau - Delta. t is not negative: tau is
    sought over Delta's point too, where the penalty is nil.

    Arguments:
        kernel: the model with the reference as given.
        profile: the nuisances with the reference.
        blocks: the reference in modes (or kernels) and the columns (1, g).
        event_weight: weight of the events that each row stands for, shape (blocks, m).
    """

    kernel: PreparedKernel
    profile: PreparedNuisances
    blocks: Blocks
    event_weight: Float64[np.ndarray, "blocks m"]

    @classmethod
    def of(cls, kernel: PreparedKernel, nuisances: Nuisances, reference: Sample) -> PreparedKernelWithNuisances:
        """Adds the nuisances' columns to the rows of a prepared kernel model.

        Raises:
            ValueError: if the model takes one step only.
        """
        if kernel.solver != "ml":
            raise ValueError("nuisances need the maximum of the likelihood: use --solver ml")
        events, weights = kernel.scaler(reference.events), reference.weights
        columns, of_event = nuisances.columns(reference.events), weights
        blocks = kernel.blocks
        if kernel.line is not None:
            points, sizes = kernel.line.line.gauss(events, weights)
            there = nuisances.columns(kernel.scaler.inverse(points))
            if _agree(there, sizes, columns, weights):
                of_event = kernel.line.line.mean_weights(points, sizes, events, weights)
                columns, weights = there, sizes
            else:
                blocks, _ = held_blocks(kernel.modes, events, weights)
        more, spread = (_in_rows_of(blocks, values) for values in (columns, of_event))
        with jax.enable_x64(True):
            blocks = blocks._replace(more=jnp.asarray(more))
        return cls(kernel, PreparedNuisances.of(nuisances, columns, weights), blocks, spread)

    @property
    def nuisances(self) -> Nuisances:
        return self.profile.nuisances

    @property
    def parameters(self) -> int:
        return self.kernel.parameters + self.nuisances.count

    @property
    def batch_size(self) -> int:
        return self.kernel.batch_size

    def fit(self, data: Sequence[Sample], held: Collection[str] = ()) -> Fits:
        """Fits each sample, with the nuisances of `held` at 0: Delta first, then tau from where Delta ended."""
        columns, auxiliary = self.profile.sums(data), self.profile.auxiliary(data)
        background = self.profile.fit(columns, auxiliary, held)
        sums = np.column_stack([self.kernel.data_sums(data), columns])
        count, r = len(sums), self.kernel.modes.count
        start = np.column_stack([np.zeros((count, r)), background.nu])
        free = np.tile(self.nuisances.free(held), (count, 1))
        penalty = self.kernel.modes.penalty
        with jax.enable_x64(True):
            p = jnp.asarray(penalty)
            s, a, begin, moves = (jnp.asarray(filled(v)) for v in (sums, auxiliary, start, free))
            end = minimize_jointly(self.nuisances, self.blocks, p, s, a, begin, moves)
            loss, slopes = loss_at(self.nuisances, self.blocks, end.point[:, :r], end.point[:, r:], s, a)
            tau, slope, point, joint = (
                np.asarray(v)[:count] for v in (statistic(loss), slopes, end.point, end.converged)
            )
        t = tau - background.delta
        found = self.kernel.certified(t, point[:, :r], slope)
        return replace(
            found,
            parameters=point,
            converged=found.converged & background.converged & joint,
            delta=background.delta,
            nu_delta=background.nu,
            nu_tau=point[:, r:],
        )

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> MixtureNull:
        """The distribution of t under the null at the nu that Delta finds in these data; at 0 without data.

        The information of the modes, and so the law, moves with nu: at the true nu it would be exact to second order,
        and nu of Delta is the best estimate of it. Tests of the shape have no nuisances.
        """
        nu = np.zeros(self.nuisances.count)
        auxiliary = self.nuisances.auxiliary
        weighted = None
        if data is not None:
            auxiliary = self.profile.auxiliary([data])[0]
            nu = self.profile.fit_sample(data).nu[0]
            weighted = data if data.is_weighted else None
        return self.null_at(nu, auxiliary, weighted, normalized=normalized, fixed_reference=fixed_reference)

    def null_at(
        self,
        nu: Float64[np.ndarray, " k"],
        auxiliary: Float64[np.ndarray, " a"] | None = None,
        data: Sample | None = None,
        *,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> MixtureNull:
        """The distribution of t under the null if the expectation is that of nu; see `mixture_with_nuisances`.

        Arguments:
            nu: where all moments are taken.
            auxiliary: measurements, for the curvature of their likelihood; None for those that the test was given.
            data: weighted data, whose weights it is for; None for unit weights.
            normalized, fixed_reference: see `PreparedKernel.null`.
        """
        measured = self.nuisances.auxiliary if auxiliary is None else auxiliary
        with jax.enable_x64(True):
            spread = None if fixed_reference else jnp.asarray(self.event_weight)
            found = moments_at(self.nuisances, self.blocks, spread, jnp.asarray(nu), jnp.asarray(measured))
            information, noise, slope, stiffness = (None if v is None else np.asarray(v) for v in found)
        assert information is not None
        assert slope is not None
        assert stiffness is not None
        r = self.kernel.modes.count
        # The column of ones once more at the end, where the yield belongs.
        order = np.append(np.arange(len(information)), r)
        moments = None if data is None else self._moments(data)[np.ix_(order, order)]
        covariance = covariance_of_sums(
            information[np.ix_(order, order)],
            moments,
            None if noise is None else noise[np.ix_(order, order)],
            self.kernel.events,
            shape_of=None,
            normalized=normalized,
        )
        return mixture_with_nuisances(information, covariance, slope, stiffness, self.kernel.modes.penalty)

    def _moments(self, data: Sample) -> Float64[np.ndarray, "c c"]:
        """sum_D v^2 (phi, 1, g)(phi, 1, g)^T."""
        rows = np.column_stack([self.kernel.features(data.events), self.nuisances.columns(data.events)])
        return (rows * data.weights[:, None] ** 2).T @ rows

    def log_ratio(self, parameters: Float[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        return self.kernel.log_ratio(parameters[: self.kernel.modes.count], events)

    def named_parameters(self, parameters: Float[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        r = self.kernel.modes.count
        return {**self.kernel.named_parameters(parameters[:r]), "nu": parameters[r:]}

    def projected_seconds(self, data: Sample, fits: int) -> float:
        return seconds_of_batches(self.fit, data, fits)


def _in_rows_of(blocks: Blocks, values: Float64[np.ndarray, "n ..."]) -> Float64[np.ndarray, "b m ..."]:
    """Values of events in the rows of blocks, filled up with zeros."""
    room = np.zeros((blocks.weights.size, *values.shape[1:]))
    room[: len(values)] = values
    return room.reshape(*blocks.weights.shape, *values.shape[1:])


def _agree(
    there: Float64[np.ndarray, "g e"],
    sizes: Float64[np.ndarray, " g"],
    columns: Float64[np.ndarray, "n e"],
    weights: Float64[np.ndarray, " n"],
) -> bool:
    """Whether points give the sums of the columns' products that the events give: not if columns have steps."""
    ours, exact = ((c * w[:, None]).T @ c for c, w in ((there, sizes), (columns, weights)))
    size = np.sqrt(np.diag((columns * np.abs(weights)[:, None]).T @ columns))
    return bool(np.all(np.abs(ours - exact) <= _FAITHFUL * np.outer(size, size)))
