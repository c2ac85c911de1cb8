"""Are two finite, weighted samples from one distribution? Tests that treat both alike."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
