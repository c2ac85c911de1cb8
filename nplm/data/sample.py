"""Samples of weighted events."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import ArrayLike

from nplm._util.numbers import LARGEST_SQUARED, as_floats, require_finite, require_squares
from nplm.cuts.cut import parse_cut
from nplm.data.histogram_given import require_no_histogram

# Features that a line about a sample names.
_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Sample:
    """Weighted events: n rows of d features.

    Arguments:
        events: feature values, shape (n, d); a 1-D array of length n is read as one feature.
        weights: one weight an event, shape (n,); may be negative (NLO generators). Default: ones.
        features: d distinct names. Default: x0, x1, ...
        name: what to call the sample in messages and plots.

    Attributes:
        drawn: for a sample that was drawn from pools: each pool with the rows of it that the events are, in order.
        auxiliary: auxiliary measurements that came with the data, such as those of a toy; None if there are none.
        stands_for: of an expectation, the weight of the events that it expects; None for events themselves.

    Raises:
        ValueError: if shapes do not match, a name is repeated, a value is not a finite number, or all weights are so
            small or some so large that their squares are none; the message names the sample, the feature and the row.

    Example:
        >>> sample = Sample([[31.0, 0.2], [48.0, -1.1]], weights=[1.0, 0.5], features=["pt", "eta"])
        >>> sample
        Sample 'sample': 2 events, yield 1.5, features pt, eta
        >>> sample.where("pt > 40").events.tolist()
        [[48.0, -1.1]]
    """

    events: Float64[np.ndarray, "n d"]
    weights: Float64[np.ndarray, " n"]
    features: tuple[str, ...]
    name: str
    drawn: tuple[tuple[Sample, Int64[np.ndarray, " _"]], ...] = field(init=False, default=())
    auxiliary: Float64[np.ndarray, " a"] | None = field(init=False, default=None)
    stands_for: float | None = field(init=False, default=None)

    # No sequence of events, which NumPy would take apart and lose the weights of; and NumPy's numbers multiply it as
    # others do.
    __iter__ = None
    __array_ufunc__ = None

    def __init__(
        self,
        events: ArrayLike,
        weights: ArrayLike | None = None,
        features: Sequence[str] | None = None,
        name: str = "sample",
    ) -> None:
        require_no_histogram(events, name)
        of_events = as_floats(events, f"the events of {name}")
        of_weights = None if weights is None else as_floats(weights, f"the weights of {name}")
        self._take(of_events, of_weights, features, name)

    @classmethod
    def owning(
        cls,
        events: Float64[np.ndarray, "n ..."],
        weights: Float64[np.ndarray, " n"] | None = None,
        features: Sequence[str] | None = None,
        name: str = "sample",
    ) -> Sample:
        """A sample of arrays that nobody else will write to, such as those that a file was just read into.

        They become its own without a copy, which of millions of events would take as much memory again; the arguments
        and errors are those of a sample otherwise.
        """
        sample = object.__new__(cls)
        sample._take(events, weights, features, name)
        return sample

    def _take(
        self,
        values: Float64[np.ndarray, "*shape"],
        weights: Float64[np.ndarray, "*weights"] | None,
        features: Sequence[str] | None,
        name: str,
    ) -> None:
        """Makes these arrays those of the sample, if they are fit for it."""
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] == 0:
            raise ValueError(f"{name}: events must have shape (n, d) with d >= 1, not {values.shape}")
        n, d = values.shape
        names = tuple(f"x{i}" for i in range(d)) if features is None else tuple(features)
        if len(names) != d:
            raise ValueError(f"{name}: {len(names)} feature names ({', '.join(names)}) for {d} columns of events")
        if len(set(names)) != d:
            raise ValueError(f"{name}: feature names must be distinct, not {', '.join(names)}")
        w = np.ones(n) if weights is None else weights
        if w.shape != (n,):
            raise ValueError(f"{name}: weights must have shape ({n},), one for each event, not {w.shape}")
        for j, feature in enumerate(names):
            require_finite(values[:, j], f"feature '{feature}'", name)
        require_finite(w, "weight", name)
        require_squares(w, name)
        for attribute, value in (("events", values), ("weights", w), ("features", names), ("name", name)):
            object.__setattr__(self, attribute, value)

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        """Name, number of events, yield if it is another number, and features, in one line."""
        words = [f"{len(self):,} event{'s' * (len(self) != 1)}"]
        if self.total_weight != len(self):
            words.append(f"yield {self.total_weight:,.6g}")
        shown = ", ".join(self.features[:_SHOWN])
        more = f", ... ({self.dimension} in all)" if self.dimension > _SHOWN else ""
        return f"Sample {self.name!r}: {', '.join(words)}, feature{'s' * (self.dimension != 1)} {shown}{more}"

    @overload
    def __getitem__(self, key: str) -> Float64[np.ndarray, " n"]: ...

    @overload
    def __getitem__(
        self, key: list[str] | tuple[str, ...] | Int64[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice
    ) -> Sample: ...

    def __getitem__(self, key: Any) -> Float64[np.ndarray, " n"] | Sample:
        """The values of a feature, for its name; the sample of some features, in that order, for a list of names; the
        sample of the events at rows, for a mask, a slice or indices.

        Raises:
            ValueError: if there is no such feature or row, a feature is named twice, or a mask is not one value for
                each event.
        """
        if isinstance(key, str):
            return self.events[:, self._column(key)]
        if isinstance(key, (list, tuple)) and key and all(isinstance(name, str) for name in key):
            chosen = replace(self, events=self.events[:, [self._column(name) for name in key]], features=tuple(key))
            # Not what it was drawn from, which has its features in the order that it had.
            return chosen._with((), self.auxiliary, self.stands_for)
        rows = key if isinstance(key, slice) else np.asarray(key)
        if isinstance(rows, np.ndarray):
            if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "biu"):
                raise ValueError(
                    f"{self.name}[...] takes the name of a feature, a list of names, a mask, a slice or a list of rows,"
                    f" not {key!r:.60}"
                )
            if rows.dtype.kind == "b" and len(rows) != len(self):
                raise ValueError(f"{self.name}: a mask of {len(rows)} values for {len(self)} events")
            if rows.dtype.kind != "b":
                rows = rows.astype(np.int64)
                if rows.size and not -len(self) <= rows.min() <= rows.max() < len(self):
                    raise ValueError(f"{self.name}: row {rows.max()} or {rows.min()} of {len(self)} events")
        return self.select(rows)

    def _column(self, feature: str) -> int:
        """The number of a feature."""
        if feature not in self.features:
            raise ValueError(f"{self.name}: no feature '{feature}'; its features: {', '.join(self.features)}")
        return self.features.index(feature)

    def __add__(self, other: Sample) -> Sample:
        """The events of both, as processes add up to a reference; see `concatenate`."""
        if not isinstance(other, Sample):
            return NotImplemented
        return concatenate([self, in_order(other, self.features)])

    def __mul__(self, factor: float) -> Sample:
        """The same events with weights multiplied by a positive number, as by a luminosity or a cross-section.

        Raises:
            ValueError: if the number is not positive and finite.
        """
        if isinstance(factor, bool) or not isinstance(factor, (int, float, np.integer, np.floating)):
            return NotImplemented
        if not (np.isfinite(factor) and factor > 0):
            raise ValueError(f"{self.name}: weights are multiplied by a positive number, not {factor:g}")
        one = None if self.stands_for is None else self.stands_for * float(factor)
        return replace(self, weights=self.weights * float(factor))._with(self.drawn, self.auxiliary, one)

    __rmul__ = __mul__

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return self.events.shape[1]

    @property
    def total_weight(self) -> float:
        """Sum of the weights: the yield of the sample."""
        return float(self.weights.sum())

    @property
    def effective_size(self) -> float:
        """Kish's effective number of events, (sum w)^2 / sum w^2."""
        square = float((self.weights**2).sum())
        return self.total_weight**2 / square if square > 0 else 0.0

    @property
    def is_weighted(self) -> bool:
        """Whether any weight differs from one."""
        return bool(np.any(self.weights != 1.0))

    @property
    def has_negative_weights(self) -> bool:
        """Whether any weight is below zero."""
        return bool(np.any(self.weights < 0.0))

    def require_yield(self) -> Sample:
        """The sample itself, once it is known to hold events whose weights add up to a positive number.

        Raises:
            ValueError: if there are no events, or the sum of the weights is zero or negative.
        """
        if len(self) == 0:
            raise ValueError(f"{self.name} is empty: there are no events to test")
        if not self.total_weight > 0:
            raise ValueError(
                f"{self.name}: the weights add up to {self.total_weight:g}, but a yield must be positive; check the"
                " weight column"
            )
        return self

    def select(self, rows: Int64[np.ndarray, " m"] | Bool[np.ndarray, " n"] | slice) -> Sample:
        """The events at the given rows (indices, a mask or a slice)."""
        return replace(self, events=self.events[rows], weights=self.weights[rows])._with(
            auxiliary=self.auxiliary, stands_for=self.stands_for
        )

    def where(self, cut: str) -> Sample:
        """The events that pass a cut on features, such as "pt > 30 and abs(eta) < 2.4"; see `nplm.cuts.grammar`.

        Raises:
            ReadError: (a ValueError) if the text is no cut, or names no feature.
        """
        parsed = parse_cut(cut, self.features)
        return self.select(parsed({name: self[name] for name in parsed.columns}))

    def draw(
        self, rows: Int64[np.ndarray, " m"], weights: Float64[np.ndarray, " m"] | None = None, name: str = "toy"
    ) -> Sample:
        """A sample drawn from this one as a pool: the events at the given rows, with weights of their own."""
        return Sample(self.events[rows], weights, self.features, name)._with(((self, rows),))

    def with_auxiliary(self, auxiliary: Float64[np.ndarray, " a"]) -> Sample:
        """The same events with auxiliary measurements of their own."""
        return replace(self)._with(self.drawn, np.asarray(auxiliary, dtype=np.float64), self.stands_for)

    def as_expectation(self, weight: float = 1.0) -> Sample:
        """The same events as what is expected of others of that weight, without their fluctuations (Asimov data)."""
        return replace(self)._with(self.drawn, self.auxiliary, weight)

    def _with(
        self,
        drawn: tuple[tuple[Sample, Int64[np.ndarray, " _"]], ...] = (),
        auxiliary: Float64[np.ndarray, " a"] | None = None,
        stands_for: float | None = None,
    ) -> Sample:
        """This sample, just made, with where it comes from and what came with it."""
        object.__setattr__(self, "drawn", drawn)
        object.__setattr__(self, "auxiliary", auxiliary)
        object.__setattr__(self, "stands_for", stands_for)
        return self

    def scaled_to(self, expected_yield: float) -> Sample:
        """The same events, their weights multiplied by one factor so that they add up to `expected_yield`.

        Raises:
            ValueError: if `expected_yield` is not a positive finite number, or the present yield is not positive.
        """
        return self * self.factor_to(expected_yield)

    def factor_to(self, expected_yield: float) -> float:
        """The factor by which the weights add up to `expected_yield`.

        Raises:
            ValueError: as `scaled_to`.
        """
        if not (np.isfinite(expected_yield) and expected_yield > 0):
            raise ValueError(f"{self.name}: the expected yield must be a positive number, not {expected_yield:g}")
        return expected_yield / self.require_yield().total_weight

    def fingerprint(self) -> str:
        """SHA-256 of features, events and weights, as hexadecimal digits."""
        digest = hashlib.sha256("\0".join(self.features).encode())
        digest.update(np.ascontiguousarray(self.events).data)
        digest.update(np.ascontiguousarray(self.weights).data)
        return digest.hexdigest()


def concatenate(samples: Sequence[Sample], name: str | None = None) -> Sample:
    """One sample holding the events of all: how processes add up to a reference.

    Raises:
        ValueError: if there is no sample, the feature names differ, or several have auxiliary measurements.

    Example:
        >>> concatenate([Sample([1.0, 2.0], name="a"), Sample([3.0], [0.5], name="b")], name="both")
        Sample 'both': 3 events, yield 2.5, feature x0
    """
    if not samples:
        raise ValueError("concatenate needs at least one sample")
    first = samples[0]
    for other in samples[1:]:
        require_same_features(first, other)
    measured = [s for s in samples if s.auxiliary is not None]
    if len(measured) > 1:
        names = " and ".join(s.name for s in measured)
        raise ValueError(f"{names} have auxiliary measurements each: only one part of a sample can bring them")
    together = Sample.owning(
        np.concatenate([s.events for s in samples]),
        np.concatenate([s.weights for s in samples]),
        first.features,
        name or " + ".join(s.name for s in samples),
    )
    drawn = [s.drawn for s in samples if len(s)]
    parts = tuple(part for parts in drawn for part in parts) if all(drawn) else ()
    return together._with(parts, measured[0].auxiliary if measured else None)


def in_order(sample: Sample, features: Sequence[str]) -> Sample:
    """The sample with its features in the given order; as it is, if it has other features."""
    if sample.features == tuple(features) or set(sample.features) != set(features):
        return sample
    return sample[tuple(features)]


def require_same_features(expected: Sample, other: Sample) -> None:
    """Raises ValueError, naming the difference, unless both samples have the same features in the same order."""
    if expected.features == other.features:
        return
    missing = [f for f in expected.features if f not in other.features]
    extra = [f for f in other.features if f not in expected.features]
    details = []
    if missing:
        details.append(f"{other.name} lacks {', '.join(missing)}")
    if extra:
        details.append(f"{expected.name} lacks {', '.join(extra)}")
    if not details:
        details.append(f"{', '.join(expected.features)} against {', '.join(other.features)} (order matters)")
    raise ValueError(f"{expected.name} and {other.name} have different features: {'; '.join(details)}")


def require_varying(reference: Sample) -> None:
    """Refuses features that cannot tell events apart, or whose variance float64 does not hold.

    Raises:
        ValueError: naming the feature, if it has one value in all events with non-zero weight, or is too large, or too
            much alike, to be squared.
    """
    used = reference.events if reference.weights.all() else reference.events[reference.weights != 0]
    for feature, low, high in zip(reference.features, used.min(axis=0), used.max(axis=0), strict=True):
        if low == high:
            raise ValueError(
                f"feature '{feature}' of {reference.name} is constant ({low:g}): it cannot tell two samples apart."
                " Leave it out of the features"
            )
        if not (max(-low, high) <= LARGEST_SQUARED and high - low >= 1 / LARGEST_SQUARED):
            raise ValueError(
                f"feature '{feature}' of {reference.name} lies between {low:g} and {high:g}, and the square of its"
                " spread is no number any more: multiply it by a constant, in other units"
            )
