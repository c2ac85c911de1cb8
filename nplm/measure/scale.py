"""How far a parameter moves before the expectation differs by one standard deviation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Steps of the search, each by a factor of 8 at most, and where it begins.
_STEPS, _FACTOR, _FIRST = 60, 8.0, 1e-3
# The difference that is near enough to one, and one that is none.
_NEAR, _NONE = (0.25, 4.0), 1e-6


def deviating(name: str, apart: Callable[[float], float], low: float, high: float) -> float:
    """The size of the nearest value at which the expected t is about 1.

    Arguments:
        name: of the parameter.
        apart: expectation of t between a value and 0; not finite where there is no likelihood.
        low, high: bounds of the parameter, 0 between them.

    Raises:
        ValueError: if nothing depends on the parameter.
    """
    found = [_on_one_side(lambda v, sign=sign: apart(sign * v), abs(end)) for sign, end in ((-1, low), (1, high))]  # type: ignore[misc]
    if not np.isfinite(min(found)):
        raise ValueError(
            f"nothing depends on {name}: the expectation is the same wherever it is, so data cannot say what it is"
        )
    return min(found)


def _on_one_side(apart: Callable[[float], float], end: float) -> float:
    """The same for positive values up to a bound; infinite if there is none."""
    if end == 0:
        return np.inf

    def at(size: float) -> float:
        value = apart(size)
        return value if np.isfinite(value) else np.inf

    size = min(_FIRST, end)
    here = at(size)
    for _ in range(_STEPS):
        if _NEAR[0] < here < _NEAR[1]:
            break
        # The difference grows as the square of a small step.
        factor = _FACTOR if here <= 0 else float(np.clip(1 / np.sqrt(here), 1 / _FACTOR, _FACTOR))
        if factor > 1 and size >= end:
            break
        size = min(size * factor, end)
        here = at(size)
    return size if np.isfinite(here) and here > _NONE else np.inf
