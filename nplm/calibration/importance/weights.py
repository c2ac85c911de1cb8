"""Importance weights of toys that were drawn with a random signal f = b . phi, b_i ~ Normal(0, v_i).

The probability of such a toy, relative to the null, is the integral of Normal(b; 0, v) exp(s . b - n_b) over b, with s
its sums of phi and n_b = sum_R w (exp(f) - 1). It need not be known: the toy's own b is. For any distribution r(b | s)
that integrates to one,

    exp(log Z) rho = r(b | s) / [Normal(b; 0, v) exp(s . b - n_b)]

has the inverse of that probability as its mean over the b that may have led to the toy, so that importance weights made
of it are unbiased (the pseudo-marginal argument; C. Andrieu, G. O. Roberts, Ann. Statist. 37 (2009) 697). Here r is
Laplace's approximation of the distribution of b given s: the fit of the toy with 1 / v_i for a penalty, and the
Hessian there. Z is the same approximation of the probability, and rho, which is 1 where both are exact, corrects it for
each toy.
A finite list of tilts would do for few modes; but this does not need more of them the more modes there are.

A b far out, where the true distribution falls faster than r, would give its toy a large weight. So a few more b_j are
drawn from r(b | s), and 1 / rho is averaged over them and the toy's own: that has the same mean, and bounds the weight.

Reference: nothing but rho must be exact, so r takes the reference from a few thousand of its events.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int64

from nplm.calibration.importance.toys import SignalToys
from nplm.likelihood.kernel_sums import padded
from nplm.likelihood.log_linear import Blocks, reference_hessians
from nplm.likelihood.log_linear_fit import Extended, minimize
from nplm.models.linear import PreparedLinear
from nplm.stats.importance import ImportanceError

# Signals that 1 / rho is averaged over, the toy's own included.
SIGNALS = 4
# A signal is drawn so many times at most.
_MOST_TRIES = 1000
# Events that stand for the reference in r, and of a block of them: with m modes it fills m^2 times as many numbers.
_EVENTS, _BLOCK = 4096, 128


@dataclass(frozen=True, eq=False)
class Posteriors:
    """Laplace's approximation of the distribution of b given a toy.

    Arguments:
        blocks: phi of the tilted modes at events that stand for the reference.
        expected: sum of phi over the reference, shape (m,).
        own: sum of phi over those events, shape (m,); s is moved by the difference, so that r is right to first order.
    """

    blocks: Blocks
    expected: Float64[np.ndarray, " m"]
    own: Float64[np.ndarray, " m"]

    @classmethod
    def of(cls, toys: SignalToys, rng: np.random.Generator) -> Posteriors:
        """Chooses the events: the few points of a line, or a draw that favours events of large phi."""
        prepared, m = toys.prepared, len(toys.scales)
        if prepared.line is not None and prepared.blocks.centers is None:
            phi = np.asarray(prepared.blocks.x).reshape(-1, prepared.modes.count)[:, :m]
            sizes = np.asarray(prepared.blocks.weights).ravel()
        else:
            share = toys.weights * (1 / toys.weights.sum() + toys.bound**2 / (toys.weights @ toys.bound**2)) / 2
            rows = rng.choice(len(share), _EVENTS, p=share / share.sum())
            phi, sizes = toys.features(rows)[:, :m], toys.weights[rows] / (share[rows] * _EVENTS)
        # sum_R w phi phi^T = 1 holds for the reference, and is made to hold for what stands for it.
        values, vectors = np.linalg.eigh((phi * sizes[:, None]).T @ phi)
        phi = phi @ (vectors / np.sqrt(values)) @ vectors.T
        rows_of_blocks = -(-len(phi) // _BLOCK) * _BLOCK
        x, w = np.zeros((rows_of_blocks, m)), np.zeros(rows_of_blocks)
        x[: len(phi)], w[: len(phi)] = phi, sizes
        with jax.enable_x64(True):
            blocks = Blocks(jnp.asarray(x.reshape(-1, _BLOCK, m)), jnp.asarray(w.reshape(-1, _BLOCK)))
        return cls(blocks, prepared.expected[:m], sizes @ phi)

    def __call__(self, sums: Float64[np.ndarray, "B m"], variances: Float64[np.ndarray, " m"]) -> Posterior:
        """Those of toys with given sums, for signals with variances v_i."""
        count = len(sums)
        s = np.tile(self.own, (padded(count), 1))
        s[:count] += sums - self.expected
        with jax.enable_x64(True):
            likelihood = Extended(self.blocks, jnp.asarray(s))
            point = minimize(likelihood, jnp.asarray(1 / variances), jnp.zeros(s.shape)).point
            value, hessians = (np.asarray(a)[:count] for a in reference_hessians(self.blocks, point))
        b, s = np.asarray(point)[:count], s[:count]
        precision = hessians + np.diag(1 / variances)
        loss = value - np.sum(b * s, axis=1) + np.sum(b**2 / variances, axis=1) / 2
        log_determinant = np.linalg.slogdet(precision)[1] + np.log(variances).sum()
        return Posterior(b, precision, -loss - log_determinant / 2, loss, variances)


@dataclass(frozen=True, eq=False)
class Posterior:
    """The distribution of b for each of B toys: Normal(mode, precision^{-1}).

    Arguments:
        mode: shape (B, m).
        precision: shape (B, m, m).
        log_z: log of the toy's probability relative to the null, shape (B,).
        loss: n_b - s . b + sum_i b_i^2 / (2 v_i) at the mode, shape (B,).
        variances: v_i, shape (m,).
    """

    mode: Float64[np.ndarray, "B m"]
    precision: Float64[np.ndarray, "B m m"]
    log_z: Float64[np.ndarray, " B"]
    loss: Float64[np.ndarray, " B"]
    variances: Float64[np.ndarray, " m"]

    def of_toys(self, chosen: Bool[np.ndarray, " B"]) -> Posterior:
        """Those of some of the toys."""
        mode, precision, log_z, loss = (a[chosen] for a in (self.mode, self.precision, self.log_z, self.loss))
        return Posterior(mode, precision, log_z, loss, self.variances)

    def draw(self, rng: np.random.Generator, count: int) -> Float64[np.ndarray, "count B m"]:
        """So many b for each toy."""
        root = np.linalg.cholesky(self.precision)
        normal = rng.normal(size=(*self.mode.shape, count))
        return self.mode + np.moveaxis(np.linalg.solve(root.transpose(0, 2, 1), normal), 2, 0)

    def log_rho(
        self, b: Float64[np.ndarray, "B m"], sums: Float64[np.ndarray, "B m"], yields: Float64[np.ndarray, " B"]
    ) -> Float64[np.ndarray, " B"]:
        """log rho of toys with signals b.

        Arguments:
            b: the toys' own, or drawn from this.
            sums: s of the tilted modes.
            yields: n_b; infinite where b is out of bounds, and log rho with it.
        """
        d = b - self.mode
        posterior = np.einsum("Bi,Bij,Bj->B", d, self.precision, d) / 2 + self.loss
        return yields - np.sum(sums * b, axis=1) + np.sum(b**2 / self.variances, axis=1) / 2 - posterior


@dataclass(frozen=True, eq=False)
class Signals:
    """Random signals in the leading modes, b_i ~ Normal(0, v_i), within bounds.

    Where the reference is sparse, exp(f) makes a few of these signals far larger than any t to be explained. Signals
    are therefore drawn anew until 2 sum_R w (f exp(f) - exp(f) + 1), about the t that they give, is at most `largest`.

    Arguments:
        prepared: the kernel model.
        largest: of the t that signals give.
    """

    prepared: PreparedLinear
    largest: float

    def yields(self, b: Float64[np.ndarray, "B m"]) -> Float64[np.ndarray, " B"]:
        """n_b = sum_R w (exp(f) - 1) of each signal, shape (B,); infinite for one out of bounds."""
        room = np.zeros((padded(len(b)), b.shape[1]))
        room[: len(b)] = b
        with jax.enable_x64(True):
            value, t = (np.asarray(a)[: len(b)] for a in _yields(self.prepared.blocks, jnp.asarray(room)))
        # A signal that overflows is out of bounds, whatever is left of its t.
        return np.where(t <= self.largest, value, np.inf)

    def draw(
        self, rng: np.random.Generator, variances: Float64[np.ndarray, "B m"]
    ) -> tuple[Float64[np.ndarray, "B m"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        """A signal for each row of variances, its n_b, and how many were drawn until it was within bounds.

        Raises:
            ImportanceError: if there are hardly any within bounds.
        """
        b, yields = np.zeros(variances.shape), np.full(len(variances), np.inf)
        tries = np.zeros(len(variances), dtype=np.int64)
        for _ in range(_MOST_TRIES):
            left = np.isinf(yields)
            if not left.any():
                break
            # All rows are drawn, so that shapes stay the same.
            proposed = rng.normal(size=variances.shape) * np.sqrt(variances)
            found = self.yields(proposed)
            b[left], yields[left] = proposed[left], found[left]
            tries += left
        if np.isinf(yields).any():
            raise ImportanceError(
                "the signals that would give such a t are far out of bounds: take another calibration"
            )
        return b, yields, tries


@jax.jit
def _yields(blocks: Blocks, b: Float[Array, "B m"]) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """sum_R w (exp(f) - 1) and 2 sum_R w (f exp(f) - exp(f) + 1) of signals in the leading modes."""
    m = b.shape[1]
    coefficients = b if blocks.transform is None else b @ blocks.transform[:, :m].T

    def add(total: tuple[Array, Array], block: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        x, w = block
        f = blocks.rows(x[:, :m] if blocks.transform is None else x, None) @ coefficients.T
        excess = jnp.expm1(f)
        return (total[0] + w @ excess, total[1] + w @ (f * (excess + 1) - excess)), None

    zero = jnp.zeros(len(b))
    (value, half), _ = jax.lax.scan(add, (zero, zero), (blocks.x, blocks.weights))
    return value, 2 * half
