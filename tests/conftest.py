"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.fonts import remember_fonts


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rng-seed", type=int, default=1, help="seed of the rng fixture; no test should depend on it")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator with a fixed seed, which pytest shows when the test fails."""
    seed = int(request.config.getoption("--rng-seed"))
    print(f"seed of the rng fixture: {seed} (another one: pytest --rng-seed N)")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", autouse=True)
def remembered_fonts() -> Iterator[pytest.MonkeyPatch]:
    """Hundreds of pictures are drawn, by runs that are about something else."""
    with pytest.MonkeyPatch.context() as patch:
        remember_fonts(patch)
        yield patch


@pytest.fixture
def fresh_fonts(remembered_fonts: pytest.MonkeyPatch) -> Iterator[None]:
    """Fonts as users have them, for tests of the bytes of a picture."""
    remembered_fonts.undo()
    yield
    remember_fonts(remembered_fonts)
