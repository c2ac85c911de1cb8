"""The model that the options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm.cli.options import ModelOptions

if TYPE_CHECKING:
    from nplm.models.base import Model


def model_of(options: ModelOptions) -> Model:
    """The model with its settings."""
    if options.model == "histogram":
        from nplm.models.histogram import HistogramModel

        return HistogramModel(bins=options.bins)
    from nplm.models.network import NetworkModel

    return NetworkModel(hidden=options.hidden, clip=options.clip, clip_biases=options.clip_biases)
