"""A kernel model that does not see one of the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.models.base import ModelDefaults, PreparedModel
from nplm.models.kernel.filled_up import filled_up
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance.nuisances import Nuisances

# Numbers of modes are filled up to multiples of this, so that one compiled fit serves for nearly all features.
_MODES = 64


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
        return filled_up(prepared, _MODES)

    def with_nuisances(
        self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample
    ) -> PreparedKernelWithNuisances:
        assert isinstance(prepared, PreparedKernel)
        return PreparedKernelWithNuisances.of(prepared, nuisances, reference)
