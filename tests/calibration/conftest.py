"""A campaign and a store of it, as those of the tests of toys."""

from __future__ import annotations

from pathlib import Path

import pytest

from nplm.toys.campaign import Campaign
from nplm.toys.store import Store
from tests.toys.programs import exponential_campaign, filled_store


@pytest.fixture
def campaign() -> Campaign:
    """Toys of the histogram model."""
    return exponential_campaign()


@pytest.fixture
def filled(campaign: Campaign, tmp_path: Path) -> Store:
    """A store with twelve toys in one part."""
    return filled_store(campaign, tmp_path / "filled")
