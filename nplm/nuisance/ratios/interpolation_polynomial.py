"""The polynomial of HistFactory between two variations (pyhf's code 4), without JAX."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def polynomial_between(
    log_up: Float64[np.ndarray, " m"], log_down: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, "6 m"]:
    """a_1 to a_6 of 1 + sum a_i nu^i with the value and two derivatives of the exponentials at nu = +-1."""
    i = np.arange(1, 7)
    rows, right = [], []
    for sign, log_end in ((1.0, log_up), (-1.0, log_down)):
        end = np.exp(log_end)
        rows += [sign**i, i * sign ** (i - 1), i * (i - 1) * sign**i]
        right += [end - 1, sign * log_end * end, log_end**2 * end]
    return np.linalg.solve(np.array(rows), np.array(right))
