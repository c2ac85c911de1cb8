"""`nplm test --widths` from files to results, and what it refuses."""

from __future__ import annotations

import json
import shlex
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import nplm as package
from nplm.hypotest.multiple_result import SCHEMA
from nplm.toys.table import ToyTable

pytestmark = pytest.mark.usefixtures("folder")

INPUT = ("test", "data.npz", "--reference", "ref.npz", "--expected-yield", "400", "--features", "x")
KERNEL = ("--model", "kernel", "--centers", "30")
WIDTHS = (*INPUT, *KERNEL, "--widths", "0.4,2")


def schema(name: str) -> jsonschema.Draft202012Validator:
    text = files("nplm").joinpath(f"schema/{name}").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


def test_the_folder_holds_all_tests_and_the_global_answer(nplm, folder: Path) -> None:
    outcome = nplm(*WIDTHS, "--toys", "20", "-o", "out")
    assert outcome.code == 0, outcome.err
    out = folder / "out"
    result = json.loads((out / "result.json").read_text())
    schema("multiple-1.json").validate(result)
    assert result["schema"] == SCHEMA
    for test in result["tests"]:
        schema("result-1.json").validate(test["result"])
    assert [test["name"] for test in result["tests"]] == ["width 0.4", "width 2"]
    toys = [ToyTable.read(part) for part in sorted((out / "toys").glob("*.parquet"))]
    assert [len(table) for table in toys] == [20, 20]
    assert (out / "plots" / "tests.png").is_file()
    page = (out / "report.html").read_text()
    for text in ("width 0.4", "Correlation of t", "All together", f"leading test: {result['leading']}"):
        assert text in page
    assert "width 0.4" in outcome.out
    assert outcome.out.splitlines()[-2].startswith(f"global p = {result['p_value']:.2g}"[:13])
    # Another run must not mix with it, whether it has toys or not.
    for part in (out / "toys").glob("*"):
        part.unlink()
    again = nplm(*WIDTHS, "--toys", "0", "-o", "out")
    assert again.code == 4
    assert "holds another run" in again.err


def test_it_is_the_same_as_three_lines_of_python(nplm) -> None:
    result = json.loads(nplm(*WIDTHS, "--toys", "0", "--combine", "product", "--json").out)
    reference, data = (package.read_sample(f, features=("x",)) for f in ("ref.npz", "data.npz"))
    tests = package.hypotest.kernel_widths(reference, (0.4, 2.0), package.KernelModel(centers=30), expected_yield=400)
    expected = package.MultipleTest(tests, "product").run(data)
    assert result["p_value"] == expected.p_value
    assert [test["result"]["t"] for test in result["tests"]] == expected.t.tolist()
    assert result["combination"]["name"] == "product"
    assert result["calibration"]["kind"] == "analytic joint"
    # The command that it keeps asks for the same.
    command = shlex.split(result["configuration"]["command"])
    assert json.loads(nplm(*command[1:]).out)["p_value"] == result["p_value"]


def test_a_config_file_may_name_the_widths(nplm, folder: Path) -> None:
    (folder / "run.yaml").write_text("model: kernel\ncenters: 30\nwidths: 0.4, 2\ntoys: 0\n")
    result = json.loads(nplm(*INPUT, "--config", "run.yaml", "--json").out)
    assert [test["name"] for test in result["tests"]] == ["width 0.4", "width 2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*KERNEL, "--widths", "1,2", "--width", "3"), "--width is for one test and --widths for several"),
        ((*KERNEL, "--combine", "product"), "give them with --widths"),
        ((*KERNEL, "--widths", "1,2,1"), "--widths names 1 twice"),
        ((*KERNEL, "--widths", "1,-2"), "it must be a positive number, not '-2'"),
        ((*KERNEL, "--widths", "1,"), "it must be a positive number, not ''"),
        ((*KERNEL, "--widths", "1,2", "--null", "store"), "--null holds toys of one test"),
        ((*KERNEL, "--widths", "1,2", "--calibrate", "toys", "--toys", "0"), "needs toys"),
        ((*KERNEL, "--widths", "1,2", "--combine", "best"), "invalid choice: 'best'"),
        (("--widths", "1,2"), "--widths is an option of --model kernel, but the model is network"),
    ],
)
def test_options_that_contradict_each_other_are_refused(nplm, words: tuple[str, ...], message: str) -> None:
    outcome = nplm(*INPUT, *words, "--json")
    assert outcome.code == 2
    assert message in outcome.err


def test_toys_of_signed_weights_need_a_pool(nplm, folder: Path) -> None:
    words = ("test", "data.npz", "--reference", "nref.npz", "--weights", "w", "--features", "x", *KERNEL)
    outcome = nplm(*words, "--widths", "0.4,2", "--toys", "50", "--json")
    assert outcome.code == 3
    assert "it has negative weights" in outcome.err
    alone = nplm(*words, "--widths", "0.4,2", "--json")
    assert alone.code == 0, alone.err
    assert np.isfinite(json.loads(alone.out)["z"])
