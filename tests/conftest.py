"""What all tests share."""

from __future__ import annotations

import numpy as np
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rng-seed", type=int, default=1, help="seed of the rng fixture; no test should depend on it")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator with a fixed seed, which pytest shows when the test fails."""
    seed = int(request.config.getoption("--rng-seed"))
    print(f"seed of the rng fixture: {seed} (another one: pytest --rng-seed N)")
    return np.random.default_rng(seed)
