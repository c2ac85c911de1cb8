"""Ctrl-C and kill -9 while toys run: the same command goes on, and ends as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.store import PARTS, Store
from nplm.toys.table import ToyTable

pytestmark = pytest.mark.usefixtures("folder")

# Toys that take 2 ms each, so that there is something to interrupt.
SLOW = """
import time
def draw(rng):
    time.sleep(0.002)
    n = rng.poisson(400)
    return [[a, b] for a, b in zip(rng.exponential(size=n), rng.normal(size=n))]
"""
RUN = ("toys", "run", "--reference", "wref.npz", "--weights", "w", "--model", "histogram")
MANY = (*RUN, "--generator", "slow_toys:draw", "--toys", "600", "--batch", "10")
TEST = ("test", "data.npz", "--reference", "wref.npz", "--weights", "w", "--model", "histogram")


def stored(path: str) -> ToyTable:
    return Store.open(path, warn=pytest.fail).read()


def same(one: ToyTable, two: ToyTable) -> None:
    np.testing.assert_array_equal(one.index, two.index)
    np.testing.assert_array_equal(one.t, two.t)


def stop(sent: signal.Signals, words: tuple[str, ...], parts: Path, toys: int) -> tuple[int, str]:
    """Runs a command, and sends a signal once so many of its toys are stored; exit code and stderr."""
    command = [sys.executable, "-m", "nplm.cli.main", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 120
            while sum(len(ToyTable.read(part)) for part in parts.glob(PARTS)) < toys:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(sent)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
    return process.returncode, err


@pytest.mark.parametrize(
    "sent", [signal.SIGTERM, *(pytest.param(s, marks=pytest.mark.slow) for s in (signal.SIGINT, signal.SIGKILL))]
)
def test_toys_go_on_where_they_were_stopped(nplm, sent: signal.Signals) -> None:
    Path("slow_toys.py").write_text(SLOW)
    code, err = stop(sent, (*MANY, "-o", "out"), Path("out"), 50)
    done = len(stored("out"))
    assert 50 <= done < 600
    if sent is signal.SIGKILL:
        assert code == -9
    else:
        assert code == 130
        assert f"nplm: interrupted; {done} of 600 toys are in out. The same command runs the rest" in err
        assert "Traceback" not in err
    outcome = nplm(*MANY, "-o", "out")
    assert outcome.code == 0
    assert f"out holds {done} toys; {600 - done} are left to run" in outcome.err
    assert nplm(*MANY, "-o", "whole").code == 0
    same(stored("out"), stored("whole"))


@pytest.mark.parametrize("sent", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_test_goes_on_where_it_was_stopped(nplm, sent: signal.Signals) -> None:
    many = ("--toys", "3000")
    code, _ = stop(sent, (*TEST, *many, "-o", "out"), Path("out/toys"), 250)
    assert code == (130 if sent is signal.SIGINT else -9)
    done = len(stored("out/toys"))
    assert 250 <= done < 3000
    outcome = nplm(*TEST, *many, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert f"going on with the {done} toys of the unfinished run in out" in outcome.err
    assert nplm(*TEST, *many, "-o", "whole").code == 0
    same(stored("out/toys"), stored("whole/toys"))
    again, whole = (json.loads(Path(name, "result.json").read_text()) for name in ("out", "whole"))
    assert again["complete"] is whole["complete"] is True
    for key in ("t", "p_value", "p_interval", "z", "calibration"):
        assert again[key] == whole[key], key
    assert again["p_value"] == (1 + np.sum(stored("out/toys").t >= again["t"])) / 3001


@pytest.fixture
def unfinished(nplm, monkeypatch: pytest.MonkeyPatch) -> int:
    """An interrupted `nplm test --toys 2000 -o out`; the number of its toys."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("nplm.cli.terminal.Reporter.advance", interrupt)
        assert nplm(*TEST, "--toys", "2000", "-o", "out").code == 130
    return len(stored("out/toys"))


@pytest.mark.slow
def test_a_test_goes_on_with_another_number_of_toys(nplm, unfinished: int) -> None:
    outcome = nplm(*TEST, "--toys", "1000", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert stored("out/toys").index.tolist() == list(range(1000))
    nplm(*TEST, "--toys", "1000", "-o", "whole")
    again, whole = (json.loads(Path(name, "result.json").read_text()) for name in ("out", "whole"))
    assert again["p_value"] == whole["p_value"]


def test_fewer_toys_than_there_are_use_all_of_them(nplm, unfinished: int) -> None:
    outcome = nplm(*TEST, "--toys", "20", "-o", "out")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("out/result.json").read_text())
    assert result["calibration"]["toys"] == unfinished > 20
    assert result["p_value"] == (1 + np.sum(stored("out/toys").t >= result["t"])) / (1 + unfinished)


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (("--bins", "8"), "model.bins: 8 here, 10 there"),
        (("--seed", "2"), "seed: 2 here, 1 there"),
        (("--expected-yield", "390"), "expected_yield: 390 here, 400 there"),
        (("--pool", "ref.npz"), "sampler.pool.yield"),
    ],
)
def test_a_test_with_other_settings_does_not_go_on(nplm, unfinished: int, words, culprit: str) -> None:
    before = {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()}
    outcome = nplm(*TEST, "--toys", "2000", "-o", "out", *words)
    assert outcome.code == 4
    assert culprit in outcome.err
    assert "give --force to replace that run" in outcome.err
    assert {p: p.read_bytes() for p in Path("out").rglob("*") if p.is_file()} == before
    forced = nplm(*TEST, "--toys", "30", "-o", "out", *words, "--force")
    assert forced.code == 0, forced.err
    assert len(stored("out/toys")) == 30


def test_a_test_of_other_data_does_not_go_on(nplm, unfinished: int) -> None:
    with np.load("data.npz") as columns:
        np.savez("other.npz", x=columns["x"][::-1] + 0.01, y=columns["y"])
    other = ("test", "other.npz", *TEST[2:], "--toys", "2000", "-o", "out")
    outcome = nplm(*other)
    assert outcome.code == 4
    assert "out holds the unfinished run of other data" in outcome.err
    assert len(stored("out/toys")) == unfinished
    assert nplm(*other[:-3], "30", "-o", "out", "--force").code == 0
    assert json.loads(Path("out/result.json").read_text())["calibration"]["toys"] == 30


def test_a_finished_test_does_not_go_on(nplm) -> None:
    assert nplm(*TEST, "--toys", "30", "-o", "out").code == 0
    outcome = nplm(*TEST, "--toys", "40", "-o", "out")
    assert outcome.code == 4
    assert "out holds another run" in outcome.err
