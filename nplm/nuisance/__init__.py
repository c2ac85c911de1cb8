"""The imperfect reference: how its density moves with nuisances, and what auxiliary measurements say about them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
