"""Batches from a stream of bytes: Arrow IPC, or lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Literal

import numpy as np

from nplm.monitor.arrow_stream import arrow_batches
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived
from nplm.monitor.position import Position, after_position
from nplm.monitor.stream_bytes import StreamError, pieces

Format = Literal["arrow", "jsonl"]


def stream_arrivals(
    stream: BinaryIO,
    kind: Format,
    features: Sequence[str],
    *,
    weights: str | None = None,
    time: str | None = None,
    taken: Position | None = None,
) -> Iterator[Arrived | None]:
    """The batches of a stream, as they come; what cannot be read is named, and the rest goes on as far as it can.

    None is given for each pause of 0.2 seconds.

    Arguments:
        stream: bytes, such as sys.stdin.buffer.
        kind: "arrow" for an Arrow IPC stream; "jsonl" for lines of JSON, each an event {"pt": 31.2, ...} or a batch
            {"pt": [31.2, 28.4], ...}; null is a value that is missing.
        features, weights, time: columns.
        taken: what was taken before of the same stream, which begins anew; None if it goes on.

    Raises:
        OtherStreamError: if the stream does not begin with what was taken.
    """
    batches = arrow_batches if kind == "arrow" else _lines
    items = batches(pieces(stream), tuple(features), weights, time)
    try:
        for item in items if taken is None else after_position(items, taken, features):
            yield None if item is None else Arrived(item)
    except StreamError as error:
        yield Arrived(Unreadable("stream", str(error), record=False))


def _lines(
    arriving: Iterable[bytes | None], features: tuple[str, ...], weights: str | None, time: str | None
) -> Iterator[Batch | Unreadable | None]:
    names = tuple(dict.fromkeys(n for n in (*features, weights, time) if n is not None))
    rest, number = b"", 0
    for piece in arriving:
        if piece is None:
            yield None
            continue
        *lines, rest = (rest + piece).split(b"\n")
        yield from _records(lines, number, names, features, weights, time, complete=True)
        number += len(lines)
    if rest.strip():
        # The last line has no end: it counts if it is whole.
        yield from _records([rest], number, names, features, weights, time, complete=False)


def _records(
    lines: Sequence[bytes],
    number: int,
    names: tuple[str, ...],
    features: tuple[str, ...],
    weights: str | None,
    time: str | None,
    complete: bool,
) -> Iterator[Batch | Unreadable]:
    """The events of some lines as one batch, in parts where lines between them cannot be read."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in names}

    def batch() -> Iterator[Batch]:
        if columns[names[0]]:
            joined = {name: np.concatenate(parts) for name, parts in columns.items()}
            source = f"stream, line {at}"
            for parts in columns.values():
                parts.clear()
            yield Batch.of(joined, features, weights=weights, time=time, source=source)

    at = number
    for at, line in enumerate(lines, start=number + 1):
        if not line.strip():
            continue
        try:
            values = _values(line, names)
        except ValueError as error:
            yield from batch()
            stopped = "" if complete else "the stream stopped in mid-record: "
            yield Unreadable(f"stream, line {at}", f"{stopped}{error}", record=complete)
            continue
        for name, value in values.items():
            columns[name].append(value)
    yield from batch()


def _values(line: bytes, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns of one line, each of shape (n,), n = 1 for an event."""
    try:
        record: Any = json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error}): {line[:40]!r}") from None
    if not isinstance(record, dict):
        raise ValueError(f"it is no object with the columns {', '.join(names)}: {line[:40]!r}")
    lacking = [name for name in names if name not in record]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    values = {name: _column(name, record[name]) for name in names}
    if len({len(value) for value in values.values()}) > 1:
        raise ValueError("its columns have different lengths")
    return values


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose last value would otherwise be taken where a name comes twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name comes twice in an object")
    return record


def _column(name: str, value: Any) -> np.ndarray:
    items = value if isinstance(value, list) else [value]
    if not all(item is None or (isinstance(item, (int, float))) for item in items):
        raise ValueError(f"'{name}' is no number")
    try:
        return np.array([np.nan if item is None else item for item in items], dtype=np.float64)
    except OverflowError:
        raise ValueError(f"'{name}' is too large a number") from None
