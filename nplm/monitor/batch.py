"""Events as they arrive: not yet known to be good, unlike those of a Sample."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample


@dataclass(frozen=True)
class Unreadable:
    """A file, or a part of a stream, that gives no events.

    Arguments:
        source: its name.
        message: what is wrong.
        status: "unreadable", or "changed" for a file that has changed since its events were taken.
        record: whether it is a record of its own, and not the end of a stream that came too early.
    """

    source: str
    message: str
    status: Literal["unreadable", "changed"] = "unreadable"
    record: bool = True


@dataclass(frozen=True, eq=False)
class Batch:
    """Events that arrived together; values may be NaN.

    Arguments:
        events: shape (n, d).
        weights: shape (n,).
        times: of the events, in the units of the exposure, shape (n,); None if they have none.
        source: where they come from.
    """

    events: Float64[np.ndarray, "n d"]
    weights: Float64[np.ndarray, " n"]
    times: Float64[np.ndarray, " n"] | None
    source: str

    def __len__(self) -> int:
        return len(self.events)

    @classmethod
    def of(
        cls,
        values: Any,
        features: Sequence[str],
        *,
        weights: str | None = None,
        time: str | None = None,
        source: str = "batch",
    ) -> Batch:
        """Events in any of several forms.

        Arguments:
            values: a Sample, an array of shape (n, d) with the features in order, or a table or mapping whose columns
                are found by name, values[name].
            features: of the reference.
            weights: column of the weights; None for unit weights.
            time: column of the times; None for none.
            source: what to call the batch.

        Raises:
            ValueError: if a column is missing or not numeric, or the shapes do not match.
        """
        if isinstance(values, Batch):
            return values
        if isinstance(values, Sample):
            lacking = [name for name in features if name not in values.features]
            if lacking:
                raise ValueError(f"{values.name} lacks {', '.join(lacking)}; it has {', '.join(values.features)}")
            order = [values.features.index(name) for name in features]
            if time is not None:
                raise ValueError(f"a Sample holds no column '{time}' of times: give a mapping of columns instead")
            return cls(values.events[:, order], values.weights, None, source)
        if isinstance(values, (np.ndarray, list, tuple)):
            events = np.asarray(values, dtype=np.float64)
            events = events[:, None] if events.ndim == 1 else events
            if events.ndim != 2 or events.shape[1] != len(features):
                raise ValueError(f"{source}: events must have shape (n, {len(features)}), not {events.shape}")
            if weights is not None or time is not None:
                raise ValueError(f"{source}: an array has no columns of weights or times: give a mapping of columns")
            return cls(events, np.ones(len(events)), None, source)
        columns = [_column(values, name, source) for name in features]
        more = [None if name is None else _column(values, name, source) for name in (weights, time)]
        lengths = {len(column) for column in (*columns, *more) if column is not None}
        if len(lengths) > 1:
            raise ValueError(f"{source}: its columns have different lengths: {', '.join(map(str, sorted(lengths)))}")
        events = np.column_stack(columns)
        return cls(events, np.ones(len(events)) if more[0] is None else more[0], more[1], source)

    def select(self, rows: slice) -> Batch:
        """Some of the events."""
        return replace(
            self,
            events=self.events[rows],
            weights=self.weights[rows],
            times=None if self.times is None else self.times[rows],
        )

    def parts(self, size: int | None, skip: int = 0) -> Iterator[Batch]:
        """The events after the first `skip` in parts of at most `size`; at once for None."""
        if size is None:
            yield self.select(slice(skip, None))
            return
        for begin in range(skip, len(self), size):
            yield self.select(slice(begin, begin + size))

    def checksum(self, features: Sequence[str], before: int = 0) -> int:
        """CRC-32 of the events in their order, whatever the order of the features and however they are divided.

        Arguments:
            features: names of the columns.
            before: checksum of the events that came before.
        """
        columns = [self.events[:, j] for j in np.argsort(features)]
        columns += [self.weights, *([] if self.times is None else [self.times])]
        return zlib.crc32(np.column_stack(columns).tobytes(), before)

    def followed_by(self, other: Batch) -> Batch:
        """The events of both, with the source of the second.

        Raises:
            ValueError: if only one of them has times.
        """
        if len(self) == 0:
            return other
        if (self.times is None) != (other.times is None):
            raise ValueError(f"{other.source}: some events have times and others have none")
        times = None if self.times is None or other.times is None else np.concatenate([self.times, other.times])
        return Batch(
            np.concatenate([self.events, other.events]),
            np.concatenate([self.weights, other.weights]),
            times,
            other.source,
        )


def _column(values: Any, name: str, source: str) -> Float64[np.ndarray, " n"]:
    try:
        column = values[name]
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(f"{source}: there is no column '{name}'") from None
    try:
        array = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{source}: column '{name}' holds something else than numbers") from None
    if array.ndim != 1:
        raise ValueError(f"{source}: column '{name}' has shape {array.shape}; it needs one number for each event")
    return array
