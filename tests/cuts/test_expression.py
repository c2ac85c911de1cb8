"""Features and weights as expressions of columns, with lists of values for each event."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from nplm.cuts.columns import ReadError
from nplm.cuts.cut import parse_cut
from nplm.cuts.expression import parse_expression
from nplm.cuts.lists import MissingError, as_lists
from nplm.io import as_sample, read_sample

JETS = [[50.0, 30.0, 10.0], [], [20.0], [70.0, 60.0]]
COLUMNS = {
    "pt": as_lists(JETS),
    "eta": as_lists([[1.0, -3.0, 0.5], [], [-1.0], [2.5, 0.1]]),
    "mu": as_lists([[5.0], [7.0, 1.0], [2.0], [3.0]]),
    "met": np.array([10.0, 20.0, 30.0, 40.0]),
    "jet.pt": as_lists(JETS),
    "w": np.array([1.0, -1.0, 2.0, 1.0]),
    "scale": as_lists(np.array([[0.9, 1.1]] * 4)),
}


def value(text: str) -> np.ndarray:
    return parse_expression(text, COLUMNS)(COLUMNS, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(pt)", [3, 0, 1, 2]),
        ("sum(pt)", [90, 0, 20, 130]),
        ("sum(pt) / get(pt, 0, 1)", [1.8, 0, 1, 130 / 70]),
        ("mu[0]", [5, 7, 2, 3]),
        ("mu[-1]", [5, 1, 2, 3]),
        ("get(pt, 1, -1)", [30, -1, -1, 60]),
        ("get(jet.pt, 0, met)", [50, 20, 20, 70]),
        ("get(pt, -1, 0)", [10, 0, 20, 60]),
        ("count(pt > 25)", [2, 0, 0, 2]),
        ("count(pt > 25 and abs(eta) < 2)", [1, 0, 0, 1]),
        ("sum(pt[abs(eta) < 2.4])", [60, 0, 20, 60]),
        ("max(mu)", [5, 7, 2, 3]),
        ("min(mu) + 0 * met", [5, 1, 2, 3]),
        ("max(met, 25)", [25, 25, 30, 40]),
        ("max(mu[0], met, 12)", [12, 20, 30, 40]),
        ("sum(pt * met)", [900, 0, 600, 5200]),
        ("sum(sqrt(pt ** 2))", [90, 0, 20, 130]),
        ("w * scale[1]", [1.1, -1.1, 2.2, 1.1]),
        ("mean(mu)", [5, 4, 2, 3]),
        ("sum(2 * pt - pt)", [90, 0, 20, 130]),
        ("met - met + 3", [3, 3, 3, 3]),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    np.testing.assert_allclose(value(text), expected)
    assert value(text).dtype == np.float64


def test_names() -> None:
    named = parse_expression(" ht = sum(pt) ", COLUMNS)
    assert (named.name, named.text, named.columns) == ("ht", "sum(pt)", ("pt",))
    plain = parse_expression("sum(pt)", COLUMNS)
    assert plain.name == "sum(pt)"
    # == is no name.
    with pytest.raises(ReadError, match="must be a number"):
        parse_expression("met == 3", COLUMNS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(pt) >= 2 and pt[1] > 40", [False, False, False, True]),
        ("pt[0] > 30", [True, False, False, True]),
        ("not pt[0] > 30", [False, False, True, False]),
        ("any(pt > 55)", [False, False, False, True]),
        ("all(pt > 15)", [False, True, True, True]),
        ("count(pt > 25) == 2", [True, False, False, True]),
        ("max(pt) < 60 or met > 35", [True, False, True, True]),
        ("max(abs(eta)) < 2.6", [False, False, True, True]),
    ],
)
def test_cuts_on_lists(text: str, expected: list[bool]) -> None:
    """An element that is not there is not known, as a value that is not a number."""
    assert parse_cut(text, COLUMNS)(COLUMNS).tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pt[0]", r"pt\[0\] is missing in 1 of 4 events.*len\(NAME\) > 0.*get\(NAME, 0, -1\)"),
        ("pt[1] + met", r"pt\[1\] is missing in 2 of 4 events"),
        ("max(pt)", r"max\(pt\) is missing in 1 of 4 events"),
        ("pt", "'pt' has a list of values for each event: take one"),
        ("pt * mu", r"'pt \* mu' joins lists of different lengths"),
        ("sum(pt[mu > 1])", r"'pt\[mu > 1\]' joins lists of different lengths"),
        ("met[0]", r"'met\[0\]' is about a list of values, but there is one number"),
        ("len(met)", r"'len\(met\)' is about a list"),
        ("count(met > 1)", r"'count\(met > 1\)' is about a list"),
        ("mass[0]", r"there is no column 'mass'"),
        ("pt[met]", "takes a whole number or a condition"),
        ("pt[0:2]", "takes a whole number or a condition"),
        ("get(pt, 0)", "is not a call of one of the functions"),
        ("get(pt, met, 0)", "get takes a column of lists, a whole number and a default"),
        ("open('x')", "is not a call of one of the functions"),
        ("3 + 4", "it names no column"),
        ("pt[True]", "takes a whole number or a condition"),
        ("sum(pt", "cannot be parsed"),
        ("__import__('os')[0]", "is not a call of one of the functions"),
        ("(lambda: met)()", "is not a call of one of the functions"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        value(text)


def test_a_cut_on_elements_must_say_how_many() -> None:
    with pytest.raises(ReadError, match=r"the cut 'pt > 30' is about each element of a list.*count\(CONDITION\) >= 1"):
        parse_cut("pt > 30", COLUMNS)(COLUMNS)


def test_missing_elements_are_counted() -> None:
    with pytest.raises(MissingError) as caught:
        value("pt[2]")
    assert (caught.value.text, caught.value.missing, caught.value.events) == ("pt[2]", 3, 4)


def test_invariant_mass_of_two_muons_is_that_of_their_momenta() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(2, 5, 500)
    columns = {
        name: as_lists(ak.unflatten(values, counts))
        for name, values in (
            ("Muon_pt", rng.exponential(30, counts.sum())),
            ("Muon_eta", rng.normal(size=counts.sum())),
            ("Muon_phi", rng.uniform(-np.pi, np.pi, counts.sum())),
        )
    }
    mass = parse_expression(
        "mll = sqrt(2*Muon_pt[0]*Muon_pt[1]*(cosh(Muon_eta[0]-Muon_eta[1]) - cos(Muon_phi[0]-Muon_phi[1])))", columns
    )(columns, 500)
    pt, eta, phi = (ak.to_numpy(columns[f"Muon_{name}"][:, :2]) for name in ("pt", "eta", "phi"))
    momenta = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)]).sum(axis=2)
    np.testing.assert_allclose(mass, np.sqrt(momenta[0] ** 2 - (momenta[1:] ** 2).sum(axis=0)), rtol=1e-9)


UNITS = {"pt [GeV]": np.array([10.0, 40.0, 50.0]), "it's": np.array([1.0, 2.0, 3.0]), "x": np.array([0.0, 1.0, 2.0])}


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("`pt [GeV]`", "pt [GeV]", [10, 40, 50]),
        ("`pt [GeV]` / 10", "`pt [GeV]` / 10", [1, 4, 5]),
        ("pt = `pt [GeV]` + `it's` * x", "pt", [10, 42, 56]),
        ('col("pt [GeV]")', "pt [GeV]", [10, 40, 50]),
    ],
)
def test_names_in_backticks(text: str, name: str, expected: list[float]) -> None:
    expression = parse_expression(text, UNITS)
    assert expression.name == name
    np.testing.assert_array_equal(expression(UNITS, 3), expected)


def test_cuts_have_backticks_too() -> None:
    assert parse_cut("20 < `pt [GeV]` < 45 and x == 1", UNITS)(UNITS).tolist() == [False, True, False]
    # Not in other quotes.
    assert parse_cut('col("a`b") > 1', ["a`b"]).columns == ("a`b",)


@pytest.mark.parametrize("text", ["`pt [GeV] > 30", "`` > 30", "x > 1 and `", '`x" > 1'])
def test_a_backtick_without_its_other_one_is_refused(text: str) -> None:
    with pytest.raises(ReadError, match=r"cannot be parsed: a backtick lacks its other one"):
        parse_cut(text)


def test_what_is_in_backticks_is_a_name_and_nothing_else() -> None:
    with pytest.raises(ReadError, match="there is no column 'x\\) or col\\(\"y'"):
        parse_cut('`x) or col("y` > 1', UNITS)


def test_features_weights_and_cuts_of_files_have_backticks(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_text("pt [GeV],event weight\n10,1\n40,2\n50,3\n")
    where, features = "`pt [GeV]` > 20", ["`pt [GeV]`", "t = `pt [GeV]` / 1000"]
    sample = read_sample(path, features=features, weights="`event weight`", where=where)
    assert sample.features == ("pt [GeV]", "t")
    np.testing.assert_allclose(sample.events, [[40, 0.04], [50, 0.05]])
    np.testing.assert_array_equal(sample.weights, [2, 3])
    columns = {"pt [GeV]": [10.0, 40.0], "event weight": [1.0, 2.0]}
    assert as_sample(columns, weights="`event weight`", features=["`pt [GeV]`"]).total_weight == 3
