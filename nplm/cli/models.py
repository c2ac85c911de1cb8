"""The model that the options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nplm.cli.options import ModelOptions

if TYPE_CHECKING:
    from nplm.models.base import Model
    from nplm.models.kernel_centers import Selection
    from nplm.models.kernel_fit import Solver


def model_of(options: ModelOptions) -> Model:
    """The model with its settings."""
    if options.model == "histogram":
        from nplm.models.histogram import HistogramModel

        return HistogramModel(bins=options.bins)
    if options.model == "kernel":
        from nplm.models.kernel import KernelModel

        return KernelModel(
            width=options.width,
            centers=options.centers,
            penalty=options.penalty,
            selection=cast("Selection", options.selection),
            solver=cast("Solver", options.solver),
        )
    from nplm.models.network import NetworkModel

    return NetworkModel(hidden=options.hidden, clip=options.clip, clip_biases=options.clip_biases)
