"""Many results as one statement: combinations, counting regions, compatible analyses, and what an excess may be."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
