"""A campaign that is killed again and again ends as one that was left in peace."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.campaign import TRIALS, Campaign
from nplm.toys.run import run_campaign
from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store
from tests.toys.programs import ROOT

# So quick that a part is being written for much of the time.
TOYS, BATCH, PAUSE = 2000, 4, 0.001
# Kills while Python and JAX start or the store is made, and kills once batches are being stored.
EARLY, LATE = 3, 7


def start(store: Path, log: Path) -> subprocess.Popen[bytes]:
    arguments = [store, TOYS, BATCH, PAUSE, log]
    return subprocess.Popen([sys.executable, "-m", "tests.toys.programs", *map(str, arguments)], cwd=ROOT)


def parts(store: Path) -> dict[str, int]:
    """The parts and when they were written last."""
    return {p.name: p.stat().st_mtime_ns for p in store.glob(PARTS)}


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the campaign ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_nothing(
    campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None], rng: np.random.Generator
) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    present: set[int] = set()
    drawn, working = 0, 0
    for early in rng.permutation([True] * EARLY + [False] * LATE):
        before = parts(store)
        process = start(store, log)
        if not early:
            wait_for(lambda before=before: parts(store) != before, process)
        time.sleep(rng.uniform(0.0, 1.5 if early else 0.05))
        assert process.poll() is None
        process.kill()
        assert process.wait() == -9

        if not (store / CAMPAIGN_FILE).exists():
            continue
        # A part that cannot be read fails the test.
        stored = Store.open(store, warn=pytest.fail).read()
        assert set(stored.index.tolist()) >= present
        gained = len(stored) - len(present)
        lines = len(log.read_text().splitlines()) if log.exists() else 0
        # The first toys of each process are drawn for the plan.
        assert gained >= max(0, lines - drawn - 1 - TRIALS) - BATCH, "more than the batch under way was lost"
        present, drawn = set(stored.index.tolist()), lines
        working += gained > 0
    assert working >= LATE, "the kills did not hit the work"
    assert len(present) < TOYS

    assert start(store, log).wait(timeout=120) == 0
    finished = Store.open(store, warn=pytest.fail)
    table = finished.read()
    assert len(finished.missing(table)) == 0
    assert_same(table, run_campaign(campaign, TOYS), 1e-10)
    rows = np.concatenate([t.index for p in store.glob(PARTS) if (t := finished._read_part(p))])
    assert sorted(rows.tolist()) == list(range(TOYS)), "a toy was run twice"
    assert not list(store.glob("*.corrupt"))
