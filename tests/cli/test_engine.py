"""`--engine keops`: the same test by KeOps, with a clean stdout, and what is said where it is missing."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from nplm.likelihood import keops

KERNEL = ("--model", "kernel", "--width", "2.3", "--centers", "50")
TEST = ("test", "data.npz", "--reference", "ref.npz=400", *KERNEL, "--calibrate", "asymptotic", "--json")

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.skipif(find_spec("pykeops") is None, reason="pykeops is not installed")
def test_it_gives_the_same_result_and_prints_nothing_else(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEOPS_CACHE_FOLDER", str(Path(__file__).parents[2] / "build" / "keops"))
    xla, keops = nplm(*TEST), nplm(*TEST, "--engine", "keops")
    assert keops.code == 0, keops.err
    results = [json.loads(outcome.out) for outcome in (xla, keops)]
    assert results[1]["t"] == pytest.approx(results[0]["t"], rel=1e-6)
    assert "--engine keops" in results[1]["configuration"]["command"]
    assert results[1]["configuration"]["model"] == results[0]["configuration"]["model"]


def test_without_keops_the_command_ends_before_any_work(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keops, "find_spec", lambda name: None)
    outcome = nplm(*TEST, "--engine", "keops")
    assert outcome.code == 3
    assert outcome.out == ""
    assert 'pip install "nplm-jax[keops]"' in outcome.err


@pytest.mark.parametrize("model", ["network", "falkon"])
def test_other_models_have_no_engine(nplm, model: str) -> None:
    outcome = nplm("test", "data.npz", "--reference", "ref.npz", "--model", model, "--engine", "keops", "--json")
    assert outcome.code == 2
    assert f"--engine is an option of --model kernel, but the model is {model}" in outcome.err
