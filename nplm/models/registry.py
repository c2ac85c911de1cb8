"""The models by name: those of this package, and those from outside of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nplm.models.base import Model

# Where each model lives; it is imported when it is asked for. A model of this package is a folder and a line here.
_HOMES = {
    "network": "nplm.models.network.model:NetworkModel",
    "kernel": "nplm.models.kernel.model:KernelModel",
    "histogram": "nplm.models.histogram.model:HistogramModel",
    "falkon": "nplm.models.falkon.model:FalkonModel",
}
# Entry points by which an installed package brings models.
ENTRY_POINTS = "nplm.models"
# What commands call a family of tests.
_FAMILY = "family"

_registered: dict[str, Callable[[], Model]] = {}


def model_names() -> tuple[str, ...]:
    """The names of all models: first those of this package, then those from outside."""
    return tuple(dict.fromkeys((*_HOMES, *_registered, *_installed(tuple(sys.path)))))


def register_model(name: str, factory: Callable[[], Model]) -> None:
    """Makes a model from outside of this package known by its name, in Python and on the command line.

    An installed package does without: it names the factory in the entry points `nplm.models` of its pyproject.toml.

    Arguments:
        name: what it is called; one that was registered before takes the new factory.
        factory: makes the model with its usual settings, such as its class; see `nplm.models.base.Model`.

    Raises:
        ValueError: if the name is that of a model of this package, or no word.
    """
    if name in (*_HOMES, _FAMILY):
        raise ValueError(f"the name '{name}' is taken: give your model another")
    if name.split() != [name] or name.startswith("-"):
        raise ValueError(f"the name of a model must be one word, not '{name}'")
    _registered[name] = factory


def named_model(name: str, **settings: object) -> Model:
    """The model of that name.

    Arguments:
        name: of the model.
        settings: arguments of a model of this package; those that are not given are the usual ones.

    Raises:
        ValueError: if there is none, or it cannot be loaded, or a setting is out of its range.
    """
    if name in _HOMES:
        module, _, attribute = _HOMES[name].partition(":")
        model: Model = getattr(import_module(module), attribute)(**settings)
        return model
    if name in _registered:
        return _registered[name]()
    installed = _installed(tuple(sys.path)).get(name)
    if installed is None:
        raise ValueError(f"there is no model '{name}': choose {', '.join(model_names())}")
    try:
        factory = installed.load()
    except Exception as error:  # it is not ours: whatever goes wrong in it, the message must say in which model
        package = "another package" if installed.dist is None else installed.dist.name
        raise ValueError(f"the model '{name}' of {package} cannot be loaded: {error}") from error
    made: Model = factory()
    return made


@cache
def _installed(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Models that installed packages bring, but for names that are taken."""
    found = entry_points(group=ENTRY_POINTS)
    return {point.name: point for point in found if point.name not in (*_HOMES, _FAMILY)}
