"""The modes of a kernel model: directions of f in which the reference carries information, and their penalties.

With psi(x) = K_CC^{-1/2} k(C, x), f = beta . psi and ||f||^2 = |beta|^2. The information matrix of the reference,
A = sum_R w psi psi^T = V diag(a) V^T, gives the modes phi_i(x) = (V^T psi)_i / sqrt(a_i), for which
sum_R w phi phi^T = 1, and the penalty (Lambda/2) ||f||^2 of f = b . phi is sum_i p_i b_i^2 / 2 with p_i = Lambda / a_i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh

from nplm._util.blas import blas_threads
from nplm.likelihood.kernel_sums import kernel_blocks, mapped_blocks
from nplm.likelihood.log_linear import FEW_MODES

# Eigenvalues of K_CC below this share of the largest are rounding.
RANK_CUT = 1e-13
# Modes with a_i below this times Lambda are dropped: rounding, and directions in which negative weights prevail.
MODE_CUT = 1e-5
# Of more modes than `FEW_MODES`, which cost next to nothing, as many of the weakest are dropped as lower the expected t
# by this share of its standard deviation at most.
DROPPED_SHARE = 0.005


@dataclass(frozen=True, eq=False)
class Modes:
    """r modes of M kernels.

    Arguments:
        centers: shape (M, d), in the features that the kernel sees.
        width: of the Gaussian kernel.
        transform: phi(x) = k(x, C) @ transform, shape (M, r).
        penalty: p_i of each mode, increasing, shape (r,).
        dropped: expected t, under the null, of the modes that were dropped: sum of their c_i.
        negative: number of directions in which negative weights prevail (a_i < -MODE_CUT Lambda); dropped.
    """

    centers: Float64[np.ndarray, "m d"]
    width: float
    transform: Float64[np.ndarray, "m r"]
    penalty: Float64[np.ndarray, " r"]
    dropped: float
    negative: int

    @classmethod
    @blas_threads()
    def of(
        cls,
        events: Float64[np.ndarray, "n d"],
        weights: Float64[np.ndarray, " n"],
        centers: Float64[np.ndarray, "m d"],
        width: float,
        penalty: float,
        rank_cut: float = RANK_CUT,
    ) -> Modes:
        """The modes of a reference.

        Arguments:
            events: of the reference, with its weights.
            centers: where the kernels stand.
            width: of the kernels.
            penalty: Lambda.
            rank_cut: share of its largest eigenvalue below which those of K_CC are taken for rounding.

        Raises:
            ValueError: if no mode is left.
        """
        whiten = _inverse_root(centers, width, rank_cut)
        information = np.zeros((whiten.shape[1],) * 2)

        def of_block(rows: slice, block: np.ndarray) -> list[np.ndarray]:
            psi, w = block @ whiten, weights[rows]
            # One sign at a time the product is symmetric by construction, and half of the work.
            parts = [(sign, part) for sign, part in ((1.0, w > 0), (-1.0, w < 0)) if part.any()]
            rooted = [(sign, psi[part] * np.sqrt(np.abs(w[part]))[:, None]) for sign, part in parts]
            return [sign * (root.T @ root) for sign, root in rooted]

        for sums in mapped_blocks(of_block, events, centers, width):
            for of_sign in sums:
                information += of_sign
        a, vectors = eigh(information)
        a, vectors = a[::-1], vectors[:, ::-1]
        count = _modes_to_keep(a, penalty)
        if count == 0:
            raise ValueError(
                f"the penalty is so large ({penalty:g}, with at most {max(a[0], 0):.3g} of information in a direction)"
                " that nothing is left to be fitted: take a smaller one"
            )
        transform = whiten @ (vectors[:, :count] / np.sqrt(a[:count]))
        dropped = float(_shrinkage(a[count:], penalty).sum())
        return cls(centers, width, transform, penalty / a[:count], dropped, int((a < -MODE_CUT * penalty).sum()))

    @property
    def count(self) -> int:
        """Number of modes, r."""
        return len(self.penalty)

    @property
    def shrinkage(self) -> Float64[np.ndarray, " r"]:
        """c_i = 1 - (p_i / (1 + p_i))^2: what a unit of each mode's squared fluctuation adds to t."""
        return 1 - (self.penalty / (1 + self.penalty)) ** 2

    @blas_threads()
    def __call__(
        self, events: Float64[np.ndarray, "n d"], into: Float64[np.ndarray, "more r"] | None = None
    ) -> Float64[np.ndarray, "n r"]:
        """phi at events, in the features that the kernel sees; in the first rows of an array, if one is given."""
        phi = np.empty((len(events), self.count)) if into is None else into[: len(events)]

        def fill(rows: slice, block: np.ndarray) -> None:
            phi[rows] = block @ self.transform

        for _ in mapped_blocks(fill, events, self.centers, self.width):
            pass
        return phi


def _shrinkage(a: np.ndarray, penalty: float) -> Float64[np.ndarray, " k"]:
    """c = 1 - (p / (1 + p))^2 with p = Lambda / a; zero where negative weights prevail."""
    x = np.clip(a, 0, None) / penalty
    return 1 - 1 / (1 + x) ** 2


def _modes_to_keep(a: Float64[np.ndarray, " q"], penalty: float) -> int:
    """How many of the eigenvalues, in decreasing order, belong to modes that are worth keeping."""
    usable = int((a > MODE_CUT * penalty).sum())
    c = _shrinkage(a, penalty)
    # What is lost if the modes from here on are dropped.
    lost = np.cumsum(c[::-1])[::-1]
    enough = int((lost > DROPPED_SHARE * np.sqrt(2 * c @ c)).sum())
    return min(usable, max(enough, FEW_MODES))


def _inverse_root(centers: np.ndarray, width: float, rank_cut: float) -> Float64[np.ndarray, "m q"]:
    """B with B^T K_CC B = 1, one column for each eigenvalue of K_CC above the cut."""
    gram = np.concatenate([block for _, block in kernel_blocks(centers, centers, width)])
    s, u = eigh((gram + gram.T) / 2)
    kept = s > rank_cut * s[-1]
    return u[:, kept] / np.sqrt(s[kept])
