"""`nplm power`: the Z that a signal would have, without toys."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nplm.hypotest.test import NPLMTest
from nplm.io import read_sample
from nplm.learning import MorphedSample, RegressionSettings, learn_from_morphing, write_ratio
from nplm.models.kernel.model import KernelModel
from nplm.sensitivity.asymptotic_power import expected_power
from toys.interference import Interference

pytestmark = pytest.mark.usefixtures("folder")

REFERENCE = ("--reference", "wref.npz", "--weights", "w", "--features", "x")
KERNEL = ("--width", "2", "--centers", "50")


@pytest.fixture(autouse=True)
def signal(folder) -> None:
    np.savez("peak.npz", x=np.random.default_rng(3).normal(2.0, 0.2, 500))


def test_the_numbers_are_those_of_python(nplm) -> None:
    words = ("power", "data.npz", *REFERENCE, "--signal", "peak.npz", "--n", "10,40", *KERNEL)
    outcome = nplm(*words, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    test = NPLMTest(read_sample("wref.npz", features=["x"], weights="w"), KernelModel(width=2.0, centers=50))
    data = read_sample("data.npz", features=["x"])
    expected = expected_power(test, read_sample("peak.npz", features=["x"]), [10.0, 40.0], data=data)
    assert [row["events"] for row in document["power"]] == [10, 40]
    for row, power in zip(document["power"], expected, strict=True):
        assert row["median_z"] == pytest.approx(power.median_z, rel=1e-9)
        assert row["width"] == 2
    text = nplm(*words, "--z", "1", "4").out
    assert "P(Z >= 4)" in text
    assert f"{expected[1].median_z:.2f}" in text
    assert "no toys were run" in text


def test_several_widths(nplm) -> None:
    words = ("power", *REFERENCE, "--signal", "peak.npz", "--n", "20", "--widths", "1,2", "--centers", "50", "--json")
    rows = json.loads(nplm(*words).out)["power"]
    assert [row["width"] for row in rows] == [1, 2]
    assert rows[0]["median_z"] != rows[1]["median_z"]


@pytest.mark.parametrize(
    ("arguments", "code", "culprits"),
    [
        (("--signal", "peak.npz", "--n", "10"), 2, ("--reference is missing",)),
        ((*REFERENCE, "--n", "10"), 2, ("--signal is missing",)),
        ((*REFERENCE, "--signal", "peak.npz"), 2, ("--n is missing", "10,20,50")),
        ((*REFERENCE, "--signal", "peak.npz", "--n", "10,0"), 2, ("--n", "'0'")),
        ((*REFERENCE, "--signal", "peak.npz", "--n", "10", "--model", "network"), 2, ("--model network", "toys run")),
        (
            (*REFERENCE, "--signal", "peak.npz", "--n", "9", "--width", "1", "--widths", "1,2"),
            2,
            ("--width", "--widths"),
        ),
        ((*REFERENCE, "--signal", "none.npz", "--n", "10"), 3, ("none.npz",)),
        ((*REFERENCE, "--signal", "peak.npz", "--n", "1e300"), 2, ("--n 1e+300",)),
        ((*REFERENCE, "--signal", "peak.npz", "--n", "1e9"), 3, ("1e+09 signal events", "give fewer")),
    ],
)
def test_what_is_wrong_is_named(nplm, arguments: tuple[str, ...], code: int, culprits: tuple[str, ...]) -> None:
    outcome = nplm("power", *arguments)
    assert outcome.code == code, outcome.err
    for culprit in culprits:
        assert culprit in outcome.err


def test_the_family_looks_at_samples_of_an_operator(nplm) -> None:
    """Samples at theta by the default family, beside one kernel; without an operator there are none."""
    problem = Interference(2, expected_yield=100.0)
    basis = [{}, {"c_even": 1.0}, {"c_even": -1.0}]
    sample, weights = problem.draw_weighted(np.random.default_rng(1), 3000, basis)
    ratio = learn_from_morphing(
        MorphedSample.of(sample, weights, basis), reach=0.4, settings=RegressionSettings(members=2, centers=40)
    )
    write_ratio("eft.npz", ratio)
    np.savez("simulation.npz", m=sample["m"], phi=sample["phi"], w=sample.weights)
    words = ("power", "--reference", "simulation.npz", "--weights", "w", "--features", "m", "phi", *KERNEL)
    operator = ("--ratio", "eft.npz", "--at", "c_even=0.3", "--allow-failed")
    outcome = nplm(*words, *operator, "--toys", "10", "--seed", "3", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    (family,) = document["family"]
    assert len(family["family"]["z"]) == 10
    assert family["dedicated_z"] == pytest.approx(document["power"][0]["dedicated_z"])
    assert "family" not in json.loads(nplm(*words, *operator, "--json").out)
    assert "take 10 or more" in nplm(*words, *operator, "--toys", "5").err
    outcome = nplm(*words, "--signal", "peak.npz", "--n", "9", "--toys", "20")
    assert outcome.code == 2
    assert "--toys are of an operator" in outcome.err
