"""Models whose weights are clipped to a box, which is tuned until t follows its chi2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.base import Model, PreparedModel


class TunableModel(Model, Protocol):
    """A network with a clip."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """Neurons of each hidden layer."""
        ...

    @property
    def clip_biases(self) -> bool:
        """Whether biases are clipped too."""
        ...

    def with_clip(self, clip: float) -> TunableModel:
        """The same with another clip."""
        ...

    def clipped(self, prepared: PreparedModel, clip: float) -> PreparedTunable:
        """What it has prepared, with another clip; nothing is prepared or compiled again."""
        ...


class PreparedTunable(PreparedModel, Protocol):
    """Such a network with its reference, whose maxima can be followed from clip to clip."""

    def fit_from(self, data: Sequence[Sample], starts: Sequence[Float[np.ndarray, "_ p"]]) -> Fits:
        """Fits each sample from given starts only, shape (k, P) with k >= 1, clipped into the box."""
        ...
