"""nplm with a small search for networks: `python -m tests.docs.quick` is `nplm`, a hundred times as quick and worse."""

from __future__ import annotations

import sys

from nplm.cli.main import main
from nplm.models.network.model import Layout
from nplm.models.network.search_settings import BoxSearch
from tests.toys.programs import QUICK


def quick_search(layout: Layout) -> BoxSearch:
    """In the place of `BoxSearch.default`."""
    assert isinstance(QUICK.optimizer, BoxSearch)
    return QUICK.optimizer


if __name__ == "__main__":
    BoxSearch.default = staticmethod(quick_search)  # type: ignore[method-assign,assignment]
    sys.exit(main())
