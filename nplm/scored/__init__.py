"""Tests after an anomaly score that was frozen before them: the rarest events of the reference, and all of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
