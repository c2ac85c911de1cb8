"""`nplm learn` of operators: from columns of weights at basis points to ratios, scores and parameters of interest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import uproot
import yaml

from nplm import Sample
from nplm.learning import (
    LearnedPolynomialRatio,
    MorphedSample,
    RegressionSettings,
    learn_from_morphing,
    read_ratio,
    read_score,
)
from nplm.stats.neyman_pearson import median_expected_z
from tests.docs.workplace import write_nanoaod
from toys.interference import Interference

PROBLEM = Interference(2)
POINTS = [{}, {"c_even": 1.0}, {"c_even": -1.0}]
HEAD = "central: events.npz\nweights: w\nfeatures: [m, phi]\n"
ENTRY = """operators:
  eft:
    points: [{}, {c_even: 1}, {c_even: -1}]
    weights: [w_0, w_1, w_2]
    reach: {c_even: 0.3}
    members: 2
    centers: 60
"""


@pytest.fixture(autouse=True)
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events with weights in columns, and as ratios in a column of arrays."""
    monkeypatch.chdir(tmp_path)
    sample, weights = PROBLEM.draw_weighted(np.random.default_rng(1), 6000, POINTS)
    columns = {f"w_{i}": column for i, column in enumerate(weights.T)}
    ratios = (weights / sample.weights[:, None]).astype(np.float32)
    np.savez("events.npz", m=sample["m"], phi=sample["phi"], w=sample.weights, LHEReweightingWeight=ratios, **columns)


def test_weights_become_a_ratio_a_score_and_parameters(nplm) -> None:
    Path("learn.yaml").write_text(HEAD + ENTRY)
    outcome = nplm("learn", "learn.yaml", "-o", "out")
    assert outcome.code == 0
    assert (
        "learning eft: weights of degree 2 in c_even: 3 coefficients from 3 basis points, condition number"
        in outcome.err
    )
    assert "positive form, 2 regressions; all checks passed" in outcome.out
    assert "c_even: from -0.3 to 0.3, where the yield is 0.9" in outcome.out
    ratio = read_ratio("out/eft.npz")
    assert isinstance(ratio, LearnedPolynomialRatio)
    x, _ = PROBLEM.draw(np.random.default_rng(2), 2000)
    exact = PROBLEM.score(x)[:, 0]
    assert np.corrcoef(ratio.score(x)[:, 0], exact)[0, 1] > 0.96
    assert np.corrcoef(read_score("out/eft-score.npz").values(x)[:, 0], exact)[0, 1] > 0.96
    assert Path("out/c_even.png").stat().st_size > 10_000
    assert yaml.safe_load(Path("out/parameters.yaml").read_text()) == {
        "learned": ["eft.npz"],
        "bounds": {"c_even": [-0.3, 0.3]},
    }
    assert not Path("out/nuisances.yaml").exists()
    # Again into the same folder: what may have been edited is kept.
    assert "out/parameters.yaml is kept as it is" in nplm("learn", "learn.yaml", "-o", "out", "--no-plots").out


def test_the_ratio_is_checked_at_values_of_the_file(nplm) -> None:
    Path("learn.yaml").write_text(HEAD + ENTRY + "    checked: [{c_even: 0.15}]\n")
    assert nplm("learn", "learn.yaml", "-o", "out").code == 0
    validation = read_ratio("out/eft.npz").validation
    assert validation is not None
    assert any("c_even = 0.15" in check.describe() for check in validation.checks)


def test_ratios_in_a_column_of_arrays(nplm) -> None:
    """As NanoAOD has them, in single precision: the same ratio."""
    Path("learn.yaml").write_text(HEAD + ENTRY)
    assert nplm("learn", "learn.yaml", "-o", "plain", "--no-plots").code == 0
    x, _ = PROBLEM.draw(np.random.default_rng(2), 500)
    first = read_ratio("plain/eft.npz")
    assert isinstance(first, LearnedPolynomialRatio)
    for number, weights in enumerate(("LHEReweightingWeight", "LHEReweightingWeight[0:3]")):
        Path("learn.yaml").write_text(HEAD + ENTRY.replace("[w_0, w_1, w_2]", weights))
        outcome = nplm("learn", "learn.yaml", "-o", f"out{number}", "--no-plots")
        assert outcome.code == 0
        assert "weights of eft are ratios to the events' own" in outcome.err
        found = read_ratio(f"out{number}/eft.npz")
        assert isinstance(found, LearnedPolynomialRatio)
        np.testing.assert_allclose(found.polynomial(x), first.polynomial(x), atol=1e-4)


def test_what_a_test_sees_of_the_operator(nplm) -> None:
    Path("learn.yaml").write_text(HEAD + ENTRY)
    assert nplm("learn", "learn.yaml", "-o", "out", "--no-plots").code == 0
    reference = ("--reference", "events.npz", "--weights", "w", "--features", "m", "phi")
    kernel = ("--width", "1", "--centers", "50")
    words = ("power", *reference, *kernel, "--ratio", "out/eft.npz", "--at", "c_even=0.3", "c_even=-0.2")
    outcome = nplm(*words, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["kind"] == "operator"
    x, expected = PROBLEM.cells({"c_even": 0.3})
    exact = median_expected_z(PROBLEM.log_ratio(x, {"c_even": 0.3}), expected)
    assert [row["theta"] for row in document["power"]] == [{"c_even": 0.3}, {"c_even": -0.2}]
    assert document["power"][0]["dedicated_z"] == pytest.approx(exact, rel=0.1)
    assert document["power"][0]["blind"]["median_z"] < document["power"][0]["dedicated_z"]
    assert "c_even = -0.2" in nplm(*words).out
    for more, code, message in (
        (("--at", "c_even=0.5"), 3, "c_even = 0.5 is outside of [-0.3, 0.3]"),
        (("--at", "c_odd=0.1"), 3, "unknown nuisance c_odd"),
        (("--at", "c_even"), 2, "it must be NAME=VALUE"),
        (("--at", "c_even=1,c_even=2"), 2, "'c_even' has two values"),
        (("--at", "c_even=0.1", "--n", "10"), 2, "--n is for a signal and --ratio for an operator"),
        ((), 2, "--at is missing; give it: --at c=0.2"),
    ):
        outcome = nplm("power", *reference, *kernel, "--ratio", "out/eft.npz", *more)
        assert outcome.code == code
        assert message in outcome.err


def test_weights_of_a_les_houches_file(nplm) -> None:
    """By their ids: |1 + c pt / 100|^2 at c = 0, 1 and -1, where the coefficient of c is pt / 50."""
    rng = np.random.default_rng(3)
    events = []
    for pt, pz in zip(rng.exponential(30, 800) + 1, rng.normal(0, 50, 800), strict=True):
        weights = [0.05 * (1 + c * pt / 100) ** 2 for c in (0, 1, -1)]
        named = "".join(f"<wgt id='{1001 + i}'> {w} </wgt>\n" for i, w in enumerate(weights))
        muon = f" 13 1 1 2 0 0 {pt} 0 {pz} {np.hypot(pt, pz)} 0 0 1"
        events.append(f"<event>\n1 1 {weights[0]} 91 .0078 .12\n{muon}\n<rwgt>\n{named}</rwgt>\n</event>\n")
    head = '<LesHouchesEvents version="3.0">\n<init>\n2212 2212 6500 6500 0 0 1 1 3 1\n40 0.1 50 1\n</init>\n'
    Path("sm.lhe").write_text(head + "".join(events) + "</LesHouchesEvents>\n")
    Path("learn.yaml").write_text(
        "central: sm.lhe\nweights: weight\nfeatures: ['pt = max(particles.pt)']\noperators:\n  eft:\n"
        "    points: [{}, {c: 1}, {c: -1}]\n    weights: ['1001', '1002', '1003']\n    members: 1\n    centers: 20\n"
    )
    outcome = nplm("learn", "learn.yaml", "-o", "out", "--no-plots")
    assert outcome.code == 0, outcome.err
    ratio = read_ratio("out/eft.npz")
    assert isinstance(ratio, LearnedPolynomialRatio)
    pt = np.array([[5.0], [20.0], [50.0]])
    np.testing.assert_allclose(ratio.polynomial(pt)[:, 0], pt[:, 0] / 50, rtol=0.02, atol=0.01)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ", {c_even: -1}]",
            "]",
            "operators.eft: a polynomial of degree 2 in 1 parameter (c_even) has 3 coefficients, but",
        ),
        ("[w_0, w_1, w_2]", "[w_0, w_1]", "operators.eft: there are 3 points and 2 columns of weights"),
        ("{c_even: -1}", "{c_even: 1}", "operators.eft: the basis point [1.0] is given more than once"),
        ("[w_0, w_1, w_2]", "[w_0, w_0, w_0]", "operators.eft: the column 'w_0' is given for several points"),
        (
            "[w_0, w_1, w_2]",
            "[w_1, w_0, w_2]",
            "operators.eft: the weights at the basis points are, at c_even = 0, not",
        ),
        ("[w_0, w_1, w_2]", "[w_0, w_1, w_9]", "w_9"),
        ("[w_0, w_1, w_2]", "LHEReweightingWeight[0:2]", "operators.eft: there are 3 points and 2 columns"),
        ("{c_even: 0.3}", "{c_odd: 0.3}", "operators.eft: reach is of c_odd, and the parameters are c_even"),
        ("{c_even: 0.3}", "{c_even: -1}", "reach.c_even must be a positive number"),
        ("{c_even: 0.3}", "{c_even: 1.0e+6}", "operators.eft: c_even = 1e+06 is so far from the basis points"),
        ("    members", "    neurons: 5\n    members", "operators.eft has an unknown key 'neurons'"),
        (
            "    points: [{}, {c_even: 1}, {c_even: -1}]\n",
            "",
            "points of operators.eft is missing; give the basis points",
        ),
        ("[{}, {c_even: 1}, {c_even: -1}]", "[{}, {}, {}]", "operators.eft: the points name no parameter"),
        ("    members", "    checked: [{c_even: 2}]\n    members", "operators.eft: r is checked within its reach"),
        ("    members", "    checked: [{c_odd: 0.1}]\n    members", "operators.eft: unknown nuisance c_odd"),
        ("    members", "    checked: [0.1]\n    members", "checked"),
        ("members: 2", "members: 0", "operators.eft: members and centers must be 1 or more"),
        ("operators:\n  eft:", "operators:\n  a/b:", "must not begin with a dot or hold a slash"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(nplm, old: str, new: str, message: str) -> None:
    assert old in ENTRY
    Path("learn.yaml").write_text(HEAD + ENTRY.replace(old, new))
    outcome = nplm("learn", "learn.yaml", "-o", "out")
    assert outcome.code == 3
    assert message in outcome.err
    assert len([line for line in outcome.err.splitlines() if line.startswith("nplm: error")]) <= 1
    assert not Path("out/eft.npz").exists()


def test_weights_that_are_not_finite_are_refused(nplm) -> None:
    with np.load("events.npz") as found:
        columns = dict(found)
    columns["w_1"][7] = np.inf
    np.savez("events.npz", **columns)
    Path("learn.yaml").write_text(HEAD + ENTRY)
    outcome = nplm("learn", "learn.yaml", "-o", "out")
    assert outcome.code == 3
    assert "w_1" in outcome.err


@pytest.mark.parametrize("generated", [0.0, 1.0])
def test_basis_points_from_nanoaod(nplm, generated: float) -> None:
    """Events of a ROOT file, generated at theta = 0 with ratios to genWeight as columns, or elsewhere and reweighted.

    The ratio is that of the same numbers in memory, and of the exact score; with two points exchanged its sign changes.
    """
    sample = write_nanoaod(Path("nano.root"), 6000, generated)
    columns = [f"LHEReweightingWeight[{i}]" for i in (0, 3, 1)]
    own = "genWeight" if generated == 0 else "genWeight * LHEReweightingWeight[0]"
    if generated:
        columns = [f"genWeight * {column}" for column in columns]
    text = (
        f"central: nano.root\nweights: {own}\nexpected_yield: 1000\n"
        "features: ['m = max(Jet_mass)', 'phi = Jet_phi[0]']\noperators:\n  eft:\n"
        f"    points: [{{}}, {{c_even: 0.5}}, {{c_even: -0.5}}]\n    weights: {json.dumps(columns)}\n"
        f"    relative: {'no' if generated else 'yes'}\n"
        "    reach: {c_even: 0.3}\n    members: 2\n    centers: 60\n"
    )
    Path("learn.yaml").write_text(text)
    outcome = nplm("learn", "learn.yaml", "-o", "out", "--no-plots")
    assert outcome.code == 0, outcome.err
    found = read_ratio("out/eft.npz")
    assert isinstance(found, LearnedPolynomialRatio)
    x, _ = PROBLEM.draw(np.random.default_rng(2), 1000)
    exact = PROBLEM.score(x)[:, 0]
    assert np.corrcoef(found.score(x)[:, 0], exact)[0, 1] > 0.95
    assert 1 + found.yields @ [0.3, 0.09] == pytest.approx(PROBLEM.expected_at({"c_even": 0.3}) / 1000, abs=0.02)
    if generated == 0:
        weights = sample.weights[:, None] * ratios_of_nanoaod("nano.root")[:, [0, 3, 1]] / len(sample) * 1000
        morphed = MorphedSample.of(
            Sample(sample.events, weights[:, 0], sample.features), weights, [{}, {"c_even": 0.5}, {"c_even": -0.5}]
        )
        settings = RegressionSettings(members=2, centers=60)
        np.testing.assert_allclose(
            found.polynomial(x), learn_from_morphing(morphed, reach=0.3, settings=settings).polynomial(x), atol=2e-3
        )
    Path("learn.yaml").write_text(text.replace("[3]", "[X]").replace("[1]", "[3]").replace("[X]", "[1]"))
    assert nplm("learn", "learn.yaml", "-o", "exchanged", "--no-plots").code == 0
    exchanged = read_ratio("exchanged/eft.npz")
    assert isinstance(exchanged, LearnedPolynomialRatio)
    assert np.corrcoef(exchanged.score(x)[:, 0], exact)[0, 1] < -0.95


def ratios_of_nanoaod(path: str) -> np.ndarray:
    """LHEReweightingWeight by uproot alone."""
    with uproot.open(path) as file:
        return np.asarray(file["Events"]["LHEReweightingWeight"].array(library="ak").to_numpy(), dtype=np.float64)
