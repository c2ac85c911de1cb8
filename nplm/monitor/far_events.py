"""Events of a window that lie far beyond the reference, such as default values: however few, they are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nplm.data.support import Support

# Beyond the range of the reference by so many times its width: fluctuations of what has a tail do not reach that.
_FAR = 1.0


@dataclass(frozen=True)
class Far:
    """Events far beyond the range of the reference; an event that is far in several features counts once.

    Arguments:
        events: how many.
        words: for a reader, of each feature and side.
    """

    events: int = 0
    words: Sequence[str] = field(default=())


def far_events(support: Support, events: np.ndarray, weights: np.ndarray) -> Far:
    """What lies far out, in words that are those of `Support.outside` where this names the same events.

    Too few for an alarm they may still be what a broken channel writes. Neither ranks nor the edge that `--overflow`
    takes them to say how far out they are.

    Arguments:
        support: of the reference, with its values.
        events, weights: of the window, shapes (n, d) and (n,); values that are no numbers are in no range.
    """
    far = np.zeros(len(events), dtype=bool)
    words = []
    counts = weights != 0
    for j, values in enumerate(support.values):
        x = events[:, j]
        low, high = float(values[0]), float(values[-1])
        reach = _FAR * (high - low)
        for beyond, out in ((x < low, x < low - reach), (x > high, x > high + reach)):
            if (out & counts).any():
                far |= out & counts
                words.append(support.beyond_words(j, np.sort(x[beyond & counts])))
    return Far(int(far.sum()), tuple(words))
