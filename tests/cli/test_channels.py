"""`nplm channels`: results in folders that follow their schemas, and what is refused by name."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.channels.test_workspace_likelihood import workspace
from toys.signal_regions import draw_table, write_files

RULE = ("--compatible", "experiment energy signature")
QUICK = ("--walkers", "2", "--steps", "6")


@pytest.fixture(autouse=True)
def desk(folder: Path) -> None:
    """regions.csv with a signal and its covariances, templates.csv, and results a, b and c."""
    write_files(folder, draw_table(np.random.default_rng(3), {"stop": 1.5}))
    for name, p in (("a", 0.001), ("b", 0.3), ("c", 0.6)):
        (folder / name).mkdir()
        document = {"schema": "nplm-result/1", "p_value": p, "z": 0.0, "n_data": 100, "null": {"weights": None}}
        (folder / name / "result.json").write_text(json.dumps(document))
    (folder / "bad.json").write_text('{"schema": "nplm-result/1", "p_value": 1.5}')


def _valid(document: dict[str, object], name: str) -> None:
    schema = json.loads(files("nplm").joinpath(f"schema/{name}-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)


def test_regions_give_a_folder_and_a_report(nplm) -> None:
    asked = ("--covariances", "covariances.json", "--by", "experiment", "energy", "--draws", "50")
    outcome = nplm("channels", "regions", "regions.csv", *asked, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "excess in SR3 of A-13-leptons" in outcome.out
    result = json.loads(Path("out/result.json").read_text())
    _valid(result, "regions")
    assert [each["group"] for each in result["factors"]] == ["all", "A", "B", "8TeV", "13TeV"]
    assert len(result["regions"]) == 60
    assert sum(result["histogram"]["observed"]) == 60
    assert sum(result["histogram"]["expected"][0]["counts"]) == pytest.approx(60)
    page = Path("out/report.html").read_text()
    for text in ("p-values of all regions", "Factors of the errors", "What stands out", "errors 2 times too large"):
        assert text in page
    assert {path.name for path in Path("out/plots").glob("*.png")} == {
        "p-values.png",
        "mid-p.png",
        "extremes.png",
        "factors.png",
    }
    halved = nplm(
        "channels", "regions", "regions.csv", "--error-factor", "0.5", "--errors", "gamma", "--json", "--draws", "5"
    )
    smaller = json.loads(halved.out)
    assert smaller["regions"][0]["error"] == result["regions"][0]["error"] / 2
    assert "--error-factor 0.5" in smaller["configuration"]["command"]


def test_templates_give_a_folder_and_go_on(nplm) -> None:
    asked = ("channels", "explain", "regions.csv", "--templates", "templates.csv", *RULE, *QUICK, "--store", "walks")
    outcome = nplm(*asked, "--fakes", "3", "-o", "out")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("out/result.json").read_text())
    _valid(result, "explain")
    assert "stop" in result["explanation"]
    assert result["fakes"]["count"] == 3
    assert {path.name for path in Path("out/plots").glob("*.png")} == {"regions.png", "fake-tables.png"}
    assert "K by chance" in Path("out/report.html").read_text()
    more = nplm(*asked, "--fakes", "4", "--json", "--quiet")
    again = json.loads(more.out)
    assert again["fakes"]["count"] == 4
    assert set(result["fakes"]["k"]) <= set(again["fakes"]["k"])
    other = nplm(*asked, "--fakes", "3", "--seed", "2", "--json")
    assert other.code == 4
    assert "of another plan" in other.err


def test_a_graph_is_printed_and_gives_a_folder(nplm) -> None:
    outcome = nplm("channels", "graph", "regions.csv", "--compatible", "experiment energy", "--json")
    result = json.loads(outcome.out)
    _valid(result, "graph")
    assert result["maximal_sets"] == 36
    assert len(result["best"]["analyses"]) == 4
    assert {"pair": ["A-8-jets", "A-8-leptons"], "why": "both have experiment A and energy 8TeV"} in result["excluded"]
    assert len(result["excluded"]) + len(result["allowed"]) == 45
    signal = ("--templates", "templates.csv", "--template", "stop")
    told = nplm("channels", "graph", "regions.csv", *RULE, *signal, "--subsets")
    assert "A-8-leptons, A-13-leptons, B-13-leptons" in told.out
    assert "report" not in told.out
    Path("pairs.csv").write_text("first,second\nA-13-leptons,B-13-leptons\nA-8-leptons,B-13-leptons\n")
    written = nplm("channels", "graph", "regions.csv", "--compatible", "pairs.csv", *signal, "-o", "out")
    assert written.code == 0, written.err
    document = json.loads(Path("out/result.json").read_text())
    _valid(document, "graph")
    assert document["best"]["analyses"] == ["A-8-leptons", "B-13-leptons"]
    assert set(document["weights"]) == {"A-8-leptons", "A-13-leptons", "B-13-leptons"}
    page = Path("out/report.html").read_text()
    for text in ("The best combination has 2 of 10 analyses", "not among the pairs in pairs.csv", "no signal"):
        assert text in page
    assert {path.name for path in Path("out/plots").glob("*.png")} == {"graph.png"}
    older = {name: document[name] for name in ("schema", "rule", "analyses", "allowed", "maximal_sets", "best")}
    _valid(older, "graph")


def test_results_are_combined(nplm) -> None:
    outcome = nplm("channels", "combine", "a/result.json", "b/result.json", "c/result.json", "-o", "out")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("out/result.json").read_text())
    _valid(result, "combined")
    assert result["leading"] == "a"
    x = -np.log(0.001 * 0.3 * 0.6)
    assert result["p_value"] == pytest.approx(np.exp(-x) * (1 + x + x**2 / 2))
    assert "the channel a leads" in Path("out/report.html").read_text()
    Path("overlap.json").write_text('{"order": ["b", "a"], "correlation": [[1, 0.5], [0.5, 1]]}')
    words = ("channels", "combine", "a/result.json", "b/result.json", "--json")
    both = json.loads(nplm(*words, "--overlap", "overlap.json").out)
    assert both["correlation"] == {"source": "given", "of_z": [[1, 0.5], [0.5, 1]]}
    rng = np.random.default_rng(1)
    events = rng.normal(size=(150, 2))
    for name, rows in (("a", slice(100)), ("b", slice(50, 150))):
        np.savez(f"{name}.npz", x=events[rows, 0], y=events[rows, 1])
    counted = nplm(*words, "--events", "a.npz", "b.npz")
    assert "a and b share 50 events" in counted.err
    assert json.loads(counted.out)["correlation"]["of_z"][0][1] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("combine a/result.json --json", "give two results or more"),
        ("combine a/result.json a/result.json --json", "is given twice"),
        ("combine a/result.json b/result.json", "-o is missing"),
        ("combine a/result.json bad.json --json", "the p-value of bad is 1.5, where it must lie between 0 and 1"),
        ("combine a/result.json missing.json --json", "missing.json cannot be read"),
        ("combine a/result.json b --json", "b is a folder"),
        ("combine a/result.json regions.csv --json", "must be the result.json of a run"),
        ("combine a/result.json b/result.json --how sum --json", "results of different kinds"),
        ("combine a/result.json b/result.json --overlap bad.json --json", "must have 'shared', or 'order'"),
        ("combine a/result.json b/result.json --events a.npz --json", "--events needs the data of each of the 2"),
        ("regions", "give the table of regions"),
        ("regions missing.csv --json", "missing.csv cannot be read"),
        ("regions regions.txt --json", "must be a CSV file"),
        ("regions templates.csv --json", "has no column 'observed'"),
        ("regions regions.csv --by colour --json", "has no column 'colour' of text"),
        ("regions regions.csv --covariances bad.json --json", "'schema' is no analysis"),
        ("regions regions.csv --errors normal --json", "invalid choice"),
        ("regions regions.csv --workspaces bad.json --json", "--workspaces takes ANALYSIS=FILE, such as stop=bad.json"),
        ("regions regions.csv --workspaces a=x b=y a=z --json", "--workspaces names a twice"),
        ("regions regions.csv --workspaces A-8-jets=bad.json --json", "pyhf does not accept the workspace"),
        ("graph regions.csv --compatible energy --likelihood full", "a full likelihood needs workspaces of pyhf"),
        (
            "graph regions.csv --compatible energy --likelihood full --error-factor 2",
            "--error-factor scales errors of tables",
        ),
        ("regions regions.csv --templates templates.csv --json", "give --likelihood full, too"),
        ("graph regions.csv", "--compatible is missing"),
        ("graph regions.csv --compatible colour", "has no column 'colour'"),
        ("graph regions.csv --compatible energy --template stop", "go together"),
        ("graph regions.csv --compatible energy --templates templates.csv --template x", "there is no template 'x'"),
        ("explain regions.csv --compatible energy --json", "--templates is missing"),
        ("explain regions.csv --templates templates.csv --json", "--compatible is missing"),
        ("explain regions.csv --templates regions.csv --compatible energy --json", "has no column 'template'"),
    ],
)
def test_bad_input_is_refused_in_one_line(nplm, words: str, message: str) -> None:
    outcome = nplm("channels", *words.split())
    assert outcome.code in (2, 3), outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()


def test_a_workspace_is_taken_as_full_likelihood(nplm) -> None:
    """Beside a table for one of its analyses, and as the table itself."""
    pytest.importorskip("pyhf")
    Path("search.json").write_text(json.dumps(workspace()))
    Path("bins.csv").write_text(
        "template,analysis,region,yield\ns,A-13-leptons,SR[0],3\ns,A-13-leptons,SR[1],6\ns,B-13-leptons,SR4,2\n"
    )
    words = ("channels", "explain", "regions.csv", "--templates", "bins.csv", *RULE, *QUICK, "--json", "--quiet")
    beside = (*words, "--fakes", "2", "--workspaces", "A-13-leptons=search.json")
    full = nplm(*beside, "--likelihood", "full")
    assert full.code == 0, full.err
    result = json.loads(full.out)
    _valid(result, "explain")
    assert result["configuration"]["full_likelihoods"] == ["A-13-leptons"]
    assert "--workspaces A-13-leptons=search.json --likelihood full" in result["configuration"]["command"]
    simplified = json.loads(nplm(*beside).out)
    assert simplified["k"] != pytest.approx(result["k"], abs=1e-3)
    Path("alone.csv").write_text("template,region,yield\ns,SR[0],3\ns,SR[1],6\n")
    asked = ("--templates", "alone.csv", "--compatible", "analysis", "--likelihood", "full", *QUICK, "--fakes", "0")
    alone = json.loads(nplm("channels", "explain", "search.json", *asked, "--json").out)
    assert [each["analysis"] for each in alone["combination"]] == ["search"]
    signal = ("--templates", "alone.csv", "--likelihood", "full", "--draws", "20", "-o", "out")
    outcome = nplm("channels", "regions", "search.json", *signal)
    assert outcome.code == 0, outcome.err
    regions = json.loads(Path("out/result.json").read_text())
    _valid(regions, "regions")
    assert regions["workspaces"][0]["limits"][0]["template"] == "s"
    page = Path("out/report.html").read_text()
    assert "All bins of a workspace together" in page
    assert "Upper limits on templates" in page
    graph = ("channels", "graph", "search.json", "--templates", "alone.csv", "--template", "s", "--compatible")
    weight = json.loads(nplm(*graph, "analysis", "--likelihood", "full", "--json").out)["best"]["weight"]
    assert 0 < weight < 9 / 20 + 36 / 9
