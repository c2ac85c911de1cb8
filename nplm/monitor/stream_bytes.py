"""Bytes of a stream as they come, and its pauses."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import BinaryIO

# Bytes that are asked for at a time; as many as there are come at once.
_BYTES = 1 << 18
# Seconds without a byte that are a pause.
_PAUSE = 0.2


class StreamError(Exception):
    """Raised when the system cannot read a stream."""


def pieces(stream: BinaryIO) -> Iterator[bytes | None]:
    """Bytes as soon as there are any, and None for each pause of 0.2 seconds, until the stream ends.

    Arguments:
        stream: a file, a pipe or a socket, of which nothing was read yet; or a stream in memory, which never pauses.

    Raises:
        StreamError: if it cannot be read.
    """
    try:
        number = stream.fileno()
    except OSError:
        read1 = getattr(stream, "read1", stream.read)
        while piece := read1(_BYTES):
            yield piece
        return
    while True:
        if not select.select([number], [], [], _PAUSE)[0]:
            yield None
            continue
        try:  # not by way of the stream's own buffer, about which the system knows nothing
            piece = os.read(number, _BYTES)
        except OSError as error:
            raise StreamError(f"the stream cannot be read: {error.strerror}") from error
        if not piece:
            return
        yield piece
