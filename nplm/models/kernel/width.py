"""How wide the kernels are where nobody says: the heuristic of pairwise distances."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import pdist

from nplm.models.kernel.centers import draw, stream

# Events whose pairwise distances give the width, and the quantile that is taken.
_PAIRED, _QUANTILE = 2000, 0.9


def heuristic_width(events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], seed: int) -> float:
    """The 90th percentile of the distances between pairs of events (arXiv:2204.02317, section 4).

    Arguments:
        events: in the coordinates of the model.
        weights: at most 2000 events are drawn in proportion to |w|.
        seed: of the draw.
    """
    rows = draw(stream(seed), weights, _PAIRED)
    return float(np.quantile(pdist(events[rows]), _QUANTILE))
