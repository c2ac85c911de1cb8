"""Tables of regions and of templates from files; what is wrong in them is named in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nplm.channels import RegionTable, compatibility_graph, read_regions, read_templates
from toys.signal_regions import background, templates, write_files

HEAD = "region,analysis,observed,expected,error\n"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    table = background()
    write_files(tmp_path, table)
    read = read_regions(tmp_path / "regions.csv", tmp_path / "covariances.json")
    for name in ("observed", "expected", "error"):
        np.testing.assert_array_equal(getattr(read, name), getattr(table, name))
    assert (read.regions, read.analyses, dict(read.labels)) == (table.regions, table.analyses, dict(table.labels))
    for name, covariance in table.covariances.items():
        np.testing.assert_allclose(read.covariances[name].matrix, covariance.matrix)
        np.testing.assert_array_equal(read.covariances[name].rows, covariance.rows)
    np.testing.assert_allclose(read_templates(tmp_path / "templates.csv", read).yields, templates().yields, atol=1e-4)
    frame = pd.read_csv(tmp_path / "regions.csv")
    frame.to_parquet(tmp_path / "regions.parquet")
    again = read_regions(tmp_path / "regions.parquet")
    np.testing.assert_array_equal(again.expected, table.expected)
    np.testing.assert_array_equal(RegionTable.from_columns(frame).observed, table.observed)


def test_correlations_take_the_errors_of_the_table() -> None:
    table = RegionTable.from_columns(
        {"region": ["A", "B"], "analysis": ["x", "x"], "observed": [1, 2], "expected": [1.0, 2.0], "error": [0.5, 2.0]},
        {"x": {"order": ["B", "A"], "correlation": [[1, 0.5], [0.5, 1]]}},
    )
    np.testing.assert_allclose(table.covariances["x"].matrix, [[4, 0.5], [0.5, 0.25]])
    np.testing.assert_allclose(table.scaled(2).covariances["x"].matrix, [[16, 2], [2, 1]])
    assert not table.remarks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (HEAD, "has no rows"),
        ("region,analysis,observed,expected\nA,x,1,2\n", "has no column 'error'"),
        (HEAD + "A,x,1,2\n", "line 2: 4 values where the header names 5"),
        (HEAD + "A,x,1,2,\n", "line 2: 'error' is missing"),
        (HEAD + "\nA,x,1,2,1\n\nB,x,1,2,\n", "line 5: 'error' is missing"),
        (HEAD + '"A\nb",x,1,2,1\nB,x,1,2\n', "line 4: 4 values where the header names 5"),
        (HEAD + "A,x,1,2,nan\n", "line 2: 'error' is missing"),
        (HEAD + "A,x,1,two,1\n", "line 2: 'expected' must be a number, not 'two'"),
        (HEAD + "A,x,1,inf,1\n", "must be a finite number"),
        (HEAD + "A,,1,2,1\n", "line 2: 'analysis' is empty"),
        (HEAD + "A,x,1,-2,1\n", "region 'A' of 'x': expected must be a number, 0 or more, not -2"),
        (HEAD + "A,x,1,2,-1\n", "error must be a number, 0 or more, not -1"),
        (HEAD + "A,x,1.5,2,1\n", "observed must be a whole number, 0 or more, not 1.5"),
        (HEAD + "A,x,-1,2,1\n", "observed must be a whole number"),
        (HEAD + "A,x,0,0,0\n", "both 0"),
        (HEAD + "A,x,1,2,1\nA,x,1,2,1\n", "region 'A' of 'x' is there twice"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"table\.csv") as error:
        read_regions(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not valid JSON"),
        ("[1]", "must hold a mapping"),
        ('{"y": {"order": ["A"], "covariance": [[1]]}}', "'y' is no analysis"),
        ('{"x": {"covariance": [[1]]}}', "must have 'order'"),
        ('{"x": {"order": ["A"], "covariance": [[1]], "correlation": [[1]]}}', "must have 'order'"),
        ('{"x": {"order": ["C"], "covariance": [[1]]}}', "no region 'C'"),
        ('{"x": {"order": ["A", "A"], "covariance": [[1, 0], [0, 1]]}}', "names 'A' twice"),
        ('{"x": {"order": ["A", "B"], "covariance": [[1]]}}', "must have 2 rows"),
        ('{"x": {"order": ["A", "B"], "covariance": [[1, 2], [3]]}}', "rows of numbers"),
        ('{"x": {"order": ["A", "B"], "covariance": [[1, 2], [2, 1]]}}', "not positive definite"),
        ('{"x": {"order": ["A", "B"], "covariance": [[1, 0.2], [0.3, 1]]}}', "symmetric"),
        ('{"x": {"order": ["A", "B"], "covariance": [[0, 0], [0, 1]]}}', "variance of 0"),
    ],
)
def test_bad_covariances_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(HEAD + "A,x,1,2,1\nB,x,1,2,1\n")
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_regions(tmp_path / "t.csv", tmp_path / "c.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("template,region\nt,A\n", "has no column 'yield'"),
        ("template,region,yield\nt,C,1\n", "template 't': .* has no region 'C'"),
        ("template,region,yield\nt,A,-1\n", "yields must be numbers, 0 or more"),
        ("template,region,yield\nt,A,0\n", "has no yield in any region"),
        ("template,region,yield\nt,A,1\nt,A,1\n", "names x: A twice"),
        ("template,region,yield,cost\nt,A,1,dear\n", "the cost of template 't' must be a number"),
        ("template,region,analysis,yield\nt,A,y,1\n", "no region 'A' of 'y'"),
    ],
)
def test_bad_templates_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(HEAD + "A,x,1,2,1\nB,x,1,2,1\n")
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_templates(tmp_path / "s.csv", read_regions(tmp_path / "t.csv"))


def test_rules_and_pairs_of_the_graph(tmp_path: Path) -> None:
    table = background()
    graph = compatibility_graph(table, "experiment energy")
    i, j, k = (graph.names.index(name) for name in ("A-8-jets", "A-8-leptons", "B-8-jets"))
    assert not graph.allowed[i, j]
    assert graph.allowed[i, k]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("first,second\nA-8-jets,B-8-jets\n")
    listed = compatibility_graph(table, str(pairs))
    assert listed.pairs == 1
    assert listed.allowed[i, k]
    for text, message in (("A-8-jets,C", "'C' is no analysis"), ("A-8-jets,A-8-jets", "stands beside itself")):
        pairs.write_text(f"first,second\n{text}\n")
        with pytest.raises(ValueError, match=message):
            compatibility_graph(table, pairs)
    with pytest.raises(ValueError, match="has no column 'colour'"):
        compatibility_graph(table, "colour")
    with pytest.raises(ValueError, match="name the columns"):
        compatibility_graph(table, " ")
    mixed = RegionTable.from_columns(
        {"region": ["A", "B"], "analysis": ["x", "x"], "energy": ["8", "13"], "observed": [1, 1], "expected": [1, 1],
         "error": [1, 1]}
    )  # fmt: skip
    with pytest.raises(ValueError, match="'x' has several values of 'energy'"):
        compatibility_graph(mixed, "energy")


def test_a_workspace_of_pyhf_becomes_regions_with_the_covariance_of_its_nuisances(tmp_path: Path) -> None:
    """Two bins with a 10% scale that both share and an error of each: V = (b b^T) / 100 + diag(error^2)."""
    pytest.importorskip("pyhf")
    strength = [{"name": "mu", "type": "normfactor", "data": None}]
    modifiers = [
        {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
        {"name": "mc", "type": "staterror", "data": [1.0, 2.0]},
    ]
    workspace = {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "s", "data": [3.0, 4.0], "modifiers": strength},
                    {"name": "b", "data": [10.0, 20.0], "modifiers": modifiers},
                ],
            }
        ],
        "observations": [{"name": "SR", "data": [12.0, 25.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    (tmp_path / "search.json").write_text(json.dumps(workspace))
    table = read_regions(tmp_path / "search.json")
    assert (table.regions, table.analyses) == (("SR[0]", "SR[1]"), ("search", "search"))
    np.testing.assert_allclose(table.expected, [10, 20])
    np.testing.assert_allclose(table.observed, [12, 25])
    np.testing.assert_allclose(table.covariances["search"].matrix, [[2, 2], [2, 8]], rtol=0.01)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="does not accept the workspace"):
        read_regions(tmp_path / "other.json")
