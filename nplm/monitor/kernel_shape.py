"""A reference that windows are compared with in shape by one kernel model: what both likelihoods share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from nplm.data.coordinates import CoordinateKind
from nplm.data.periods import Circular
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.model import KernelModel
from nplm.models.linear import PreparedLinear
from nplm.monitor.shape_result import USUAL


@dataclass(frozen=True, eq=False)
class KernelShape:
    """A reference, prepared once.

    Arguments:
        test: a shape-only test with a kernel model.
    """

    test: NPLMTest

    @classmethod
    def of(
        cls,
        reference: Sample,
        model: KernelModel,
        window: int | None,
        coordinates: CoordinateKind = "standardized",
        circular: Circular = (),
        *,
        overflow: bool = False,
    ) -> Self:
        """Prepares the reference.

        Arguments:
            reference: what is expected.
            model: the kernel model.
            window: events of a window; None if windows differ, for a tenth of the reference.
            coordinates, circular: what the model sees in place of the features, see `coordinates_of`.
            overflow: take windows to the range of the reference.

        Raises:
            ValueError: if the reference cannot serve, or the model's solver is not "ml".
        """
        reference.require_yield()
        if model.solver != "ml":
            raise ValueError(f"a monitor fits with the solver 'ml', not with '{model.solver}'")
        return cls(
            NPLMTest(
                reference,
                model,
                expected_yield=reference.effective_size / USUAL if window is None else float(window),
                shape_only=True,
                coordinates=coordinates,
                circular=circular,
                overflow=overflow,
            )
        )

    @property
    def prepared(self) -> PreparedLinear:
        """The kernel model with its reference."""
        kernel = self.test.prepared.linear
        assert kernel is not None  # `of` takes no other model
        return kernel
