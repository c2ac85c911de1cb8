"""The kernel model with its reference: fits of data samples from their sums over the modes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from nplm._blas import blas_threads
from nplm.calibrate.mixture import MixtureNull
from nplm.likelihood import statistic
from nplm.models.base import Fits, seconds_of_batches
from nplm.models.kernel_covariance import covariance_of_sums, shape_yield
from nplm.models.kernel_expected import ExpectedT, expected_t
from nplm.models.kernel_keops import Engine
from nplm.models.kernel_line import Line, LineModes
from nplm.models.kernel_loss import Blocks, hessian_at, minimize, reference_sums
from nplm.models.kernel_modes import RANK_CUT, Modes
from nplm.models.kernel_pool import Pools
from nplm.models.kernel_products import (
    CALLED,
    block_shape,
    in_blocks,
    kernel_blocks,
    kernel_product,
    kernel_sum,
    padded,
)
from nplm.sample import Sample, Scaler

Solver = Literal["ml", "falkon-step"]

# phi of the reference is held if it fills at most so many bytes, and there are fewer modes than half of the centres.
_HELD_BYTES = 2 << 30
# The same for phi at the nodes of a line.
_LINE_BYTES = 1 << 28
# Bytes that w e^f of a batch of toys may fill, and toys at most.
_BATCH_BYTES, _LARGEST_BATCH = 1 << 28, 512
# A fit has converged when t would change by less than this share of its standard deviation under the null.
CONVERGED = 1e-4


@dataclass(frozen=True, eq=False)
class PreparedKernel:
    """The kernel model with its reference.

    Arguments:
        modes: of the reference.
        scaler: the standardisation.
        blocks: the reference, in modes or as features.
        line: in one dimension, the modes at nodes that sums over events are taken with; None for sums event by event.
        expected: s_R = sum_R w phi, shape (r,).
        noise: sum_R w^2 (phi, 1)(phi, 1)^T, shape (r + 1, r + 1): what the reference's own fluctuation is made of.
        events: number of reference events of non-zero weight.
        total: N(R).
        solver: "ml" for the maximum of the penalised likelihood, "falkon-step" for one Newton step of LogisticFalkon.
        engine: what sums kernels over events and over centres; it changes t by rounding only.
    """

    modes: Modes
    scaler: Scaler
    blocks: Blocks
    line: LineModes | None
    expected: Float64[np.ndarray, " r"]
    noise: Float64[np.ndarray, "r_plus_1 r_plus_1"]
    events: int
    total: float
    solver: Solver
    engine: Engine = "xla"

    @classmethod
    def of(
        cls,
        reference: Sample,
        scaler: Scaler,
        centers: Float64[np.ndarray, "m d"],
        width: float,
        penalty: float,
        solver: Solver = "ml",
        rank_cut: float = RANK_CUT,
        engine: Engine = "xla",
    ) -> PreparedKernel:
        """Finds the modes of the reference and lays it out for the compiled loss; see `Modes.of`."""
        events, weights = scaler(reference.events), reference.weights
        # Points that stand for the reference: in one dimension a few for each cell of a line.
        line = Line.of(centers, width) if reference.dimension == 1 else None
        points, sizes = (events, weights) if line is None else line.gauss(events, weights)
        modes = Modes.of(points, sizes, centers, width, penalty, rank_cut)
        if len(points) * modes.count * 8 <= _HELD_BYTES and (line or modes.count <= len(centers) // 2):
            blocks, expected = held_blocks(modes, points, sizes)
        else:
            with jax.enable_x64(True):
                x, w = map(jnp.asarray, in_blocks(points, sizes, len(centers)))
                blocks = Blocks(x, w, *map(jnp.asarray, (centers, np.float64(width), modes.transform)))
            expected = kernel_sum(points, sizes, centers, width, engine) @ modes.transform
        on_line = None
        if line is not None and line.nodes.size * modes.count * 8 <= _LINE_BYTES:
            on_line = LineModes(line, modes(line.nodes))
        used = weights[weights != 0]
        if (used == used[0]).all():  # then it is w times sum_R w (phi, 1)(phi, 1)^T, and sum_R w phi phi^T = 1
            yields = np.block([[np.eye(modes.count), expected[:, None]], [expected, used.sum()]])
            noise = used[0] * yields
        else:
            noise = _second_moment(modes, on_line, events, weights**2)
        total = reference.total_weight
        prepared = cls(modes, scaler, blocks, on_line, expected, noise, len(used), total, solver, engine)
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

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample; all of them in one compiled call."""
        sums = self.data_sums(data)
        if self.solver == "ml":
            return self.fit_sums(sums)
        steps = [self._falkon_step(d, s) for d, s in zip(data, sums, strict=True)]
        return self._at(np.array(steps), sums)

    def fit_sums(self, sums: Float64[np.ndarray, "B r"]) -> Fits:
        """Maximum-likelihood fits of samples of which only their sums over the modes are known."""
        # What fills the batch up agrees with the reference, and is fitted in no step.
        s = np.tile(self.expected, (padded(len(sums)), 1))
        s[: len(sums)] = sums
        with jax.enable_x64(True):
            end = minimize(self.blocks, *map(jnp.asarray, (self.modes.penalty, s, np.zeros_like(s))))
            point = np.asarray(end.point)[: len(sums)]
        return self._at(point, sums)

    def _at(self, b: np.ndarray, sums: np.ndarray) -> Fits:
        """The fits that ended at given points, with t of the likelihood without its penalty."""
        count = len(b)
        room = np.zeros((padded(count), self.modes.count))
        room[:count] = b
        with jax.enable_x64(True):
            value, gradient = (np.asarray(v)[:count] for v in reference_sums(self.blocks, jnp.asarray(room)))
        return self.certified(np.asarray(statistic(value - np.sum(b * sums, axis=1))), b, gradient - sums)

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
        second = _second_moment(self.modes, self.line, self.scaler(data.events), data.weights)
        matrix = (np.eye(len(s)) + second[:-1, :-1]) / 2 + np.diag(self.modes.penalty)
        return np.linalg.solve(matrix, s - self.expected)

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> MixtureNull:
        """The distribution of t under the null, to second order in its fluctuations: no toys are needed.

        With u = sum_D v phi - sum_R w phi, t tends to sum_i c_i u_i^2, c_i = 1 - (p_i / (1 + p_i))^2, and u to a normal
        vector of covariance V (`covariance_of_sums`), so t to sum_k lambda_k z_k^2 with lambda the eigenvalues of
        C^1/2 V C^1/2.

        Arguments:
            data: whose weights, and in a test of the shape whose yield, the law is for; None for data of unit weights
                and the yield of the reference.
            shape_only: data of a fixed yield, compared with the reference in shape.
            normalized: the reference was scaled to a yield that is known from elsewhere.
            fixed_reference: the law of toys drawn from the reference itself, which does not fluctuate then.
        """
        covariance = self._covariance(data, shape_only, normalized, fixed_reference)
        root = np.sqrt(self.modes.shrinkage)
        with blas_threads(self.modes.count):
            weights = np.linalg.eigvalsh(root[:, None] * covariance * root)
        return MixtureNull(np.clip(weights[::-1], 0, None))

    def with_signal(self, signal: Sample, data: Sample | None = None, *, normalized: bool = False) -> ExpectedT:
        """The distribution of t in the presence of a signal, to second order in the fluctuations: see `ExpectedT`.

        Arguments:
            signal: events whose weights add up to the number that is expected.
            data, normalized: as in `null`.
        """
        s = self.expected + self.sums(signal)
        # Events of the signal carry weights like those of the data.
        size = 1.0 if data is None else float(np.sum(data.weights**2) / data.total_weight)
        second = _second_moment(self.modes, self.line, self.scaler(signal.events), size * signal.weights)
        covariance = self._covariance(data, False, normalized, False) + second[:-1, :-1]
        fits = self.fit_sums(s[None])
        b = fits.parameters[0]
        with jax.enable_x64(True):
            hessian = np.asarray(hessian_at(self.blocks, jnp.asarray(b)))
        return expected_t(float(fits.t[0]), b, hessian, self.modes.penalty, covariance)

    def _covariance(
        self, data: Sample | None, shape_only: bool, normalized: bool, fixed_reference: bool
    ) -> Float64[np.ndarray, "r r"]:
        """V of u = sum_D v phi - sum_R w phi under the null; see `covariance_of_sums`."""
        moments = None
        if data is not None and data.is_weighted:
            moments = _second_moment(self.modes, self.line, self.scaler(data.events), data.weights**2)
        return covariance_of_sums(
            np.block([[np.eye(self.modes.count), self.expected[:, None]], [self.expected, self.total]]),
            moments,
            None if fixed_reference else self.noise,
            self.events,
            shape_of=shape_yield(shape_only, data, self.total),
            normalized=normalized,
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

    def projected_seconds(self, data: Sample, fits: int) -> float:
        return seconds_of_batches(self.fit, data, fits)


def _second_moment(
    modes: Modes, line: LineModes | None, events: np.ndarray, weights: np.ndarray
) -> Float64[np.ndarray, "r_plus_1 r_plus_1"]:
    """sum_e v_e (phi, 1)(phi, 1)^T."""
    if line is not None:
        v = line.weights(events, weights)
        parts: Iterable[tuple[np.ndarray, np.ndarray]] = [(line.phi[v != 0], v[v != 0])]
    else:
        blocks = kernel_blocks(events, modes.centers, modes.width)
        parts = ((block @ modes.transform, weights[rows]) for rows, block in blocks)
    total = np.zeros((modes.count + 1,) * 2)
    for phi, v in parts:
        columns = np.column_stack([phi, np.ones(len(phi))])
        total += (columns * v[:, None]).T @ columns
    return total


def held_blocks(
    modes: Modes, points: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]
) -> tuple[Blocks, Float64[np.ndarray, " r"]]:
    """phi of the reference in blocks, and its sum; phi may be the most of all memory, so it is not copied about."""
    shape = block_shape(len(points), max(modes.count, 64), CALLED)
    x, w = np.zeros((np.prod(shape), modes.count)), np.zeros(shape)
    modes(points, into=x)
    w.ravel()[: len(points)] = weights
    with jax.enable_x64(True):
        # Not asarray, which holds one more copy on the way.
        held = Blocks(jax.device_put(x.reshape(*shape, -1)), jax.device_put(w))
    return held, w.ravel() @ x
