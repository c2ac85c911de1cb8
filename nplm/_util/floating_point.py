"""NumPy's own handling of floating-point errors, whatever the caller has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def usual_errors() -> Iterator[None]:
    """As NumPy begins: tails that vanish are no error, and the rest is a warning. A context or a decorator."""
    with np.errstate(under="ignore", over="warn", divide="warn", invalid="warn"):
        yield
