"""A part of the family of tests once parameters have been fitted: modes less what the fit can absorb.

With y the scores of the modes and y_s those of the parameters, s = d log r, the fit moves y by C y_s, C = G H^-1, where
G and H are the information of modes with parameters and of parameters. So what can be seen is

    y~ = y - C y_s

(J. Neyman's C(alpha), in Probability and Statistics (U. Grenander, ed., 1959) 213), whose covariance for data without
weights is 1 - G H^-1 G^T. To second order tau - Delta is that of a kernel in the directions that are left: these are
the eigenvectors of M^1/2 Cov(y~) M^1/2 with M = diag(mu) of the kernel, whose eigenvalues take the place of mu.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int

from nplm._util.blas import blas_threads
from nplm.family.member import SEEN, Member, Part, shrinkage
from nplm.family.settings import YIELD

# A product or an interval of which less than this share is left has been fitted.
LEFT = 0.02
# A yield of which less than this share is left is one of the parameters; eigenvalues that are rounding.
_ABSORBED = 1e-6


@dataclass(frozen=True, eq=False)
class Fitted:
    """What parameters that were fitted to the data do to the scores of a family.

    Arguments:
        scores: s of each event of the pool less its mean, shape (n, K).
        information: H in the units of the family's scores, shape (K, K).
        second: variance that each event adds, shape (n,).
        signed: information that each event adds, shape (n,); the same where weights are equal.
        beyond: fluctuations of y_s that are not those of the events' shapes, such as of the yield and of auxiliary
            measurements, as columns L with covariance L L^T, shape (K, e).
        own: those of the yield itself, shape (e,); None if it is not compared.
        of_yield: information of the yield with the parameters, shape (K,).
        left: y_s of the samples as they are, with all that belongs to it: 0 at a maximum of the likelihood.
    """

    scores: Float64[np.ndarray, "n K"]
    information: Float64[np.ndarray, "K K"]
    second: Float64[np.ndarray, " n"]
    signed: Float64[np.ndarray, " n"]
    beyond: Float64[np.ndarray, "K e"]
    own: Float64[np.ndarray, " e"] | None
    of_yield: Float64[np.ndarray, " K"]
    left: Float64[np.ndarray, " K"]

    @property
    def unit(self) -> float:
        """Weight of the rows that stand for fluctuations beyond the events, so that samples of rows hold them."""
        return float(self.second.sum() / (10 * max(self.beyond.shape[1], 1)))

    @cached_property
    def inverse(self) -> Float64[np.ndarray, "K K"]:
        """H^-1."""
        return np.linalg.pinv(self.information, rcond=1e-12, hermitian=True)

    @cached_property
    def of_events(self) -> Float64[np.ndarray, "K K"]:
        """Covariance of y_s by the shapes of the events."""
        return (self.scores * self.second[:, None]).T @ self.scores

    def without(self, part: Part) -> tuple[Float64[np.ndarray, "r K"], Float64[np.ndarray, "r r"]]:
        """C of a part, and the covariance of what is left of its scores."""
        variance, with_scores, information = _moments(part, self)
        response = information @ self.inverse
        across = with_scores @ response.T
        of_scores = self.of_events + self.beyond @ self.beyond.T
        return response, variance - across - across.T + response @ of_scores @ response.T


@dataclass(frozen=True, eq=False, kw_only=True)
class ProjectedPart(Part):
    """Modes that are left of a part; rows beyond those of the pool are fluctuations of yields and measurements.

    Arguments:
        base: the part; None for the yield.
        fitted: what was fitted.
        response: C, shape (b, K).
        rotation: from its scores to those that are left, shape (b, r).
        own: of the yield, see `Fitted`.
    """

    base: Part | None
    fitted: Fitted
    response: Float64[np.ndarray, "b K"]
    rotation: Float64[np.ndarray, "b r"]
    own: Float64[np.ndarray, " e"] | None = None

    def phi_in_pool(self, rows: Int[np.ndarray, " k"]) -> Float64[np.ndarray, "k r"]:
        """phi of events of the pool, and of the rows beyond."""
        fitted, response, rotation = self.fitted, self.response, self.rotation
        n = len(fitted.second)
        inside = rows < n
        phi = np.zeros((len(rows), len(response)))
        events = rows[inside]
        if self.base is not None:
            phi[inside] = self.base.phi_in_pool(events)
        phi[inside] -= fitted.scores[events] @ response.T
        phi[~inside] = _of_beyond(response, fitted, self.own)[rows[~inside] - n] / np.sqrt(fitted.unit)
        return phi @ rotation

    def of_scores(self, y: Float64[np.ndarray, "L b"], y_s: Float64[np.ndarray, "L K"]) -> Float64[np.ndarray, "L r"]:
        """What is left of scores of the part, with those of the parameters."""
        return (y - y_s @ self.response.T) @ self.rotation


def _of_beyond(
    response: Float64[np.ndarray, "r K"], fitted: Fitted, own: Float64[np.ndarray, " e"] | None
) -> Float64[np.ndarray, "e r"]:
    moved = -(fitted.beyond.T @ response.T)
    return moved if own is None else moved + own[:, None]


@blas_threads()
def projected(parts: Sequence[Part], fitted: Fitted) -> list[ProjectedPart]:
    """What is left of the parts of a family, and of the yield where it is compared."""
    found: list[ProjectedPart] = []
    for part in parts:
        response, covariance = fitted.without(part)
        left = _left(part, covariance)
        if left is not None:
            rotation, mu, members = left
            found.append(
                ProjectedPart(
                    None,
                    None,
                    mu,
                    members,
                    look=part.look,
                    few=part.few,
                    base=part,
                    fitted=fitted,
                    response=response,
                    rotation=rotation,
                )
            )
    if fitted.own is not None:
        response = (fitted.of_yield @ fitted.inverse)[None]
        of_beyond = _of_beyond(response, fitted, fitted.own)
        size = float(of_beyond[:, 0] @ of_beyond[:, 0]) + float((response @ fitted.of_events @ response.T)[0, 0])
        if size > _ABSORBED * float(fitted.own @ fitted.own):
            member = Member(YIELD, (), None, None, np.ones(1))
            rotation = np.array([[1 / np.sqrt(size)]])
            found.append(
                ProjectedPart(
                    None,
                    None,
                    np.ones(1),
                    (member,),
                    base=None,
                    fitted=fitted,
                    response=response,
                    rotation=rotation,
                    own=fitted.own,
                )
            )
    return found


def _moments(
    part: Part, fitted: Fitted
) -> tuple[Float64[np.ndarray, "r r"], Float64[np.ndarray, "r K"], Float64[np.ndarray, "r K"]]:
    """Covariance of a part's scores, that with those of the parameters, and the information of both."""
    of_variance = fitted.scores * fitted.second[:, None]
    same = fitted.signed is fitted.second
    of_information = of_variance if same else fitted.scores * fitted.signed[:, None]
    k = fitted.scores.shape[1]
    variance = np.eye(part.modes)
    known = part.members[0].scale is not None
    if part.cell is not None:
        phi = part.phi_of(slice(None))
        sums = np.column_stack([part.summed(column) for column in of_variance.T])
        with_scores = phi.T @ sums
        informed = with_scores if same else phi.T @ np.column_stack([part.summed(c) for c in of_information.T])
        if not known:
            variance = (phi * part.summed(fitted.second)[:, None]).T @ phi
        return variance, with_scores, informed
    with_scores, informed = np.zeros((part.modes, k)), np.zeros((part.modes, k))
    variance = variance if known else np.zeros_like(variance)
    for rows in part.blocks:
        phi = part.phi_of(rows)
        with_scores += phi.T @ of_variance[rows]
        if not same:
            informed += phi.T @ of_information[rows]
        if not known:
            variance += (phi * fitted.second[rows][:, None]).T @ phi
    return variance, with_scores, with_scores if same else informed


def _left(
    part: Part, covariance: Float64[np.ndarray, "r r"]
) -> tuple[Float64[np.ndarray, "r s"], Float64[np.ndarray, " s"], tuple[Member, ...]] | None:
    """The rotation to scores that are independent and of variance one, their mu, and the tests that they make."""
    if part.members[0].penalty is None:
        size = np.diag(covariance)
        kept = np.flatnonzero(size > LEFT)
        if not len(kept):
            return None
        rotation = np.zeros((len(size), len(kept)))
        rotation[kept, np.arange(len(kept))] = 1 / np.sqrt(size[kept])
        units = np.eye(len(kept))
        members = tuple(replace(part.members[i], shrinkage=units[j]) for j, i in enumerate(kept))
        return rotation, np.ones(len(kept)), members
    root = np.sqrt(part.variance)
    mu, vectors = np.linalg.eigh(covariance * np.outer(root, root))
    penalties = [float(member.penalty) for member in part.members if member.penalty is not None]
    seen = mu > SEEN * min(penalties)
    if not seen.any():
        return None
    mu, vectors = mu[seen][::-1], vectors[:, seen][:, ::-1]
    rotation = root[:, None] * vectors / np.sqrt(mu)
    members = tuple(
        replace(member, shrinkage=shrinkage(mu, penalty))
        for member, penalty in zip(part.members, penalties, strict=True)
    )
    return rotation, mu, members
