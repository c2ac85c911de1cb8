"""The kernel model with its reference: fits of data samples from their sums over the modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from nplm._util.blas import blas_threads
from nplm.data.averaged_weights import AveragedWeights, event_weight, event_weight_of
from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import Rows, calls, data_blocks
from nplm.likelihood.extended import statistic
from nplm.likelihood.fits import Fits
from nplm.likelihood.keops import Engine
from nplm.likelihood.kernel_sums import in_blocks, kernel_product, kernel_sum, padded
from nplm.likelihood.log_linear import Blocks
from nplm.likelihood.log_linear_fit import Extended, FiniteReference, loss_at, minimize
from nplm.likelihood.pool_sums import Pools
from nplm.models.base import PreparedDefaults, ShapeBy
from nplm.models.kernel.filled_up import filled_up, shared_multiple
from nplm.models.kernel.modes import RANK_CUT, Modes
from nplm.models.kernel.moments import held_blocks, noise_of_averages, second_moment
from nplm.models.kernel.noncentral import ExpectedT
from nplm.models.kernel.null import covariance_of_sums, curvature_root, shape_yield
from nplm.models.kernel.quadrature_1d import Line, LineModes
from nplm.models.kernel.with_signal import with_signal
from nplm.stats.weighted_chi2 import WeightedChi2Null

Solver = Literal["ml", "falkon-step"]

# phi of the reference is held if it fills at most so many bytes, and there are fewer modes than half of the centres.
_HELD_BYTES = 2 << 30
# The same for phi at the nodes of a line.
_LINE_BYTES = 1 << 28
# Modes of at most so many bytes are filled up, which copies them; of more, fits take longer than their compilation.
_FILLED_UP_BYTES = 1 << 29
# Bytes that w e^f of a batch of toys may fill, and toys at most.
_BATCH_BYTES, _LARGEST_BATCH = 1 << 28, 512
# A fit has converged when t would change by less than this share of its standard deviation under the null.
CONVERGED = 1e-4


@dataclass(frozen=True, eq=False)
class PreparedKernel(PreparedDefaults):
    """The kernel model with its reference.

    Arguments:
        modes: of the reference.
        scaler: the coordinates that kernels see.
        blocks: the reference, in modes or as features.
        line: in one dimension, the modes at nodes that sums over events are taken with; None for sums event by event.
        expected: s_R = sum_R w phi, shape (r,).
        noise: sum_R w^2 (phi, 1)(phi, 1)^T, shape (r + 1, r + 1): what the reference's own fluctuation is made of.
        events: number of reference events of non-zero weight.
        total: N(R).
        solver: "ml" for the maximum of the penalized likelihood, "falkon-step" for one Newton step of LogisticFalkon.
        engine: what sums kernels over events and over centres; it changes t by rounding only.
        event_weight: w0 = sum_R w^2 / sum_R w of the finite-reference likelihood; 0 for the extended one, which takes
            the reference as exact.
        strength: Lambda; NaN if nobody has said.
    """

    modes: Modes
    scaler: Coordinates
    blocks: Blocks
    line: LineModes | None
    expected: Float64[np.ndarray, " r"]
    noise: Float64[np.ndarray, "r_plus_1 r_plus_1"]
    events: int
    total: float
    solver: Solver
    engine: Engine = "xla"
    event_weight: float = 0.0
    strength: float = float("nan")

    @classmethod
    def of(
        cls,
        reference: Sample,
        scaler: Coordinates,
        centers: Float64[np.ndarray, "m d"],
        width: float,
        penalty: float,
        solver: Solver = "ml",
        rank_cut: float = RANK_CUT,
        engine: Engine = "xla",
        reference_exact: bool = False,
    ) -> PreparedKernel:
        """Finds the modes of the reference and lays it out for the compiled loss; see `Modes.of`.

        Signed weights of a finite reference are averaged over neighbouring events, see `AveragedWeights`; one step of
        Falkon takes any reference as exact.
        """
        exact = reference_exact or solver != "ml"
        events, weights = scaler(reference.events), reference.weights
        averaged = None
        if not exact and reference.has_negative_weights:
            averaged = AveragedWeights.of(events, weights)
            weights = averaged.weights
        # Points that stand for the reference: in one dimension a few for each cell of a line.
        line = Line.of(centers, width) if scaler.dimension == 1 else None
        points, sizes = (events, weights) if line is None else line.gauss(events, weights)
        modes = Modes.of(points, sizes, centers, width, penalty, rank_cut)
        if len(points) * modes.count * 8 <= _HELD_BYTES and (line or modes.count <= len(centers) // 2):
            blocks, expected = held_blocks(modes, points, sizes)
        else:
            expected = kernel_sum(points, sizes, centers, width, engine) @ modes.transform
            with jax.enable_x64(True):
                x, w = map(jnp.asarray, in_blocks(points, sizes, len(centers)))
                at, h, transform = map(jnp.asarray, (centers, np.float64(width), modes.transform))
                blocks = Blocks(x, w, at, h, transform, expected=jnp.asarray(expected))
        on_line = None
        if line is not None and line.nodes.size * modes.count * 8 <= _LINE_BYTES:
            on_line = LineModes(line, modes(line.nodes))
        used = reference.weights[reference.weights != 0]
        if (used == used[0]).all():  # then it is w times sum_R w (phi, 1)(phi, 1)^T, and sum_R w phi phi^T = 1
            yields = np.block([[np.eye(modes.count), expected[:, None]], [expected, used.sum()]])
            noise = used[0] * yields
        elif averaged is not None and line is None:

            def columns(at: slice) -> np.ndarray:
                return np.column_stack([modes(events[at]), np.ones(len(events[at]))])

            noise = noise_of_averages(columns, modes.count + 1, reference.weights, averaged)
        else:  # in one dimension phi hardly varies within the cells that weights are averaged over
            noise = second_moment(modes, on_line, events, reference.weights**2)
        total, size = reference.total_weight, 0.0 if exact else event_weight(reference.weights)
        prepared = cls(modes, scaler, blocks, on_line, expected, noise, len(used), total, solver, engine, size, penalty)
        if line is None and blocks.centers is None:
            prepared.pools.hold(reference, np.asarray(blocks.x).reshape(-1, modes.count)[: len(reference)])
        return prepared

    @property
    def parameters(self) -> int:
        return self.modes.count

    @cached_property
    def signed(self) -> bool:
        """Whether events of the reference have negative weights."""
        return bool(np.asarray(self.blocks.weights).min() < 0)

    @property
    def batch_size(self) -> int:
        most = int(np.clip(_BATCH_BYTES // (8 * self.blocks.weights.size), 1, _LARGEST_BATCH))
        return 1 << (most.bit_length() - 1)

    @cached_property
    def pools(self) -> Pools:
        """phi of the pools that toys come from."""
        return Pools(self.features, self.modes.count)

    def features(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n r"]:
        """phi at events in the units of the reference, shape (n, r)."""
        scaled = self.scaler(events)
        return self.modes(scaled) if self.line is None else self.line(scaled)

    def sums(self, data: Sample) -> Float64[np.ndarray, " r"]:
        """s = sum_D v phi, shape (r,): all that a maximum-likelihood fit needs to know about the data."""
        events = self.scaler(data.events)
        if self.line is not None:
            return self.line.weights(events, data.weights) @ self.line.phi
        modes = self.modes
        return kernel_sum(events, data.weights, modes.centers, modes.width, self.engine) @ modes.transform

    def data_sums(self, data: Sequence[Sample]) -> Float64[np.ndarray, "B r"]:
        """s of each sample; toys that come from one pool share what is computed about it."""
        pooled = self.pools.sums(data)
        return np.array([self.sums(d) if known is None else known for d, known in zip(data, pooled, strict=True)])

    def rows(self, data: Sequence[Sample]) -> list[Rows]:
        """phi at the events of each sample, or at the points of a line that stand for them, with their weights."""
        if self.line is not None:
            return [self.line.rows(self.scaler(sample.events), sample.weights) for sample in data]
        return [(phi, sample.weights) for phi, sample in zip(self.features_of(data), data, strict=True)]

    def features_of(self, data: Sequence[Sample]) -> list[Float64[np.ndarray, "_ r"]]:
        """phi at the events of each sample."""
        return self.pools.rows_of(data)

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample; all of them in one compiled call, or as many as the memory can take."""
        if self.event_weight > 0:
            ratios = np.array([self.event_weight / event_weight_of(sample) for sample in data])
            lengths = [len(sample) for sample in data]
            parts = calls(lengths, self.modes.count)
            return Fits.concatenate([self.fit_rows(self.rows(data[part]), ratios[part]) for part in parts])
        sums = self.data_sums(data)
        if self.solver == "ml":
            return self.fit_sums(sums)
        steps = [self._falkon_step(d, s) for d, s in zip(data, sums, strict=True)]
        return self._at(np.array(steps), sums)

    def fit_sums(self, sums: Float64[np.ndarray, "B r"]) -> Fits:
        """Maximum-likelihood fits, to a reference taken as exact, of samples of which only their sums are known."""
        # What fills the batch up agrees with the reference, and is fitted in no step.
        s = np.tile(self.expected, (padded(len(sums)), 1))
        s[: len(sums)] = sums
        with jax.enable_x64(True):
            likelihood = Extended(self.blocks, jnp.asarray(s))
            end = minimize(likelihood, jnp.asarray(self.modes.penalty), jnp.zeros_like(likelihood.sums))
            point = np.asarray(end.point)[: len(sums)]
        return self._at(point, sums)

    def fit_rows(self, rows: Sequence[Rows], ratios: Float64[np.ndarray, " B"]) -> Fits:
        """Maximum-likelihood fits, to a reference of finite size, of samples whose events are known.

        Arguments:
            rows: phi of the events of each sample, with their weights.
            ratios: rho of each sample.
        """
        count = len(rows)
        # A batch is filled up with itself.
        order = np.arange(padded(count)) % count
        with jax.enable_x64(True):
            data = data_blocks([rows[int(i)] for i in order])
            likelihood = FiniteReference(self.blocks, data, jnp.asarray(ratios[order]))
            start = jnp.zeros((len(order), self.modes.count))
            end = minimize(likelihood, jnp.asarray(self.modes.penalty), start)
            loss, gradient = loss_at(likelihood, end.point)
            t, point, gradient = (np.asarray(v)[:count] for v in (statistic(loss), end.point, gradient))
        return self.certified(t, point, gradient)

    def _at(self, b: np.ndarray, sums: np.ndarray) -> Fits:
        """The fits that ended at given points, with t of the extended likelihood without its penalty."""
        count = len(b)
        room, s = np.zeros((2, padded(count), self.modes.count))
        room[:count], s[:count] = b, sums
        with jax.enable_x64(True):
            loss, gradient = loss_at(Extended(self.blocks, jnp.asarray(s)), jnp.asarray(room))
            t, gradient = (np.asarray(v)[:count] for v in (statistic(loss), gradient))
        return self.certified(t, b, gradient)

    def certified(
        self, t: Float64[np.ndarray, " B"], b: Float64[np.ndarray, "B r"], gradient: Float64[np.ndarray, "B r"]
    ) -> Fits:
        """Fits that ended at b, with what is left of the gradient: how far t is from where the minimum is.

        Arguments:
            t: of the likelihood without its penalty.
            b: coefficients of the modes.
            gradient: of the loss in them, without the penalty's.
        """
        count, penalty = len(b), self.modes.penalty
        left = gradient + penalty * b
        decrement = np.sum(left**2 / (1 + penalty), axis=1) * (self.solver == "ml")
        remaining = 2 * np.sqrt(np.sum(penalty * b**2, axis=1) * decrement) + decrement
        converged = np.isfinite(t) & (remaining < CONVERGED * np.sqrt(2 * np.sum(self.modes.shrinkage**2)))
        failure = np.full(count, "", dtype=object)
        failure[~np.isfinite(t)] = "the likelihood overflowed"
        if self.signed:
            # With non-negative weights the loss is convex, and a t that stopped short is a lower bound. With signed
            # ones it can fall without limit, and where it stopped says nothing.
            failure[~converged] = "the likelihood has no maximum: negative weights prevail somewhere"
        t = np.where(failure == "", t, np.nan)
        ones = np.ones(count, dtype=np.int64)
        return Fits(t, b, converged, 1, ones, np.zeros(count), remaining, failure)

    def _falkon_step(self, data: Sample, s: np.ndarray) -> np.ndarray:
        """b = [(1 + sum_D v phi phi^T) / 2 + diag p]^{-1} (s - s_R): Newton's first step on the cross-entropy."""
        second = second_moment(self.modes, self.line, self.scaler(data.events), data.weights)
        matrix = (np.eye(len(s)) + second[:-1, :-1]) / 2 + np.diag(self.modes.penalty)
        return np.linalg.solve(matrix, s - self.expected)

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> WeightedChi2Null:
        """The distribution of t under the null, to second order in its fluctuations: no toys are needed.

        With u = sum_D v phi - sum_R w phi, t tends to sum_i c_i u_i^2 / (1 + rho), c_i = 1 - (p_i / (1 + p_i))^2, and u
        to a normal vector of covariance V (`covariance_of_sums`), so t to sum_k lambda_k z_k^2 with lambda the
        eigenvalues of C^1/2 V C^1/2 / (1 + rho). For equal weights V is 1 + rho, and they are the c_i; with the
        reference taken as exact rho is 0.

        A reference of finite size is not alone in saying how events spread: with data sum_R w phi phi^T, which is 1, is
        replaced by what both say, H = (1 + rho sum_D v phi phi^T) / (1 + rho), in V, and in the Hessian that C is made
        of. No lambda exceeds that of 1 for that, however strong a signal the data hold.

        Arguments:
            data: whose weights, and in a test of the shape whose yield, the null is for; None for data of unit weights
                and the yield of the reference.
            shape_only: data of a fixed yield, compared with the reference in shape.
            normalized: the reference was scaled to a yield that is known from elsewhere.
            fixed_reference: the null of toys drawn from the reference itself, which does not fluctuate then.
        """
        pooled = None if fixed_reference else self.pooled_information(data, shape_only)
        covariance = self.covariance(data, shape_only, normalized, fixed_reference, pooled)
        root = curvature_root(pooled, self.modes.penalty)
        with blas_threads(self.modes.count):
            weights = np.linalg.eigvalsh(root.T @ covariance @ root)
        return WeightedChi2Null(np.clip(weights[::-1], 0, None) / (1 + self.ratio(data, shape_only)))

    def pooled_information(self, data: Sample | None, shape_only: bool = False) -> Float64[np.ndarray, "r r"] | None:
        """H = (sum_R w phi phi^T + rho sum_D v phi phi^T) / (1 + rho), the Hessian of G at f = 0.

        None where it is 1: without data, or where the reference is taken as exact.
        """
        if data is None or self.event_weight == 0:
            return None
        yields = shape_yield(shape_only, data, self.total)
        rho, scale = self.ratio(data, shape_only), 1.0 if yields is None else self.total / yields
        second = second_moment(self.modes, self.line, self.scaler(data.events), scale * data.weights)
        return (np.eye(self.modes.count) + rho * second[:-1, :-1]) / (1 + rho)

    def ratio(self, data: Sample | None = None, shape_only: bool = False) -> float:
        """rho = w0 / v0 of data, which a test of the shape scales to N(R); 0 where the reference is taken as exact.

        Arguments:
            data, shape_only: as in `null`.
        """
        size = 1.0 if data is None else event_weight_of(data)
        yields = shape_yield(shape_only, data, self.total)
        return self.event_weight / size * (1.0 if yields is None else yields / self.total)

    def with_signal(self, signal: Sample, data: Sample | None = None, *, normalized: bool = False) -> ExpectedT:
        """The distribution of t in the presence of a signal, to second order in the fluctuations: see `ExpectedT`.

        Arguments:
            signal: events whose weights add up to the number that is expected.
            data, normalized: as in `null`.
        """
        return with_signal(self, signal, data, normalized=normalized)

    def covariance(
        self,
        data: Sample | None,
        shape_only: bool,
        normalized: bool,
        fixed_reference: bool,
        pooled: Float64[np.ndarray, "r r"] | None = None,
    ) -> Float64[np.ndarray, "r r"]:
        """V of u = sum_D v phi - sum_R w phi under the null; see `covariance_of_sums`."""
        moments = None
        if data is not None and data.is_weighted:
            moments = second_moment(self.modes, self.line, self.scaler(data.events), data.weights**2)
        return covariance_of_sums(
            np.block([[np.eye(self.modes.count), self.expected[:, None]], [self.expected, self.total]]),
            moments,
            None if fixed_reference else self.noise,
            self.events,
            shape_of=shape_yield(shape_only, data, self.total),
            normalized=normalized,
            pooled=pooled,
            event_weight=self.event_weight,
        )

    def log_ratio(self, parameters: Float[np.ndarray, " r"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        modes = self.modes
        coefficients = modes.transform @ parameters
        return kernel_product(self.scaler(events), coefficients, modes.centers, modes.width, self.engine)

    def named_parameters(self, parameters: Float[np.ndarray, " r"]) -> dict[str, np.ndarray]:
        return {
            "width": np.array(self.modes.width),
            "centers": self.modes.centers,
            "coefficients": self.modes.transform @ parameters,
        }

    def sharing_compilations(self) -> PreparedKernel:
        small = np.asarray(self.blocks.weights).size * self.modes.count * 8 <= _FILLED_UP_BYTES
        return filled_up(self, shared_multiple(self.modes.count)) if small else self

    @property
    def label(self) -> str:
        return f"width {self.modes.width:.4g}"

    @property
    def shape_by(self) -> ShapeBy:
        return "refit"

    @property
    def parameters_of_reference(self) -> bool:
        return True

    @property
    def linear(self) -> PreparedKernel:
        return self
