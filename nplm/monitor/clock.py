"""Whether the clock of the events was set back between them, as it is where a new run begins."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

# A step back of so many usual steps is no disorder among neighbours, whose times a readout may shuffle.
_USUAL_STEPS = 10.0


def set_back(times: Float64[np.ndarray, " n"]) -> tuple[float, float] | None:
    """The times before and after the largest step back, if it sets the clock back; None if none does.

    From the first time to the last is no exposure then: it spans what lies between two runs, or misses what both have.
    The steps of events in no order at all are as large as each other, and their exposure is their span.

    Arguments:
        times: of the events, in the order in which they came, all finite.
    """
    if len(times) < 3:
        return None if len(times) < 2 or times[1] >= times[0] else (float(times[0]), float(times[1]))
    steps = np.diff(times)
    at = int(np.argmin(steps))
    sizes = np.abs(steps)
    usual = float((sizes.sum() - sizes.max()) / (len(sizes) - 1))
    if steps[at] < 0 and -steps[at] > _USUAL_STEPS * usual:
        return float(times[at]), float(times[at + 1])
    return None
