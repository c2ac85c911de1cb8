"""What a test of a window's shape gives, whichever test it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

# Windows in a reference, where nobody says how large they are.
USUAL = 10
STOPPED = "the fit was stopped before its maximum, so t is a lower bound"


class ShapeResult(NamedTuple):
    """t of a window, the mean and the deviation of its null, p and Z.

    `failure` is empty, or says why p is NaN, or why t is a lower bound and p an upper one. `where` gives the
    words for what leads, and where; they are empty for a single kernel.
    """

    t: float
    mean: float
    sd: float
    p: float
    z: float
    failure: str
    where: Callable[[], str] = str
