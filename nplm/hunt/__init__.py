"""Bump hunts: an excess in a resonant feature that other features may point at, against a smooth background."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
