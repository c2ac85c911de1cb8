"""nplm with a small search for networks: `python -m tests.docs.quick` is `nplm`, a hundred times as quick and worse."""

from __future__ import annotations

import sys

from nplm.cli.main import main
from nplm.models.box_search import BoxSearch
from nplm.models.network import Layout
from tests.ensemble.programs import QUICK


def quick_search(layout: Layout) -> BoxSearch:
    """In the place of `BoxSearch.default`."""
    assert isinstance(QUICK.optimizer, BoxSearch)
    return QUICK.optimizer


if __name__ == "__main__":
    BoxSearch.default = staticmethod(quick_search)  # type: ignore[method-assign,assignment]
    sys.exit(main())
