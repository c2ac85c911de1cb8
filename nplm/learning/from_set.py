"""Sets of weights, as of parton densities: many members, learned together in the few directions that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.stats import norm

from nplm._util.numbers import require_squares
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.learning.from_weights import learn_from_weights
from nplm.learning.learned_ratio import LearnedLogRatio, Yields
from nplm.learning.relative_weights import absolute
from nplm.learning.settings import RatioSettings

SetKind = Literal["symmetric hessian", "hessian", "replicas"]
SET_KINDS: tuple[SetKind, ...] = get_args(SetKind)

# Neurons at random, beside a polynomial of second degree, by which x is asked what it knows of each member.
_NEURONS = 40
_SEED = 0x736574
# Information below this share of the largest, or of that of the yield, is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class LearnedSet:
    """A set of weights in its leading directions.

    Arguments:
        ratio: log r of the directions, each with a Gaussian constraint of sigma = 1.
        directions: which combination of the members' nuisances each is, orthonormal, shape (J, K).
        information: Fisher information on each direction of the set, in data of the expected yield, the largest first,
            shape (K,): its root is by how many standard deviations nu = 1 moves the data.
    """

    ratio: LearnedLogRatio
    directions: Float64[np.ndarray, "J K"]
    information: Float64[np.ndarray, " K"]

    @property
    def loss(self) -> float:
        """Share of the information that was left out."""
        return float(self.information[len(self.directions) :].sum() / self.information.sum())

    def describe(self) -> str:
        """How many directions were kept, and what is lost."""
        kept, left = len(self.directions), np.sqrt(self.information[len(self.directions) :].sum())
        return (
            f"{kept} of {len(self.information)} directions keep {1 - self.loss:.2%} of the information; all others"
            f" together move the expected data by {left:.2g} standard deviations"
        )


def learn_from_set(
    central: Sample,
    members: ArrayLike,
    name: str,
    kind: SetKind,
    *,
    relative: bool | None = None,
    level: float = 0.0,
    loss: float = 0.01,
    inputs: Sequence[str] | None = None,
    yields: Yields = "keep",
    settings: RatioSettings | None = None,
) -> LearnedSet:
    """Learns what a set of weights does to the density of events, with as few nuisances as it takes.

    Member k changes weights by w delta_k at nu_k = 1, whose constraint is a unit Gaussian: delta_k = w_k / w - 1
    ("symmetric hessian"), (w_2k - w_2k-1) / 2w ("hessian": pairs, minus or plus first), or
    (w_k / w - mean) / sqrt(m - 1) ("replicas"). What x knows of delta is E_w[delta | x], found by least squares for all
    members at once; the information on nu in data of the expected yield is sum_R w E[delta | x] E[delta | x]^T. Its
    leading eigenvectors are the directions: unit Gaussians again, as the rotation is orthonormal. Each is learned by
    `learn_from_weights` with r(x; +-1) = 1 +- E[delta | x]; effects of several directions multiply.

    Source: J. Butterworth et al., PDF4LHC, J. Phys. G 43 (2016) 023001, section 6, for what members are.

    Arguments:
        central: the events with their weights.
        members: weights of each member, or their ratios, shape (n, m).
        name: of the nuisances, which are called name_1, name_2, ...
        kind: of the set.
        relative: whether members are ratios; None to see, see `nplm.learning.relative_weights`.
        level: confidence level of a Hessian set, such as 0.9; 0 for one standard deviation.
        loss: share of the information that may be left out.
        inputs: features that the log-ratio depends on; default: all.
        yields, settings: see `learn_from_samples`.

    Raises:
        ValueError: if members have another shape, or a setting makes no sense.
    """
    changes = _changes(central, np.asarray(members, dtype=np.float64), kind, relative, level)
    if not 0 < loss < 1:
        raise ValueError(f"the loss is a share of the information between 0 and 1, not {loss:g}")
    if yields == "factor-out":
        changes = changes - central.weights[:, None] * (changes.sum(axis=0) / central.total_weight)
    information, vectors = eigh(_information(central, changes, inputs))
    information, vectors = np.maximum(information[::-1], 0.0), vectors[:, ::-1]
    if not information[0] > _ROUNDING * central.total_weight:
        raise ValueError(f"the members of {name} do not move the density of events: there is nothing to learn")
    left = information.sum() - np.cumsum(information)
    kept = int(np.argmax(left <= max(loss * information.sum(), _ROUNDING * information[0]))) + 1
    directions = vectors[:, :kept].T
    # Of either sign; this one raises the yield.
    directions *= np.where(changes.sum(axis=0) @ directions.T < 0, -1.0, 1.0)[:, None]
    varied = []
    for j, direction in enumerate(directions, 1):
        change = changes @ direction
        varied += [({f"{name}_{j}": sign}, central.weights + sign * change) for sign in (1.0, -1.0)]
    ratio = learn_from_weights(
        central,
        varied,
        relative=False,
        inputs=None if inputs is None else {f"{name}_{j}": inputs for j in range(1, kept + 1)},
        yields=yields,
        settings=settings,
    )
    return LearnedSet(ratio, directions, information)


def _changes(
    central: Sample, members: Float64[np.ndarray, "n m"], kind: SetKind, relative: bool | None, level: float
) -> Float64[np.ndarray, "n K"]:
    """w delta of each event and member."""
    if kind not in SET_KINDS:
        raise ValueError(f"there is no set '{kind}': choose {', '.join(SET_KINDS)}")
    if members.ndim != 2 or len(members) != len(central) or members.shape[1] < 2:
        raise ValueError(
            f"members must have shape ({len(central)}, m), two or more weights for each event, not {members.shape}"
        )
    if not np.isfinite(members).all():
        row, column = np.argwhere(~np.isfinite(members))[0]
        raise ValueError(f"the weight of event {row} in member {column + 1} is {members[row, column]}")
    if not (0 <= level < 1):
        raise ValueError(f"the confidence level of a set is between 0 and 1, such as 0.9, not {level:g}")
    for number, member in enumerate(members.T, 1):
        require_squares(member, f"member {number}")
    weights = absolute(central, members, relative)
    require_squares(weights, "the members")
    if kind == "replicas":
        return (weights - weights.mean(axis=1, keepdims=True)) / np.sqrt(weights.shape[1] - 1)
    sigma = 1.0 if level == 0 else float(norm.ppf((1 + level) / 2))
    if kind == "hessian":
        if weights.shape[1] % 2:
            raise ValueError(
                f"a Hessian set has pairs of members, not {weights.shape[1]}: leave out the central one, or take"
                " 'symmetric hessian'"
            )
        return (weights[:, 1::2] - weights[:, ::2]) / (2 * sigma)
    return (weights - central.weights[:, None]) / sigma


def _information(
    central: Sample, changes: Float64[np.ndarray, "n K"], inputs: Sequence[str] | None
) -> Float64[np.ndarray, "K K"]:
    """sum_R w E[delta | x] E[delta | x]^T, by least squares on functions of x."""
    columns = [central.features.index(feature) for feature in inputs or central.features]
    seen = Sample(central.events[:, columns], central.weights, [central.features[j] for j in columns])
    x = Scaler.fit(seen)(seen.events)
    rng = np.random.default_rng(_SEED)
    neurons = np.tanh(x @ rng.normal(size=(x.shape[1], _NEURONS)) + rng.normal(size=_NEURONS))
    first, second = np.triu_indices(x.shape[1])
    psi = np.column_stack([np.ones(len(x)), x, x[:, first] * x[:, second], neurons])
    gram, sums = (psi * central.weights[:, None]).T @ psi, psi.T @ changes
    values, vectors = eigh(gram)
    sound = values > 1e-6 * values[-1]
    scores = (vectors[:, sound] / np.sqrt(values[sound])).T @ sums
    return np.asarray(scores.T @ scores)
