"""What all tests share."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.fonts import remember_fonts

# Linux ends a process that asks for more than 65,530 mappings of memory; JAX keeps some for each compiled program.
MOST_MAPPINGS = 20_000

# What starts tests in the background may have Ctrl-C ignored, and programs that tests start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rng-seed", type=int, default=1, help="seed of the rng fixture; no test should depend on it")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator with a fixed seed, which pytest shows when the test fails."""
    seed = int(request.config.getoption("--rng-seed"))
    print(f"seed of the rng fixture: {seed} (another one: pytest --rng-seed N)")
    return np.random.default_rng(seed)


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs() -> Iterator[None]:
    """Thousands of tests in one process would not fit with all that they compile."""
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()


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
