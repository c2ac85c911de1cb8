"""Samples, and what is made of their features: coordinates, partitions into bins, ranges and fingerprints."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
