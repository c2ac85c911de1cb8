"""Parametric models: fits of parameters of interest, their intervals and limits, and whether anything is left."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
