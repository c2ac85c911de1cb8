"""Batches from a stream of bytes: Arrow IPC, or lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Literal

import numpy as np

from nplm.io._arrow import arrow_column
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived
from nplm.monitor.position import Position, after_position

Format = Literal["arrow", "jsonl"]
# Bytes that are asked for at a time; as many as there are come at once.
_BYTES = 1 << 18


def stream_arrivals(
    stream: BinaryIO,
    kind: Format,
    features: Sequence[str],
    *,
    weights: str | None = None,
    time: str | None = None,
    taken: Position | None = None,
) -> Iterator[Arrived]:
    """The batches of a stream, as they come; what cannot be read is named, and the rest goes on as far as it can.

    Arguments:
        stream: bytes, such as sys.stdin.buffer.
        kind: "arrow" for an Arrow IPC stream; "jsonl" for lines of JSON, each an event {"pt": 31.2, ...} or a batch
            {"pt": [31.2, 28.4], ...}; null is a value that is missing.
        features, weights, time: columns.
        taken: what was taken before of the same stream, which begins anew; None if it goes on.

    Raises:
        OtherStreamError: if the stream does not begin with what was taken.
    """
    items = (_arrow if kind == "arrow" else _lines)(stream, tuple(features), weights, time)
    yield from map(Arrived, items if taken is None else after_position(items, taken, features))


def _arrow(
    stream: BinaryIO, features: tuple[str, ...], weights: str | None, time: str | None
) -> Iterator[Batch | Unreadable]:
    import pyarrow as pa

    number = 0
    try:
        with pa.ipc.open_stream(stream) as reader:
            for number, batch in enumerate(reader, start=1):
                source = f"stream, batch {number}"
                try:
                    names = dict.fromkeys(n for n in (*features, weights, time) if n is not None)
                    columns = {
                        name: arrow_column(pa.chunked_array([batch.column(name)]), source, name)
                        for name in names
                        if name in batch.schema.names
                    }
                    yield Batch.of(columns, features, weights=weights, time=time, source=source)
                except ValueError as error:
                    yield Unreadable(source, str(error))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        message = f"the stream stopped in mid-record after {number} batches: {reason}"
        yield Unreadable("stream", message, record=False)


def _lines(
    stream: BinaryIO, features: tuple[str, ...], weights: str | None, time: str | None
) -> Iterator[Batch | Unreadable]:
    names = tuple(dict.fromkeys(n for n in (*features, weights, time) if n is not None))
    rest, number = b"", 0
    while True:
        piece = _some(stream)
        *lines, rest = (rest + piece).split(b"\n")
        if not piece and rest.strip():
            # The last line has no end: it counts if it is whole.
            lines, rest = [rest], b""
            complete = False
        else:
            complete = True
        yield from _records(lines, number, names, features, weights, time, complete)
        number += len(lines)
        if not piece:
            return


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
        record: Any = json.loads(line)
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


def _column(name: str, value: Any) -> np.ndarray:
    items = value if isinstance(value, list) else [value]
    if not all(item is None or (isinstance(item, (int, float))) for item in items):
        raise ValueError(f"'{name}' is no number")
    try:
        return np.array([np.nan if item is None else item for item in items], dtype=np.float64)
    except OverflowError:
        raise ValueError(f"'{name}' is too large a number") from None


def _some(stream: BinaryIO) -> bytes:
    """Bytes as soon as there are any; none at the end."""
    read1 = getattr(stream, "read1", None)
    data: bytes = stream.read(_BYTES) if read1 is None else read1(_BYTES)
    return data
