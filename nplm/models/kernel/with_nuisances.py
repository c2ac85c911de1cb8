"""The kernel model with an imperfect reference: tau over modes and nuisances together, and t = tau - Delta."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64, Int64

from nplm.data.averaged_weights import AveragedWeights
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import calls, data_blocks
from nplm.likelihood.extended import statistic
from nplm.likelihood.fits import Fits
from nplm.likelihood.kernel_sums import padded
from nplm.likelihood.log_linear import Blocks
from nplm.likelihood.log_linear_fit import Extended, FiniteReference, Likelihood
from nplm.models.base import WithNuisancesDefaults
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.moments import held_blocks, noise_of_averages
from nplm.models.kernel.null_with_nuisances import weighted_chi2_with_nuisances
from nplm.nuisance.joint_likelihood import loss_at, minimize_jointly
from nplm.nuisance.minima import best_of
from nplm.nuisance.moments import Rows, moments_at, moved, noise_of_data, noise_of_rows, sum_of_reference
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances, filled
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Points stand for the reference if they give the second moments of the nuisances' columns this well.
_FAITHFUL = 1e-6


@dataclass(frozen=True, eq=False)
class PreparedKernelWithNuisances(WithNuisancesDefaults):
    """The kernel model with its reference and its nuisances.

    tau = -2 min over (f, nu) of the penalized loss, without its penalty, and t = tau - Delta. t is not negative: tau is
    sought over Delta's point too, where the penalty is nil. Where Delta has several minima, tau begins at each of them.

    With a finite reference both have the likelihood of `FiniteReference` with f + log r in the place of f: r moves the
    weight w of a reference event to w r(x; nu).

    Arguments:
        kernel: the model with the reference as given.
        profile: the nuisances with the reference.
        blocks: the reference in modes (or kernels) and the columns (1, g).
        event_weight: weight of the events that each row stands for, shape (blocks, m).
        averaged: the reference and its averaged weights, where their noise must be taken event by event.
    """

    kernel: PreparedKernel
    profile: PreparedNuisances
    blocks: Blocks
    event_weight: Float64[np.ndarray, "blocks m"]
    averaged: tuple[Sample, AveragedWeights] | None = None

    @classmethod
    def of(cls, kernel: PreparedKernel, nuisances: Nuisances, reference: Sample) -> PreparedKernelWithNuisances:
        """Adds the nuisances' columns to the rows of a prepared kernel model.

        Raises:
            ValueError: if the model takes one step only.
        """
        if kernel.solver != "ml":
            raise ValueError("nuisances need the maximum of the likelihood: use --solver ml")
        events, columns = kernel.scaler(reference.events), nuisances.columns(reference.events)
        averaged, weights = None, reference.weights
        if kernel.event_weight > 0 and reference.has_negative_weights:
            averaged = AveragedWeights.of(events, weights)
            weights = averaged.weights
        # sum w^2 of events is that of their weights in the model times these.
        of_event = np.divide(reference.weights**2, weights, out=np.zeros_like(weights), where=weights != 0)
        blocks = kernel.blocks
        if kernel.line is not None:
            points, sizes = kernel.line.line.gauss(events, weights)
            there = nuisances.columns(kernel.scaler.inverse(points))
            if _agree(there, sizes, columns, weights):
                of_event = kernel.line.line.means(points, sizes, events, weights, of_event)
                columns, weights = there, sizes
            else:
                blocks, _ = held_blocks(kernel.modes, events, weights)
        more, spread = (_in_rows_of(blocks, values) for values in (columns, of_event))
        with jax.enable_x64(True):
            blocks = blocks._replace(more=jnp.asarray(more))
        profile = PreparedNuisances.of(nuisances, columns, weights, kernel.event_weight)
        # In one dimension columns hardly vary within the cells that weights are averaged over.
        by_event = None if averaged is None or kernel.line is not None else (reference, averaged)
        return cls(kernel, profile, blocks, spread, by_event)

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
        """Fits each sample, with the nuisances of `held` at 0: Delta first, then tau from all minima of Delta."""
        background = self.profile.fit(data, held)
        owner, nu, _ = background.starts()
        free = self.nuisances.free(held)
        ends = [self._tau([data[i] for i in owner[part].tolist()], nu[part], free) for part in self._calls(data, owner)]
        tau, slope, point, joint = (np.concatenate(values) for values in zip(*ends, strict=True))
        best = best_of(tau, owner, len(data))
        tau, slope, point, joint = tau[best], slope[best], point[best], joint[best]
        t = tau - background.delta
        r = self.kernel.modes.count
        found = self.kernel.certified(t, point[:, :r], slope)
        return replace(
            found,
            parameters=point,
            converged=found.converged & background.converged & joint,
            delta=background.delta,
            nu_delta=background.nu,
            nu_tau=point[:, r:],
        )

    def _calls(self, data: Sequence[Sample], owner: Int64[np.ndarray, " J"]) -> list[slice]:
        """Which starts are fitted in one call."""
        if self.kernel.event_weight == 0:
            return [slice(0, len(owner))]
        return list(calls([len(data[i]) for i in owner.tolist()], self.blocks.columns))

    def _tau(
        self, data: Sequence[Sample], nu: Float64[np.ndarray, "J k"], free: Float64[np.ndarray, " k"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """tau of samples from f = 0 at some nu each, the gradient left in f, where it ended, and whether it has."""
        count, r = len(data), self.kernel.modes.count
        rows = (self.profile.auxiliary(data), np.column_stack([np.zeros((count, r)), nu]), np.tile(free, (count, 1)))
        with jax.enable_x64(True):
            a, begin, moves = (jnp.asarray(filled(v)) for v in rows)
            likelihood = self._likelihood(data)
            end = minimize_jointly(self.nuisances, likelihood, jnp.asarray(self.kernel.modes.penalty), a, begin, moves)
            loss, slopes = loss_at(self.nuisances, likelihood, end.point[:, :r], end.point[:, r:], a)
            found = (statistic(loss), slopes, end.point, end.converged)
            return tuple(np.asarray(v)[:count] for v in found)  # type: ignore[return-value]

    def _likelihood(self, data: Sequence[Sample]) -> Likelihood:
        """Of samples, filled up to a number that compilations share."""
        if self.kernel.event_weight == 0:
            sums = np.column_stack([self.kernel.data_sums(data), self.profile.sums(data)])
            return Extended(self.blocks, jnp.asarray(filled(sums)))
        order = np.arange(padded(len(data))) % len(data)
        phi, columns = self.kernel.features_of(data), self.profile.columns_of(data)
        rows = [(phi[i], data[i].weights) for i in order.tolist()]
        ratios = jnp.asarray(self.profile.ratios(data)[order])
        return FiniteReference(self.blocks, data_blocks(rows, more=[columns[i] for i in order.tolist()]), ratios)

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> WeightedChi2Null:
        """The distribution of t under the null at the nu that Delta finds in these data; at 0 without data.

        The information of the modes, and so the null, moves with nu: at the true nu it would be exact to second order,
        and nu of Delta is the best estimate of it. Tests of the shape have no nuisances.
        """
        nu = np.zeros(self.nuisances.count)
        auxiliary = self.nuisances.auxiliary
        if data is not None:
            auxiliary = self.profile.auxiliary([data])[0]
            nu = self.profile.fit([data]).nu[0]
        return self.null_at(nu, auxiliary, data, normalized=normalized, fixed_reference=fixed_reference)

    def null_at(
        self,
        nu: Float64[np.ndarray, " k"],
        auxiliary: Float64[np.ndarray, " a"] | None = None,
        data: Sample | None = None,
        *,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> WeightedChi2Null:
        """The distribution of t under the null if the expectation is that of nu; see `weighted_chi2_with_nuisances`.

        Arguments:
            nu: where all moments are taken.
            auxiliary: measurements, for the curvature of their likelihood; None for those that the test was given.
            data: whose weights it is for, and which with a finite reference say how events spread; None for neither.
            normalized, fixed_reference: see `PreparedKernel.null`.
        """
        measured = self.nuisances.auxiliary if auxiliary is None else auxiliary
        ratio = self.kernel.event_weight if data is None else float(self.profile.ratios([data])[0])
        rows = None
        if data is not None and (data.is_weighted or (ratio > 0 and not fixed_reference)):
            columns = np.column_stack([self.kernel.features(data.events), self.nuisances.columns(data.events)])
            rows = Rows(columns, data.weights, data.is_weighted)
        found = moments_at(self.nuisances, self.blocks, nu, measured, ratio, None if fixed_reference else rows)
        covariance = found.of_data
        if not fixed_reference:
            covariance = covariance + self._of_reference(nu, ratio, rows, normalized)
        penalty = self.kernel.modes.penalty / (1 + ratio)
        return weighted_chi2_with_nuisances(found.information, covariance, found.slope, found.stiffness, penalty)

    def _of_reference(
        self, nu: Float64[np.ndarray, " k"], ratio: float, data: Rows | None, normalized: bool
    ) -> Float64[np.ndarray, "c c"]:
        """Covariance of sum_R w h, whose number of events is fixed, or whose sum of weights is `normalized`."""
        with jax.enable_x64(True):
            c = np.asarray(self.nuisances.coefficients(jnp.asarray(nu)))
        expected = sum_of_reference(self.blocks, c, ratio)
        if self.averaged is None:
            noise = noise_of_rows(self.blocks, self.event_weight, c, ratio)
        else:
            reference, averaged = self.averaged

            def columns(at: slice) -> np.ndarray:
                events = reference.events[at]
                every = np.column_stack([self.kernel.features(events), self.nuisances.columns(events)])
                return np.column_stack([moved(every, c, ratio), np.ones(len(events))])

            noise = noise_of_averages(columns, self.blocks.columns + 1, reference.weights, averaged)
        if normalized:
            from_mean = np.column_stack([np.eye(len(expected)), -expected / self.kernel.total])
            covariance = from_mean @ noise @ from_mean.T
        else:
            covariance = noise[:-1, :-1] - np.outer(expected, expected) / self.kernel.events
        if data is not None and ratio > 0:
            covariance = covariance + noise_of_data(self.blocks, c, ratio, data, self.kernel.event_weight)
        return covariance

    def log_ratio(self, parameters: Float[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        return self.kernel.log_ratio(parameters[: self.kernel.modes.count], events)

    def named_parameters(self, parameters: Float[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        r = self.kernel.modes.count
        return {**self.kernel.named_parameters(parameters[:r]), "nu": parameters[r:]}

    @property
    def alone(self) -> PreparedKernel:
        return self.kernel

    @property
    def parameters_of_reference(self) -> bool:
        return True


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
