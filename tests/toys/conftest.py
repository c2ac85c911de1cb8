"""Campaigns that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.campaign import Campaign
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from tests.toys.programs import exponential_campaign, filled_store

SameToys = Callable[..., None]


@pytest.fixture
def campaign() -> Campaign:
    """Toys of the histogram model."""
    return exponential_campaign()


@pytest.fixture
def assert_same() -> SameToys:
    """Two tables hold the same toys; all but the time they took, to a relative tolerance."""

    def check(one: ToyTable, two: ToyTable, tolerance: float = 0.0) -> None:
        for name in [f.name for f in fields(ToyTable) if f.name != "seconds"]:
            a, b = getattr(one, name), getattr(two, name)
            if tolerance and a is not None and a.dtype == np.float64:
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)
            else:
                np.testing.assert_array_equal(a, b, err_msg=name)

    return check


@pytest.fixture
def filled(campaign: Campaign, tmp_path: Path) -> Store:
    """A store with twelve toys in one part."""
    return filled_store(campaign, tmp_path / "filled")
