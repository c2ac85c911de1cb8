"""`nplm test` from files to results."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nplm as package
from nplm.toys.table import ToyTable

pytestmark = pytest.mark.usefixtures("folder")

HISTOGRAM = ("--model", "histogram", "--toys", "30")
GOOD = ("test", "data.npz", "--reference", "ref.npz", "--expected-yield", "400", *HISTOGRAM)


def statistic(data: package.Sample, reference: package.Sample, **settings: float | bool) -> float:
    """What three lines of Python say."""
    return package.NPLMTest(reference, package.HistogramModel(), **settings).statistic(data)


def test_the_folder_holds_all_that_is_promised(nplm, folder: Path) -> None:
    outcome = nplm(*GOOD, "-o", "deep/out")
    assert outcome.code == 0, outcome.err
    out = folder / "deep" / "out"
    result = json.loads((out / "result.json").read_text())
    assert result["complete"] is True
    assert (out / "report.html").read_text().lstrip().lower().startswith("<!doctype html")
    assert list(out.glob("plots/*.png"))
    assert list(out.glob("plots/*.pdf"))
    toys = ToyTable.concatenate([ToyTable.read(part) for part in out.glob("toys/*.parquet")])
    assert toys.index.tolist() == list(range(30))
    assert result["calibration"]["toys_exceeding"] == int((toys.t >= result["t"]).sum())
    answer, report = outcome.out.splitlines()[-2:]
    assert answer.startswith(f"t = {result['t']:.2f}, p ")
    assert report == f"report: {Path('deep/out/report.html')}"


def test_it_is_the_same_as_three_lines_of_python(nplm, folder: Path) -> None:
    result = json.loads(nplm(*GOOD, "--json").out)
    reference, data = package.read_sample("ref.npz"), package.read_sample("data.npz")
    test = package.NPLMTest(reference, package.HistogramModel(), expected_yield=400)
    expected = test.run(data, toys=30)
    assert (result["t"], result["p_value"]) == (expected.t, expected.p_value)


def test_json_is_all_there_is_on_stdout_and_writes_nothing(nplm, folder: Path) -> None:
    before = set(folder.rglob("*"))
    outcome = nplm(*GOOD, "--json")
    assert outcome.code == 0
    result = json.loads(outcome.out)
    assert result["schema"].startswith("nplm-result/")
    assert "projected time" in outcome.err
    assert set(folder.rglob("*")) == before


def test_json_with_a_folder_prints_what_it_writes(nplm, folder: Path) -> None:
    outcome = nplm(*GOOD, "--json", "-o", "out")
    assert json.loads(outcome.out) == json.loads((folder / "out" / "result.json").read_text())


def test_quiet_says_nothing_on_stderr(nplm) -> None:
    assert nplm(*GOOD, "--json", "--quiet").err == ""


def test_no_bar_when_stderr_is_no_terminal(nplm) -> None:
    error = nplm(*GOOD, "--json").err
    assert "\x1b" not in error
    assert "toys/s" not in error
    assert all(line.startswith("nplm: ") for line in error.splitlines())


def test_a_bar_with_rate_and_time_left_on_a_terminal(folder: Path) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "COLUMNS": "150", "TERM": "xterm"}
    command = [sys.executable, "-m", "nplm.cli.main", *GOOD, "--toys", "600", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # Linux says so when the other end of the terminal is closed
            pass
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["calibration"]["toys"] == 600
    os.close(ours)
    assert b"600/600" in shown
    assert b"left" in shown
    assert b"projected time" in shown


def test_the_order_of_columns_is_that_of_the_reference(nplm, folder: Path) -> None:
    with np.load("data.npz") as columns:
        np.savez("turned.npz", y=columns["y"], x=columns["x"])
    straight, turned = (json.loads(nplm("test", f, *GOOD[2:], "--json").out) for f in ("data.npz", "turned.npz"))
    assert turned["features"] == ["x", "y"]
    assert turned["t"] == straight["t"]


def test_references_may_have_their_columns_in_any_order(nplm, folder: Path) -> None:
    with np.load("wref.npz") as columns:
        np.savez("turned.npz", **{name: columns[name] for name in ("w", "y", "x")})
    ending = ("--weights", "w", "--toys", "0", "--model", "histogram", "--json")
    straight = nplm("test", "data.npz", "--reference", "wref.npz=300", "wref.npz=100", *ending)
    turned = nplm("test", "data.npz", "--reference", "wref.npz=300", "turned.npz=100", *ending)
    assert turned.code == 0, turned.err
    assert json.loads(turned.out)["features"] == ["x", "y"]
    assert json.loads(turned.out)["t"] == json.loads(straight.out)["t"]


def test_features_may_be_separated_by_commas_or_repeated(nplm) -> None:
    for words in (("--features", "y,x"), ("--features", "y", "x"), ("--features", "y", "--features", "x")):
        assert json.loads(nplm(*GOOD, "--json", *words).out)["features"] == ["y", "x"]


def test_references_add_up_however_they_are_given(nplm) -> None:
    ending = ("--features", "x", *HISTOGRAM, "--toys", "0", "--json")
    together = nplm("test", "data.npz", "--reference", "ref.npz=300", "wref.npz=100", *ending)
    apart = nplm("test", "data.npz", "--reference", "ref.npz=300", "--reference", "wref.npz=100", *ending)
    assert json.loads(together.out)["n_reference"] == json.loads(apart.out)["n_reference"] == 16000
    assert json.loads(together.out)["expected_yield"] == pytest.approx(400)


def test_weights_are_taken_where_they_are_and_it_says_where(nplm, folder: Path) -> None:
    words = ("--reference", "wref.npz", "--weights", "w", *HISTOGRAM, "--json")
    unweighted = nplm("test", "data.npz", *words)
    assert "data.npz: every event has weight one, as there is no column 'w'" in unweighted.err
    assert json.loads(unweighted.out)["observed_yield"] == 400
    with np.load("data.npz") as columns:
        np.savez("wdata.npz", **columns, w=np.full(400, 0.5))
    weighted = nplm("test", "wdata.npz", *words)
    assert "wdata.npz: its weights are 'w'" in weighted.err
    assert json.loads(weighted.out)["observed_yield"] == 200
    assert json.loads(weighted.out)["features"] == ["x", "y"]


def test_a_pool_serves_a_reference_with_negative_weights(nplm) -> None:
    words = ("test", "data.npz", "--reference", "nref.npz", "--weights", "w", "--pool", "ref.npz", *HISTOGRAM, "--json")
    result = json.loads(nplm(*words).out)
    assert "ref.npz" in result["calibration"]["source"]
    assert result["configuration"]["files"]["pool"] == "ref.npz"


def test_the_cut_holds_for_all_files(nplm) -> None:
    words = ("test", "data.npz", "--reference", "ref.npz", "--pool", "wref.npz", "--where", "x < 1", "--features", "x")
    outcome = nplm(*words, "--expected-yield", "250", *HISTOGRAM, "--json")
    assert "the expected yield is taken to be that after the cut" in outcome.err
    result = json.loads(outcome.out)
    with np.load("data.npz") as data, np.load("ref.npz") as reference:
        assert result["n_data"] == (data["x"] < 1).sum()
        assert result["n_reference"] == (reference["x"] < 1).sum()
        assert f"({(reference['x'] < 1).sum()} events)" in result["calibration"]["source"]  # wref has the same events


def test_shape_only_scales_the_reference_to_the_data(nplm) -> None:
    words = ("test", "data.npz", "--reference", "ref.npz", *HISTOGRAM, "--toys", "0", "--shape-only", "--json")
    result = json.loads(nplm(*words).out)
    assert result["configuration"]["shape_only"] is True
    assert result["configuration"]["expected_yield"] == pytest.approx(400)
    data, reference = package.read_sample("data.npz"), package.read_sample("ref.npz")
    assert result["t"] == pytest.approx(statistic(data, reference, shape_only=True), rel=1e-10)
    assert result["calibration"]["degrees_of_freedom"] == 9


def test_a_fit_that_fails_has_its_own_exit_code(nplm, folder: Path) -> None:
    with np.load("data.npz") as columns:
        weights = np.where(columns["x"] > 1, -0.5, 2.0)  # the yield of the bins above 1 is negative
        np.savez("bad.npz", x=columns["x"], w=weights)
    words = ("test", "bad.npz", "--reference", "wref.npz", "--weights", "w", "--features", "x")
    outcome = nplm(*words, *HISTOGRAM, "--toys", "0", "-o", "out")
    assert outcome.code == 5
    assert outcome.out == ""
    assert "bad.npz" in outcome.err
    assert not (folder / "out").exists()


def test_the_network_gets_its_options(nplm) -> None:
    words = (*GOOD[:6], "--features", "x", "--hidden", "2", "--clip", "3", "--toys", "0", "--json")
    outcome = nplm(*words)
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["model"] == "network"
    assert (
        result["calibration"]["degrees_of_freedom"] == 7
    )  # 1-2-1: two weights and two biases, two weights and one bias
    assert result["configuration"]["model"]["clip"] == 3


def test_biases_may_stay_free(nplm) -> None:
    """Their bound is infinite, the configuration says so, and the command that it keeps gives the same t."""
    words = (*GOOD[:6], "--features", "x", "--hidden", "2", "--clip", "0.5", "--toys", "0", "--json")
    clipped, free = (json.loads(nplm(*words, *more).out) for more in ((), ("--no-clip-biases",)))
    assert clipped["configuration"]["model"]["clip_biases"] is True
    assert "clip-biases" not in clipped["configuration"]["command"]
    assert free["configuration"]["model"]["clip_biases"] is False
    assert free["t"] > clipped["t"] + 0.01, "its box holds the other one"
    command = shlex.split(free["configuration"]["command"])
    assert "--no-clip-biases" in command
    assert json.loads(nplm(*command[1:]).out)["t"] == free["t"]


@pytest.mark.parametrize("option", ["--clip-biases", "--no-clip-biases"])
def test_a_histogram_has_no_biases(nplm, option: str) -> None:
    outcome = nplm(*GOOD, option, "--json")
    assert outcome.code == 2
    assert "--clip-biases is an option of --model network, but the model is histogram" in outcome.err


def test_the_configuration_tells_how_to_repeat_the_test(nplm) -> None:
    settings = json.loads(nplm(*GOOD, "--where", "x < 9", "--json").out)["configuration"]
    assert settings["files"] == {
        "data": "data.npz",
        "reference": [{"path": "ref.npz", "expected_yield": None}],
        "pool": None,
        "null": None,
    }
    assert settings["where"] == "x < 9"
    assert settings["weights"] is None
    assert settings["command"] == (
        "nplm test data.npz --reference ref.npz --expected-yield 400.0 --where 'x < 9' --model histogram --toys 30"
        " --json"
    )
    assert settings["fingerprints"]["data"] == package.read_sample("data.npz", where="x < 9").fingerprint()


def test_null_toys_of_a_test_with_the_same_weights_are_taken(nplm, folder: Path) -> None:
    """Toys of weighted data have weights like the data; those of a store that was run without are refused."""
    rng = np.random.default_rng(3)
    for name, n in (("weighted", 300), ("others", 310)):
        np.savez(f"{name}.npz", x=rng.exponential(size=n), w=rng.uniform(0.5, 1.5, n))
    common = ("--reference", "wref.npz", "--weights", "w", "--features", "x", "--model", "histogram", "--quiet")
    assert nplm("test", "weighted.npz", *common, "--toys", "30", "-o", "out").code == 0
    again = nplm("test", "weighted.npz", *common, "--null", "out/toys", "--json")
    assert again.code == 0, again.err
    first, second = json.loads((folder / "out" / "result.json").read_text()), json.loads(again.out)
    assert second["p_value"] == first["p_value"]
    assert nplm("toys", "run", *common, "--toys", "20", "-o", "plain").code == 0
    for data, toys, said in (
        ("weighted.npz", "plain", "weighted.npz is weighted, and the toys are not of events with these weights"),
        ("others.npz", "out/toys", "others.npz is weighted, and the toys are not of events with these weights"),
        ("data.npz", "out/toys", "data.npz is not weighted, and the toys are of weighted events"),
    ):
        outcome = nplm("test", data, *common, "--null", toys, "--json")
        assert outcome.code == 3
        assert said in outcome.err
        assert "nplm test without --null" in outcome.err
        assert outcome.err.count("\n") == 1


def test_yields_that_have_no_null_are_said_in_one_line(nplm) -> None:
    with np.load("ref.npz") as file:
        np.savez("large.npz", x=file["x"], w=np.full(len(file["x"]), 1e60))
    common = ("test", "data.npz", "--reference", "large.npz", "--weights", "w", "--features", "x", "--quiet", "--json")
    for model, said in (
        (
            ("--model", "kernel", "--centers", "50", "--toys", "0"),
            "cannot be computed for large.npz and data.npz: a weighted chi2",
        ),
        ((), "the yields of large.npz and data.npz, 8e+63 and 400, are too far apart"),
        (("--model", "histogram", "--toys", "3", "--expected-yield", "1e50"), "toys of so many events are not drawn"),
    ):
        outcome = nplm(*common, *model)
        assert outcome.code == 3, outcome.err
        assert said in outcome.err
        assert "Traceback" not in outcome.err
