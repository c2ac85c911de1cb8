"""`--model falkon`: its options, and what is said where the library is missing."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from nplm.models.falkon import model as falkon

TEST = (
    "test",
    "data.npz",
    "--reference",
    "ref.npz=400",
    "--features",
    "x",
    "--model",
    "falkon",
    "--toys",
    "0",
    "--json",
)
REFERENCE = ("--reference", "ref.npz=400", "--features", "x", "--model", "falkon")

pytestmark = pytest.mark.usefixtures("folder")


def test_a_missing_library_ends_the_command_before_any_work(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falkon, "find_spec", lambda name: None)
    outcome = nplm(*TEST, "--width", "2.3", "--centers", "50", "--penalty", "1e-5", "--selection", "covering")
    assert outcome.code == 3
    assert outcome.out == ""
    for part in ("needs torch", "pip install", "FalkonML/falkon", "--solver falkon-step"):
        assert part in outcome.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((*TEST, "--solver", "ml"), ("--solver is an option of --model kernel", "the model is falkon")),
        ((*TEST, "--widths", "1,2"), ("--widths is an option of --model kernel", "the model is falkon")),
        ((*TEST, "--bins", "3"), ("--bins is an option of --model histogram", "the model is falkon")),
        ((*TEST[:8], "--calibrate", "importance", "--json"), ("--calibrate importance is for the kernel model",)),
        (("prepare", *REFERENCE, "-o", "p.npz"), ("--model falkon", "--model kernel")),
        (("power", *REFERENCE, "--signal", "data.npz", "--n", "10"), ("--model falkon", "--model kernel")),
    ],
)
def test_options_that_it_does_not_have_are_refused(nplm, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    outcome = nplm(*words)
    assert outcome.code == 2
    for part in parts:
        assert part in outcome.err


def test_options_of_kernels_are_still_refused_for_networks(nplm) -> None:
    outcome = nplm("test", "data.npz", "--reference", "ref.npz", "--width", "1", "--json")
    assert outcome.code == 2
    assert "--width is an option of --model kernel, but the model is network" in outcome.err


@pytest.mark.skipif(find_spec("falkon") is None, reason="the library falkon is not installed")
def test_it_gives_the_t_of_our_own_step(nplm) -> None:
    settings = ("--width", "2", "--centers", "50", "--selection", "covering")
    outcome = nplm(*TEST, *settings)
    assert outcome.code == 0, outcome.err
    own = nplm(*TEST[:7], "kernel", *TEST[8:], *settings, "--solver", "falkon-step")
    result = json.loads(outcome.out)
    assert result["t"] == pytest.approx(json.loads(own.out)["t"], abs=0.05)
    assert result["configuration"]["model"]["name"] == "falkon"
