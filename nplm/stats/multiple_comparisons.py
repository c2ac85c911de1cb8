"""P-values of many comparisons, corrected for their number: Bonferroni, Holm, and Benjamini and Hochberg."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.stats import false_discovery_control

Correction = Literal["holm", "bonferroni", "false-discovery"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)


def adjusted_p(p: Float64[np.ndarray, " m"], correction: Correction) -> Float64[np.ndarray, " m"]:
    """P-values that account for their number m.

    "bonferroni": m p. "holm": the i-th smallest times m + 1 - i, at least the one before it (S. Holm, Scand. J. Stat. 6
    (1979) 65). "false-discovery": Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    """
    if correction == "false-discovery":
        return np.asarray(false_discovery_control(p))
    if correction == "bonferroni":
        return np.minimum(len(p) * p, 1.0)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
