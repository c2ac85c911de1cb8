"""Versions of everything a result depends on."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("jax", "jaxlib", "optax", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of nplm, Python and the packages that compute, by name."""
    return {
        "nplm": metadata.version("nplm-jax"),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }
