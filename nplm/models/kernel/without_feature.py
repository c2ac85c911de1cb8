"""A kernel model that does not see one of the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import block_diag

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.models.base import ModelDefaults
from nplm.models.kernel.fit import PreparedKernel

# Numbers of modes are filled up to multiples of this, so that one compiled fit serves for nearly all features.
_MODES = 64
# The penalty of a mode that is not there: its c is 0 to rounding.
_PROHIBITIVE = 1e12


@dataclass(frozen=True, eq=False)
class KernelWithout(ModelDefaults):
    """A kernel model on given centres that does not see one feature: that feature has no part in the distance.

    Centres, width, penalty and coordinates are those of the model with all features.

    Arguments:
        like: the prepared kernel model with all features.
        penalty: Lambda.
        centers: how many of its centres, the first ones, are used.
        feature: index of the feature; None to leave none out.
    """

    like: PreparedKernel
    penalty: float
    centers: int
    feature: int | None = None

    @property
    def name(self) -> str:
        return "kernel"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        modes = self.like.modes
        return {"width": modes.width, "centers": self.centers, "penalty": self.penalty, "without": self.feature}

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedKernel:
        """Finds the modes of the reference with what is left of the features."""
        like = self.like
        centers, seen = like.modes.centers[: self.centers].copy(), like.scaler
        if self.feature is not None:
            centers[:, seen.columns(self.feature)] = 0.0
            seen = seen.without(self.feature)
        prepared = PreparedKernel.of(
            reference,
            seen,
            centers,
            like.modes.width,
            self.penalty,
            like.solver,
            engine=like.engine,
            reference_exact=like.event_weight == 0,
        )
        return _filled_up(prepared)


def _filled_up(prepared: PreparedKernel) -> PreparedKernel:
    """The same model with modes that are zero everywhere, and so change no t."""
    modes, blocks = prepared.modes, prepared.blocks
    more = -modes.count % _MODES
    transform = np.pad(modes.transform, ((0, 0), (0, more)))
    penalty = np.append(modes.penalty, np.full(more, _PROHIBITIVE))
    expected = np.append(prepared.expected, np.zeros(more))
    with jax.enable_x64(True):
        if blocks.transform is None:
            blocks = blocks._replace(x=jnp.pad(blocks.x, ((0, 0), (0, 0), (0, more))))
        else:
            blocks = blocks._replace(transform=jnp.asarray(transform), expected=jnp.asarray(expected))
    r = modes.count
    noise = block_diag(prepared.noise, np.zeros((more, more)))
    # The column of ones is the last one.
    order = [*range(r), *range(r + 1, r + 1 + more), r]
    return replace(
        prepared,
        modes=replace(modes, transform=transform, penalty=penalty),
        blocks=blocks,
        expected=expected,
        noise=noise[np.ix_(order, order)],
    )
