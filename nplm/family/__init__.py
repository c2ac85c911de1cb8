"""The family of tests: single features, pairs, products, all features and intervals, with one p-value for all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
