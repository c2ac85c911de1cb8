"""`nplm prepare`, and tests with what it has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("folder")

REFERENCE = ("--reference", "wref.npz", "--weights", "w", "--features", "x")
KERNEL = ("--width", "2", "--centers", "50")
TEST = ("test", "data.npz", *REFERENCE, "--model", "kernel", *KERNEL, "--calibrate", "asymptotic", "--json")


def test_a_prepared_model_gives_the_answer_of_one_that_is_not(nplm) -> None:
    outcome = nplm("prepare", *REFERENCE, *KERNEL, "-o", "prepared.npz")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("prepared.npz: ")
    assert "modes of 8,000 events" in outcome.out
    plain, prepared = (json.loads(nplm(*TEST, *more).out) for more in ((), ("--prepared", "prepared.npz")))
    assert prepared["t"] == plain["t"]
    assert prepared["z"] == plain["z"]
    assert prepared["null"] == plain["null"]
    toys = nplm("toys", "run", *REFERENCE, "--model", "kernel", *KERNEL, "--prepared", "prepared.npz", "-o", "null")
    assert toys.code == 0, toys.err


@pytest.mark.parametrize(
    ("arguments", "code", "culprits"),
    [
        (("prepare", *REFERENCE, *KERNEL), 2, ("-o is missing", "file")),
        (("prepare", *KERNEL, "-o", "p.npz"), 2, ("--reference is missing",)),
        (("prepare", *REFERENCE, "--model", "network", "-o", "p.npz"), 2, ("--model network", "--model kernel")),
        (("prepare", *REFERENCE, "--clip", "3", "-o", "p.npz"), 2, ("--clip", "network")),
        (("prepare", *REFERENCE, *KERNEL, "-o", "none/p.npz"), 4, ("the folder none does not exist",)),
        (("prepare", *REFERENCE, "--centers", "9000", "-o", "p.npz"), 3, ("9000 centres", "8000 distinct events")),
        ((*TEST, "--prepared", "data.npz"), 3, ("data.npz holds no prepared model", "nplm prepare")),
        ((*TEST, "--prepared", "none.npz"), 3, ("none.npz cannot be read",)),
        (("test", "data.npz", *REFERENCE, "--prepared", "p.npz", "--json"), 2, ("--prepared", "kernel")),
    ],
)
def test_what_is_wrong_is_named(nplm, arguments: tuple[str, ...], code: int, culprits: tuple[str, ...]) -> None:
    outcome = nplm(*arguments)
    assert outcome.code == code, outcome.err
    for culprit in culprits:
        assert culprit in outcome.err
    assert not Path("p.npz").exists()


def test_one_prepared_for_another_test_is_refused(nplm) -> None:
    assert nplm("prepare", *REFERENCE, "--width", "1", "--centers", "50", "-o", "prepared.npz").code == 0
    outcome = nplm(*TEST, "--prepared", "prepared.npz")
    assert outcome.code == 3
    assert "test.model.width: 2 here, 1 there" in outcome.err
    widths = nplm(*TEST[:8], "--model", "kernel", "--widths", "1,2", "--prepared", "prepared.npz", "--json")
    assert widths.code == 2
    assert "--prepared" in widths.err


def test_only_a_prepared_model_is_replaced(nplm) -> None:
    Path("thesis.tex").write_text("mine")
    for output in ("thesis.tex", "wref.npz", "data.npz"):
        before = Path(output).read_bytes()
        outcome = nplm("prepare", *REFERENCE, *KERNEL, "-o", output)
        assert outcome.code == 4
        assert f"{output} is there and was not written by nplm prepare" in outcome.err
        assert Path(output).read_bytes() == before
    for _ in range(2):
        assert nplm("prepare", *REFERENCE, *KERNEL, "-o", "prepared.npz").code == 0
