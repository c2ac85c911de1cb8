"""Regression of moments of weights on the features: a polynomial of second degree and kernels, by least squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cho_factor, cho_solve

from nplm._util.blas import blas_threads
from nplm._util.seed_range import require_seed
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.learning.settings import RatioSettings
from nplm.models.kernel.centers import choose_centers

# Widths in standardized features, and penalties in units of the events of a centre, that are tried.
_WIDTHS = (0.7, 1.0, 1.5, 2.5)
_PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
# The polynomial hardly has a penalty.
_OF_POLYNOMIAL = 1e-3
# Share of the training events by which width and penalty are chosen.
_CHOOSING = 0.25
# So many events on either side of each feature are taken together.
_OUTERMOST = 30
_BLOCK = 1 << 14


@dataclass(frozen=True)
class RegressionSettings:
    """How the polynomials of effective theories, and scores, are learned.

    Arguments:
        members: fits of the ensemble, each to events that a bootstrap draws; 1 for all events once, without an error.
        centers: number of kernels.
        held_out: share of the events that are kept for the validation.
        seed: of the split, the bootstrap and the centres.

    Raises:
        ValueError: for a value out of range.
    """

    members: int = 5
    centers: int = 200
    held_out: float = 0.2
    seed: int = 1

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.members < 1 or self.centers < 1:
            raise ValueError(f"members and centers must be 1 or more, not {self.members} and {self.centers}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must be a share between 0 and 1, not {self.held_out:g}")

    @property
    def splitting(self) -> RatioSettings:
        """The same split into training and held-out events, and bootstrap, as of networks."""
        return RatioSettings(members=self.members, held_out=self.held_out, seed=self.seed)


class Moments(NamedTuple):
    """Events that say what a regressed function is: it minimizes sum_central w f^2 / 2 - sum m f.

    Arguments:
        sample: the events.
        values: m of each event, and of each function, shape (n, T).
    """

    sample: Sample
    values: Float64[np.ndarray, "n T"]


@dataclass(frozen=True, eq=False)
class Regression:
    """T functions of the event, f = polynomial + sum_j a_j exp(-|x - c_j|^2 / 2 h^2) of standardized features x.

    Beyond the outermost events of each feature x stays where they end: f is not extrapolated into tails, where it is
    the mean of what is there.

    Arguments:
        features: of events, in order.
        inputs: features that the functions see.
        scaler: standardizes these.
        ends: the smallest and the largest x of each, shape (2, d).
        centers: c, shape (M, d).
        width: h.
        coefficients: of 1, x_j, x_j x_k and the kernels, shape (members, p, T).
    """

    features: tuple[str, ...]
    inputs: tuple[str, ...]
    scaler: Scaler
    ends: Float64[np.ndarray, "2 d"]
    centers: Float64[np.ndarray, "M d"]
    width: float
    coefficients: Float64[np.ndarray, "members p T"]

    @property
    def members(self) -> int:
        """Number of fits."""
        return len(self.coefficients)

    def values(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "members n T"]:
        """The functions at events.

        Raises:
            ValueError: if events have another number of features.
        """
        if events.shape[1] != len(self.features):
            raise ValueError(
                f"events have {events.shape[1]} features, but what was learned is of {', '.join(self.features)}"
            )
        columns = [self.features.index(name) for name in self.inputs]
        found = np.empty((self.members, len(events), self.coefficients.shape[2]))
        with blas_threads(1):
            for some in _blocks(len(events)):
                x = np.clip(self.scaler(events[some][:, columns]), *self.ends)
                found[:, some] = _functions(x, self.centers, self.width) @ self.coefficients
        return found

    def digest(self) -> str:
        """SHA-256 of the coefficients."""
        return sha256(np.ascontiguousarray(np.round(self.coefficients, 9)).tobytes()).hexdigest()

    def header(self) -> dict[str, Any]:
        """All but the arrays, as JSON values."""
        return {
            "features": self.features,
            "inputs": self.inputs,
            "location": self.scaler.location.tolist(),
            "deviation": self.scaler.scale.tolist(),
            "width": self.width,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {"ends": self.ends, "centers": self.centers, "coefficients": self.coefficients}

    @classmethod
    def from_header(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Regression:
        """What `header` and `arrays` gave.

        Raises:
            ValueError: if they do not fit together.
        """
        centers, coefficients = arrays["centers"], arrays["coefficients"]
        d = len(values["inputs"])
        if (
            arrays["ends"].shape != (2, d)
            or centers.ndim != 2
            or coefficients.ndim != 3
            or coefficients.shape[1] != _size(d, len(centers))
        ):
            raise ValueError(f"coefficients have shape {coefficients.shape}, and centres {centers.shape}")
        scaler = Scaler(np.array(values["location"]), np.array(values["deviation"]))
        return cls(
            tuple(values["features"]),
            tuple(values["inputs"]),
            scaler,
            arrays["ends"],
            centers,
            values["width"],
            coefficients,
        )


def regress(
    central: Sample, moments: Sequence[Moments], inputs: Sequence[str] | None, settings: RegressionSettings
) -> Regression:
    """The functions f that minimize sum_central w f^2 / 2 - sum m f plus a penalty on the kernels.

    With the events' own moments, m = dw/dtheta, f is E_w[m / w | x]; with the weights of independent samples it is a
    ratio of densities. Width and penalty are those that do best on a part of the training events; then all of these are
    fitted, once for every member of the ensemble.

    Arguments:
        central: the events whose density f is relative to.
        moments: of these, and of others.
        inputs: features that f sees; default: all.
        settings: how to learn.

    Raises:
        ValueError: if inputs are no features, there are too few events, or weights below zero leave no minimum.
    """
    seen = _inputs(central, inputs)
    columns = [central.features.index(name) for name in seen]
    scaler = Scaler.fit(Sample(central.events[:, columns], central.weights, seen, central.name))
    splitting, unit = settings.splitting, len(central) / float(np.abs(central.weights).sum())
    parts = [Moments(central, np.zeros((len(central), moments[0].values.shape[1]))), *moments]
    # A part that is the central sample with moments is split, and drawn, as that is.
    numbers = [0 if part.sample is central else number for number, part in enumerate(parts)]
    train = [splitting.split(part.sample, number)[0] for part, number in zip(parts, numbers, strict=True)]
    x = [scaler(part.sample.events[rows][:, columns]) for part, rows in zip(parts, train, strict=True)]
    ends = _ends(x[0])
    x = [np.clip(each, *ends) for each in x]
    w = unit * central.weights[train[0]]
    m = [unit * part.values[rows] for part, rows in zip(parts[1:], train[1:], strict=True)]
    count = min(settings.centers, len(np.unique(x[0][w != 0], axis=0)))
    centers = choose_centers(x[0], w, count, "covering", settings.seed)
    chosen = [
        splitting.generator(5, number).random(len(rows)) < _CHOOSING
        for number, rows in zip(numbers, train, strict=True)
    ]
    penalty = np.full(_size(len(seen), count), float(np.abs(w).sum()) / count)
    penalty[: _size(len(seen), 0)] *= _OF_POLYNOMIAL
    ones = [np.ones(len(rows)) for rows in train]
    with blas_threads(1):
        best = (np.inf, _WIDTHS[0], _PENALTIES[0])
        for width in _WIDTHS:
            fit, test = (
                _sums(
                    x, w, m, centers, width, [one * (choose == which) for one, choose in zip(ones, chosen, strict=True)]
                )
                for which in (False, True)
            )
            for strength in _PENALTIES:
                a = _solved(fit, strength * penalty)
                if a is None:
                    continue
                loss = float((a * (test[0] @ a)).sum() / 2 - (a * test[1]).sum())
                best = min(best, (loss, width, strength))
        _, width, strength = best
        found = []
        for member in range(settings.members):
            times = {n: splitting.times(member, n, len(rows)) for n, rows in zip(numbers, train, strict=True)}
            a = _solved(_sums(x, w, m, centers, width, [times[n] for n in numbers]), strength * penalty)
            if a is None or not np.isfinite(best[0]):
                raise ValueError(
                    f"the weights of {central.name} below zero leave nothing to be regressed: take events whose"
                    " negative weights are fewer in every region"
                )
            found.append(a)
    return Regression(central.features, seen, scaler, ends, centers, width, np.stack(found))


def _ends(x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "2 d"]:
    """The values of each feature that so many events lie beyond on either side."""
    k = min(_OUTERMOST, (len(x) - 1) // 2)
    return np.stack([np.partition(x, k, axis=0)[k], np.partition(x, len(x) - 1 - k, axis=0)[len(x) - 1 - k]])


Sums = tuple[Float64[np.ndarray, "p p"], Float64[np.ndarray, "p T"]]


def _sums(
    x: Sequence[Float64[np.ndarray, "_ d"]],
    w: Float64[np.ndarray, " n"],
    m: Sequence[Float64[np.ndarray, "_ T"]],
    centers: Float64[np.ndarray, "M d"],
    width: float,
    times: Sequence[Float64[np.ndarray, " _"]],
) -> Sums:
    """sum_central w psi psi^T and sum m psi, of events so many times."""
    size = _size(centers.shape[1], len(centers))
    gram, right = np.zeros((size, size)), np.zeros((size, m[0].shape[1]))
    for some in _blocks(len(x[0])):
        psi = _functions(x[0][some], centers, width)
        gram += (psi * (w[some] * times[0][some])[:, None]).T @ psi
    for events, values, drawn in zip(x[1:], m, times[1:], strict=True):
        for some in _blocks(len(events)):
            right += _functions(events[some], centers, width).T @ (values[some] * drawn[some][:, None])
    return gram, right


def _solved(sums: Sums, penalty: Float64[np.ndarray, " p"]) -> Float64[np.ndarray, "p T"] | None:
    """(gram + penalty)^-1 right; None if the matrix is not positive, as sums with negative weights may make it."""
    gram, right = sums
    try:
        return np.asarray(cho_solve(cho_factor(gram + np.diag(penalty)), right))
    except np.linalg.LinAlgError:
        return None


def _functions(
    x: Float64[np.ndarray, "n d"], centers: Float64[np.ndarray, "M d"], width: float
) -> Float64[np.ndarray, "n p"]:
    """1, x_j, x_j x_k, and the kernels."""
    j, k = np.triu_indices(x.shape[1])
    square = (x**2).sum(axis=1)[:, None] - 2 * x @ centers.T + (centers**2).sum(axis=1)
    kernels = np.exp(-np.maximum(square, 0) / (2 * width**2))
    return np.concatenate([np.ones((len(x), 1)), x, x[:, j] * x[:, k], kernels], axis=1)


def _size(d: int, centers: int) -> int:
    return 1 + d + d * (d + 1) // 2 + centers


def _blocks(n: int) -> Iterator[slice]:
    for first in range(0, n, _BLOCK):
        yield slice(first, min(first + _BLOCK, n))


def _inputs(central: Sample, inputs: Sequence[str] | None) -> tuple[str, ...]:
    if inputs is None:
        return central.features
    seen = tuple(inputs)
    if not seen or any(name not in central.features for name in seen) or len(set(seen)) < len(seen):
        raise ValueError(f"inputs must be distinct features of {', '.join(central.features)}, not {list(seen)}")
    return seen
