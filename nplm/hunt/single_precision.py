"""The modes of a hunt in single precision, which takes a third of the time of double."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from nplm.two_sample.modes import KernelModes

# Share of its largest eigenvalue below which those of K_CC are left out. Beyond it the modes of kernels that overlap
# are small differences of large numbers. Penalties leave next to nothing of these directions.
RANK_CUT = 1e-6


@dataclass(frozen=True, eq=False)
class SingleModes:
    """phi(x) = k(x, C) T - mu for each width, with T the product of the two transforms that make the centred modes.

    Arguments:
        centers: C, shape (m, d), common to all widths.
        squared: |c|^2 of each, shape (m,).
        kernels: -1 / (2 width^2), T and mu of each width.
    """

    centers: Float32[np.ndarray, "m d"]
    squared: Float32[np.ndarray, " m"]
    kernels: tuple[tuple[np.float32, np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, basis: KernelModes) -> SingleModes:
        """Those of a basis that was made with `RANK_CUT`."""
        centers = basis.kernels[0].modes.centers.astype(np.float32)
        kernels = tuple(
            (
                np.float32(-0.5 / kernel.width**2),
                (kernel.modes.transform @ kernel.rotation).astype(np.float32),
                (kernel.mean @ kernel.rotation).astype(np.float32),
            )
            for kernel in basis.kernels
        )
        return cls(centers, (centers**2).sum(axis=1), kernels)

    def __call__(self, rows: Float64[np.ndarray, "n d"]) -> Float32[np.ndarray, "n r"]:
        """phi at events."""
        x = rows.astype(np.float32)
        apart = (x**2).sum(axis=1)[:, None] + self.squared
        apart -= 2 * x @ self.centers.T
        np.maximum(apart, 0, out=apart)
        return np.concatenate([np.exp(apart * scale) @ t - mean for scale, t, mean in self.kernels], axis=1)
