"""Lines on stdout and stderr, for as long as somebody reads them."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line; once nobody reads the stream any more (`nplm ... | head -1`), it is lost without complaint.

    Arguments:
        text: what to print.
        stream: where to. Default: standard output.
    """
    target = sys.stdout if stream is None else stream
    try:
        print(text, file=target, flush=True)
    except BrokenPipeError:
        # What is still buffered would raise again, at the latest when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())
