"""Where data and reference differ, as the fitted log-ratio sees it: events, regions, features.

Nothing here is a significance: places are chosen after looking at the data.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
