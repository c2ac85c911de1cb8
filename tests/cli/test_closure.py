"""`nplm closure`: injected signals in a user's own files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from nplm import KernelModel, NPLMTest, read_sample
from nplm.sensitivity import closure
from toys import exponential_nuisances

pytestmark = pytest.mark.usefixtures("folder")

REFERENCE = ("--reference", "wref.npz", "--weights", "w", "--features", "x")
KERNEL = ("--width", "1", "--centers", "50")
SIGNAL = (*REFERENCE, "--signal", "peak.npz", "--n", "30,60")


def log_ratio(events: np.ndarray) -> np.ndarray:
    """That of `known_ratio.py`."""
    return norm(2.0, 0.2).logpdf(events[:, 0]) + events[:, 0]


@pytest.fixture(autouse=True)
def signal(folder) -> None:
    np.savez("peak.npz", x=np.random.default_rng(3).normal(2.0, 0.2, 500))
    Path("known_ratio.py").write_text(
        "from scipy.stats import norm\n"
        "def log_ratio(events): return norm(2.0, 0.2).logpdf(events[:, 0]) + events[:, 0]\n"
        "NUMBER = 3\n"
    )


def test_the_numbers_are_those_of_python(nplm) -> None:
    words = (*SIGNAL, *KERNEL, "--toys", "40", "--seed", "5", "--ideal", "known_ratio:log_ratio")
    outcome = nplm("closure", *words, "-o", "out", "--style", "CMS", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    test = NPLMTest(read_sample("wref.npz", features=["x"], weights="w"), KernelModel(width=1.0, centers=50))
    found = closure(test, read_sample("peak.npz", features=["x"]), [30.0, 60.0], 40, 5, ideal=log_ratio)
    expected = found.to_dict()
    command = document.pop("command")
    assert document["at"] == expected["at"]
    assert document["null_check"] == expected["null_check"]
    assert "--n 30.0,60.0" in command
    assert json.loads(Path("out/closure.json").read_text())["at"] == expected["at"]
    assert Path("out/closure.txt").read_text() == f"{found!r}\n"
    assert Path("out/closure.png").stat().st_size > 10_000
    page = Path("out/report.html").read_text()
    assert "<strong>Closure holds</strong>" in page
    assert all(f">{at.sampled.median_z:.2f}</td>" in page for at in found.at)
    assert 'src="http' not in page
    # The same again, into the same folder.
    assert nplm("closure", *words, "-o", "out", "--quiet").out == f"{found!r}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "culprits"),
    [
        (("--signal", "peak.npz", "--n", "10"), 2, ("--reference is missing",)),
        ((*REFERENCE, "--n", "10"), 2, ("--signal is missing",)),
        ((*REFERENCE, "--signal", "peak.npz"), 2, ("--n is missing", "10,20,50")),
        ((*REFERENCE, "--signal", "peak.npz", "--n", "10,0"), 2, ("--n", "'0'")),
        ((*SIGNAL, "--toys", "5"), 2, ("--toys", "20 or more")),
        ((*SIGNAL, "--shape-only", "--nuisances", "nu.yaml"), 2, ("--shape-only and --nuisances", "wide constraint")),
        ((*SIGNAL, *KERNEL, "--nuisances", "none.yaml"), 3, ("none.yaml",)),
        ((*SIGNAL[:-1], "1e7", *KERNEL, "--shape-only"), 3, ("has no room among",)),
        ((*SIGNAL, "--style", "CDF"), 2, ("--style", "'CDF'")),
        ((*SIGNAL, "--bins", "5"), 2, ("--bins", "histogram")),
        ((*REFERENCE, "--signal", "none.npz", "--n", "10"), 3, ("none.npz",)),
        ((*SIGNAL, *KERNEL, "--ideal", "no_module:f"), 3, ("no_module",)),
        ((*SIGNAL, *KERNEL, "--ideal", "known_ratio:NUMBER"), 3, ("--ideal", "no function")),
        ((*SIGNAL, "-o", "."), 4, ("holds other files",)),
    ],
)
def test_what_is_wrong_is_named(nplm, arguments: tuple[str, ...], code: int, culprits: tuple[str, ...]) -> None:
    outcome = nplm("closure", *arguments)
    assert outcome.code == code, outcome.err
    for culprit in culprits:
        assert culprit in outcome.err


@pytest.mark.slow
def test_shape_only_and_nuisances_are_those_of_python(nplm) -> None:
    """The same numbers as `closure`, of 20 toys."""
    reference, peak = read_sample("wref.npz", features=["x"], weights="w"), read_sample("peak.npz", features=["x"])
    words = (*SIGNAL[:-1], "30", *KERNEL, "--toys", "20", "--json", "--quiet")
    nuisances = exponential_nuisances.nuisances()
    for settings, options in (
        ({"shape_only": True}, ("--shape-only", "--ideal", "known_ratio:log_ratio")),
        ({"nuisances": nuisances}, ("--nuisances", "toys.exponential_nuisances:nuisances", "--ideal", "none")),
    ):
        outcome = nplm("closure", *words, *options)
        assert outcome.code == 0, outcome.err
        test = NPLMTest(reference, KernelModel(width=1.0, centers=50), **settings)
        ideal = log_ratio if "shape_only" in settings else None
        expected = closure(test, peak, [30.0], 20, ideal=ideal).to_dict()
        document = json.loads(outcome.out)
        assert document["at"] == expected["at"]
        assert document["null_check"] == expected["null_check"]


def test_what_another_command_wrote_is_not_replaced(nplm) -> None:
    assert nplm("test", "data.npz", *REFERENCE, "--model", "histogram", "--toys", "0", "-o", "out").code == 0
    before = Path("out/report.html").read_bytes()
    outcome = nplm("closure", *SIGNAL, *KERNEL, "--toys", "20", "-o", "out")
    assert outcome.code == 4
    assert "out holds what nplm test wrote" in outcome.err
    assert Path("out/report.html").read_bytes() == before


def test_an_interrupt_keeps_the_toys_that_were_done(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("closure", *SIGNAL, *KERNEL, "--toys", "40", "--ideal", "none", "--quiet")

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nplm.cli.terminal.Reporter.advance", interrupted)
        stopped = nplm(*words, "-o", "out")
    assert stopped.code == 130
    assert "the same command goes on with the toys in out" in stopped.err
    assert not Path("out/closure.json").exists()
    (kept,) = Path("out/toys").iterdir()
    before = {file: file.read_bytes() for file in kept.rglob("part-*")}
    assert before
    again = nplm(*words, "-o", "out")
    assert again.code == 0, again.err
    assert {file: file.read_bytes() for file in before} == before
    assert again.out == nplm(*words, "-o", "other").out
