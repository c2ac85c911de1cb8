"""Record batches of an Arrow IPC stream, each as soon as it is whole.

Arrow's reader waits within a batch for bytes that may never come, so it is only given messages that are whole. A
message (https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format) is 0xFFFFFFFF, the size of its
metadata, these, and a body, whose size is in the metadata, a flatbuffer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nplm.io._arrow import arrow_column
from nplm.io._table import require_distinct
from nplm.monitor.batch import Batch, Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_CONTINUATION = b"\xff\xff\xff\xff"
# Fields of a message's metadata, and the kind of one that holds a record batch.
_KIND, _BODY, _RECORD_BATCH = 1, 3, 3


def arrow_batches(
    pieces: Iterable[bytes | None], features: Sequence[str], weights: str | None, time: str | None
) -> Iterator[Batch | Unreadable | None]:
    """The events of each record batch; one that cannot be used is named. None for each None among the pieces.

    Arguments:
        pieces: bytes of the stream.
        features, weights, time: columns.
    """
    import pyarrow as pa

    names = tuple(dict.fromkeys(name for name in (*features, weights, time) if name is not None))
    number = 0
    try:
        for batch in _record_batches(pieces):
            if batch is None:
                yield None
                continue
            number += 1
            source = f"stream, batch {number}"
            try:
                require_distinct([name for name in batch.schema.names if name in names], source)
                columns = {
                    name: arrow_column(pa.chunked_array([batch.column(name)]), source, name)
                    for name in names
                    if name in batch.schema.names
                }
                yield Batch.of(columns, features, weights=weights, time=time, source=source)
            except (ValueError, pa.ArrowException) as error:
                yield Unreadable(source, str(error))
    except (pa.ArrowException, OSError, struct.error, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        message = f"the stream stopped in mid-record after {number} batches: {reason}"
        yield Unreadable("stream", message, record=False)


def _record_batches(pieces: Iterable[bytes | None]) -> Iterator[pa.RecordBatch | None]:
    import pyarrow as pa

    whole, rest = _Whole(), bytearray()
    reader = None
    for piece in pieces:
        if piece is None:
            yield None
            continue
        rest += piece
        while (found := _first_message(rest)) is not None:
            size, kind = found
            whole.content += rest[:size]
            del rest[:size]
            if reader is None:
                reader = pa.ipc.open_stream(whole)
            elif kind == _RECORD_BATCH:
                yield reader.read_next_batch()
    # It has ended here, perhaps too early, which the reader then says.
    whole.content += rest
    yield from pa.ipc.open_stream(whole) if reader is None else reader


class _Whole:
    """What a reader may read now, as the file that it wants."""

    closed = False

    def __init__(self) -> None:
        self.content = bytearray()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; as many as there are if that is less."""
        size = len(self.content) if size < 0 else size
        taken = bytes(self.content[:size])
        del self.content[:size]
        return taken

    def close(self) -> None:
        """Does nothing."""


def _first_message(data: bytearray) -> tuple[int, int] | None:
    """Size and kind of the message at the beginning; None if it is not whole."""
    # Before Arrow 0.15 there was nothing before the size.
    begin = 8 if data[:4] == _CONTINUATION else 4
    if len(data) < begin:
        return None
    metadata = struct.unpack_from("<i", data, begin - 4)[0]
    if metadata == 0:  # the end of the stream
        return begin, 0
    if len(data) < begin + metadata:
        return None
    body = struct.unpack("<q", _field(data, begin, _BODY, 8))[0]
    size = begin + metadata + body
    return None if len(data) < size else (size, _field(data, begin, _KIND, 1)[0])


def _field(data: bytearray, begin: int, number: int, size: int) -> bytes:
    """A field of the flatbuffer's root table; zero if it is left out (https://flatbuffers.dev/internals)."""
    root = begin + struct.unpack_from("<I", data, begin)[0]
    fields = root - struct.unpack_from("<i", data, root)[0]
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, fields + at)[0] if at < struct.unpack_from("<H", data, fields)[0] else 0
    return bytes(data[root + offset : root + offset + size]) if offset else bytes(size)
