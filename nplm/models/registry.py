"""The models by name, with their usual settings."""

from __future__ import annotations

from collections.abc import Callable

from nplm.models.base import Model
from nplm.models.falkon.model import FalkonModel
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.models.network.model import NetworkModel


def named_model(name: str) -> Model:
    """The model of that name.

    Raises:
        ValueError: if there is none.
    """
    models: dict[str, Callable[[], Model]] = {
        "network": NetworkModel,
        "kernel": KernelModel,
        "histogram": HistogramModel,
        "falkon": FalkonModel,
    }
    if name not in models:
        raise ValueError(f"there is no model '{name}': choose {', '.join(models)}")
    return models[name]()
