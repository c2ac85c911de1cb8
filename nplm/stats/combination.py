"""Combinations of the p-values of several tests into one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

Combine = Literal["min-p", "product", "average", "smooth-max"]
COMBINATIONS: tuple[Combine, ...] = get_args(Combine)


@dataclass(frozen=True)
class Combination:
    """One number T from the p-values p_1 ... p_K of K tests, large where they disagree with the null.

    - "min-p": T = -log min p. Sensitive to whatever a single test sees.
    - "product": T = -sum log p, Fisher's combination. Sensitive to what many tests see.
    - "average": T = -log mean p. One test that sees nothing holds it down.
    - "smooth-max": T = tau log mean exp(-log p / tau), a smooth maximum of -log p at temperature tau: min-p for tau to
      0, the product for tau to infinity, and the harmonic mean of the p-values at tau = 1.

    Their distributions under the null depend on how the tests are correlated; T is compared with a joint null and needs
    no correction. The first three are those of arXiv:2408.12296, section 3; the harmonic mean is that of D. J. Wilson,
    PNAS 116 (2019) 1195.

    Arguments:
        name: which one.
        temperature: tau of "smooth-max".

    Raises:
        ValueError: if there is no such combination, or the temperature is not positive.

    Example:
        >>> log_p = np.log([[0.5, 0.01], [0.2, 0.3]])
        >>> [round(float(t), 3) for t in Combination("min-p")(log_p)]
        [4.605, 1.609]
    """

    name: Combine = "min-p"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in COMBINATIONS:
            raise ValueError(f"there is no combination '{self.name}': choose {', '.join(COMBINATIONS)}")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"the temperature of a smooth maximum must be a positive number, not {self.temperature:g}")

    def __call__(self, log_p: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """T of n data samples from the logarithms of their p-values, shape (n,)."""
        if self.name == "min-p":
            return -log_p.min(axis=1)
        if self.name == "product":
            return -log_p.sum(axis=1)
        count = np.log(log_p.shape[1])
        if self.name == "average":
            return count - np.asarray(logsumexp(log_p, axis=1))
        return self.temperature * (np.asarray(logsumexp(-log_p / self.temperature, axis=1)) - count)

    def describe(self) -> str:
        """What T is, in words."""
        return {
            "min-p": "smallest p-value",
            "product": "product of the p-values (Fisher)",
            "average": "mean of the p-values",
            "smooth-max": f"smooth maximum of -log p at temperature {self.temperature:g}",
        }[self.name]
