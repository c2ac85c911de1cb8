"""Distributions, intervals and tests of numbers: nothing here knows of samples, models or toys."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
