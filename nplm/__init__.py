"""nplm: do data agree with a reference, and if not, where? A likelihood-ratio test with calibrated p-values, on JAX.

The public names are listed in `__init__.pyi`, here and in each folder, and imported when they are first used, so
`import nplm` is quick and does not start JAX.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("nplm-jax")
