"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

The public names are listed in `__init__.pyi`, here and in each folder, and imported when they are first used, so
`import nplm` is quick and does not start JAX.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # What reads it from the installed package takes a third of the time of `nplm --help` to import.
        from importlib.metadata import version

        return version("nplm-jax")
    return _public(name)
