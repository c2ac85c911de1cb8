"""`write_report` makes the folder that the command makes, with its care for what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm import (
    FamilyTest,
    KernelModel,
    MultipleTest,
    NPLMTest,
    Sample,
    load_result,
    validate,
    write_report,
)
from nplm.cli.main import main
from nplm.family import validate_matrix
from nplm.hypotest import kernel_widths
from nplm.hypotest.result import Result
from nplm.toys.table import ToyTable
from nplm.two_sample import n_sweep

MODEL = KernelModel(width=1.0, centers=30)


def _samples(rng: np.random.Generator) -> tuple[Sample, Sample]:
    reference = Sample(rng.normal(size=(600, 2)), np.full(600, 0.3), ("x", "y"), "reference")
    return reference, Sample(rng.normal(size=(190, 2)) * [1.0, 1.5], features=("x", "y"), name="data")


def _files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def _one(reference: Sample, data: Sample) -> Result:
    return NPLMTest(reference, MODEL).run(data, 60)


@pytest.mark.slow
def test_the_folder_is_that_of_the_command(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    for sample in (reference, data):
        weights = {"w": sample.weights} if sample is reference else {}
        np.savez(tmp_path / f"{sample.name}.npz", x=sample["x"], y=sample["y"], **weights)
    files = [str(tmp_path / "data.npz"), "--reference", str(tmp_path / "reference.npz"), "--weights", "w"]
    kernel = ["--model", "kernel", "--width", "1", "--centers", "30", "--toys", "60", "--quiet"]
    assert main(["test", *files, *kernel, "-o", str(tmp_path / "command")]) == 0
    result = _one(reference, data)
    page = write_report(result, tmp_path / "new" / "python")
    assert page == tmp_path / "new" / "python" / "report.html"
    written, by_command = _files(page.parent), _files(tmp_path / "command")
    assert written - by_command == {"toys/part-00000.parquet"}
    assert {name for name in by_command - written if not name.startswith("toys/")} == set()
    assert json.loads((page.parent / "result.json").read_text())["t"] == result.t
    assert json.loads((page.parent / "manifest.json").read_text())["complete"] is True
    np.testing.assert_array_equal(ToyTable.read(page.parent / "toys/part-00000.parquet").t, result.toys.t)
    # Each replaces the other's run, if asked to.
    assert main(["test", *files, *kernel, "-o", str(page.parent)]) == 4
    assert main(["test", *files, *kernel, "-o", str(page.parent), "--force"]) == 0
    write_report(result, page.parent, force=True)


@pytest.mark.slow
def test_results_of_all_kinds_write(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    several = write_report(MultipleTest(kernel_widths(reference, [0.5, 2.0])).run(data, 60), tmp_path / "several")
    assert _files(several.parent) >= {"report.html", "events.csv", "plots/tests.png", "toys/part-00001.parquet"}
    two = write_report(validate(reference, data, resamples=99), tmp_path / "two")
    assert _files(two.parent) >= {"report.html", "events.csv", "plots/feature-0.png", "plots/null.pdf", "result.json"}
    kernels = write_report(validate(reference, data, widths=[1.0], calibrate="asymptotic"), str(tmp_path / "kernels"))
    assert "reference" in kernels.read_text()


def test_a_loaded_result_is_written_with_its_samples(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    test = NPLMTest(reference, MODEL)
    test.run(data, 0).save(tmp_path / "one.npz")
    validate(reference, data, resamples=99).save(tmp_path / "two.npz")
    one: Any = load_result(tmp_path / "one.npz")
    two: Any = load_result(tmp_path / "two.npz")
    with pytest.raises(ValueError, match=r"what it tested, as write_report\(result, folder, test, data\)"):
        write_report(one, tmp_path / "one")
    with pytest.raises(ValueError, match=r"compared, in their order, as write_report\(result, folder, a, b\)"):
        write_report(two, tmp_path / "two")
    assert not (tmp_path / "one").exists()
    for write in (
        lambda: write_report(one, tmp_path / "one", test, data[:50]),
        lambda: write_report(two, tmp_path / "two", data, reference),
    ):
        with pytest.raises(ValueError, match="the result is about"):
            write()
    # A table has its columns by name, in any order.
    assert write_report(one, tmp_path / "one", test, {"y": data["y"], "x": data["x"]}).exists()
    assert write_report(two, tmp_path / "two", reference, data).exists()


def test_a_family_is_written_with_its_samples(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    result = FamilyTest(reference, data, expected_ratio=1.0).run(resamples=99)
    assert write_report(result, tmp_path / "run", reference, data).exists()


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (
            lambda folder: (folder / "notes.txt").write_text("mine"),
            r"holds other files \(notes\.txt\) and no run of nplm",
        ),
        (lambda folder: (folder / "result.json").write_text("{}"), r"holds other files \(result\.json\)"),
        (lambda folder: (folder.rmdir(), folder.write_text("mine")), "is not a folder"),
    ],
)
def test_what_nplm_did_not_write_stays(
    there: Callable[[Path], object], message: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    there(folder)
    before = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    result = NPLMTest(_samples(rng)[0], MODEL).run(_samples(rng)[1], 0)
    for force in (False, True):
        with pytest.raises(OSError, match=f"{message}.*choose another folder") as caught:
            write_report(result, folder, force=force)
        assert " -o" not in str(caught.value)
    assert [file.read_text() for file in tmp_path.rglob("*") if file.is_file()] == before


def test_an_older_run_is_replaced_only_if_asked(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    folder = tmp_path / "run"
    write_report(_one(reference, data), folder)
    other = NPLMTest(reference, MODEL).run(data, 0)
    with pytest.raises(OSError, match="holds another run; choose another folder, or give force=True to replace"):
        write_report(other, folder)
    assert (folder / "toys/part-00000.parquet").exists()
    (folder / "mine.txt").write_text("mine")
    write_report(other, folder, force=True)
    assert not (folder / "toys").exists()
    assert (folder / "mine.txt").read_text() == "mine"


def test_matrices_and_sweeps_are_written_and_saved_like_other_results(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng)
    third = _samples(rng)[1]
    matrix = validate_matrix({"a": a, "b": b, "c": third}, family=["products"], resamples=99)
    sweep = n_sweep(a, b, [40, 80], repeats=10)
    folders = {"matrix": {"plots/matrix.png"}, "sweep": {"plots/sweep.png"}}
    for name, result in (("matrix", matrix), ("sweep", sweep)):
        page = write_report(result, tmp_path / name)
        assert page.name == "report.html"
        assert _files(page.parent) >= {"report.html", "result.json", "manifest.json", *folders[name]}
        document = json.loads((page.parent / "result.json").read_text())
        document.pop("configuration", None)
        assert document == result.to_dict()
        with pytest.raises(OSError, match=r"holds another run; choose another folder, or give force=True to replace"):
            write_report(result, page.parent)
        assert write_report(result, page.parent, force=True) == page
        result.save(tmp_path / f"{name}.npz")
        loaded: Any = load_result(tmp_path / f"{name}.npz")
        assert loaded.to_json() == result.to_json()
        assert repr(loaded) == repr(result)
        # No samples are needed for its page.
        assert write_report(loaded, tmp_path / f"{name}-again").exists()
    assert "A median Z of 3" in (tmp_path / "sweep/report.html").read_text()


def test_only_results_have_a_report_and_only_their_arguments(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng)
    with pytest.raises(TypeError, match="no report of a Sample: give the result of a test or of a comparison"):
        write_report(a, tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="leave_one_out"):
        write_report(n_sweep(a, b, [40], repeats=2), tmp_path / "run", leave_one_out=False)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_an_earlier_version_is_replaced_if_asked(rng: np.random.Generator, tmp_path: Path) -> None:
    result = n_sweep(*_samples(rng), [40], repeats=2)
    manifest = write_report(result, tmp_path / "run").parent / "manifest.json"
    assert json.loads(manifest.read_text())["program"] == "write_report"
    manifest.write_text(manifest.read_text().replace('"write_report"', '"result.write"'))
    assert write_report(result, tmp_path / "run", force=True).exists()


def test_what_writes_for_python_needs_no_command_line() -> None:
    words = "import sys, nplm.report.write_report; print(sorted(m for m in sys.modules if m.startswith('nplm.cli')))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
