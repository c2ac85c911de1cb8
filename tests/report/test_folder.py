"""`result.write` makes the folder that the command makes, with its care for what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm import FamilyTest, KernelModel, MultipleTest, NPLMTest, Sample, kernel_widths, load_result, validate
from nplm.cli.main import main
from nplm.hypotest.result import Result
from nplm.toys.table import ToyTable
from nplm.two_sample import n_sweep, validate_matrix

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
    page = result.write(tmp_path / "new" / "python")
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
    result.write(page.parent, force=True)


@pytest.mark.slow
def test_results_of_all_kinds_write(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    several = MultipleTest(kernel_widths(reference, [0.5, 2.0])).run(data, 60).write(tmp_path / "several")
    assert _files(several.parent) >= {"report.html", "events.csv", "plots/tests.png", "toys/part-00001.parquet"}
    two = validate(reference, data, resamples=99).write(tmp_path / "two")
    assert _files(two.parent) >= {"report.html", "events.csv", "plots/feature-0.png", "plots/null.pdf", "result.json"}
    kernels = validate(reference, data, widths=[1.0], calibrate="analytic").write(str(tmp_path / "kernels"))
    assert "reference" in kernels.read_text()


def test_a_loaded_result_is_written_with_its_samples(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    test = NPLMTest(reference, MODEL)
    test.run(data, 0).save(tmp_path / "one.npz")
    validate(reference, data, resamples=99).save(tmp_path / "two.npz")
    one: Any = load_result(tmp_path / "one.npz")
    two: Any = load_result(tmp_path / "two.npz")
    with pytest.raises(ValueError, match=r"give what ran and what it tested, as result\.write\(folder, test, data\)"):
        one.write(tmp_path / "one")
    with pytest.raises(ValueError, match=r"give those that were compared, in their order, as result\.write\(folder, a"):
        two.write(tmp_path / "two")
    assert not (tmp_path / "one").exists()
    for write in (
        lambda: one.write(tmp_path / "one", test, data[:50]),
        lambda: two.write(tmp_path / "two", data, reference),
    ):
        with pytest.raises(ValueError, match="the result is about"):
            write()
    # A table has its columns by name, in any order.
    assert one.write(tmp_path / "one", test, {"y": data["y"], "x": data["x"]}).exists()
    assert two.write(tmp_path / "two", reference, data).exists()


def test_a_family_is_written_with_its_samples(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    result = FamilyTest(reference, data, expected_ratio=1.0).run(resamples=99)
    assert result.write(tmp_path / "run", reference, data).exists()


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
            result.write(folder, force=force)
        assert " -o" not in str(caught.value)
    assert [file.read_text() for file in tmp_path.rglob("*") if file.is_file()] == before


def test_an_older_run_is_replaced_only_if_asked(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng)
    folder = tmp_path / "run"
    _one(reference, data).write(folder)
    other = NPLMTest(reference, MODEL).run(data, 0)
    with pytest.raises(OSError, match="holds another run; choose another folder, or give force=True to replace"):
        other.write(folder)
    assert (folder / "toys/part-00000.parquet").exists()
    (folder / "mine.txt").write_text("mine")
    other.write(folder, force=True)
    assert not (folder / "toys").exists()
    assert (folder / "mine.txt").read_text() == "mine"


def test_matrices_and_sweeps_are_written_and_saved_like_other_results(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng)
    third = _samples(rng)[1]
    matrix = validate_matrix({"a": a, "b": b, "c": third}, family=["products"], resamples=99)
    sweep = n_sweep(a, b, [40, 80], repeats=10)
    folders = {"matrix": {"plots/matrix.png"}, "sweep": {"plots/sweep.png"}}
    for name, result in (("matrix", matrix), ("sweep", sweep)):
        page = result.write(tmp_path / name)
        assert page.name == "report.html"
        assert _files(page.parent) >= {"report.html", "result.json", "manifest.json", *folders[name]}
        document = json.loads((page.parent / "result.json").read_text())
        document.pop("configuration", None)
        assert document == result.to_dict()
        with pytest.raises(OSError, match=r"holds another run; choose another folder, or give force=True to replace"):
            result.write(page.parent)
        assert result.write(page.parent, force=True) == page
        result.save(tmp_path / f"{name}.npz")
        loaded: Any = load_result(tmp_path / f"{name}.npz")
        assert loaded.to_json() == result.to_json()
        assert repr(loaded) == repr(result)
        # No samples are needed for its page.
        assert loaded.write(tmp_path / f"{name}-again").exists()
    assert "A median Z of 3" in (tmp_path / "sweep/report.html").read_text()


def test_what_writes_for_python_needs_no_command_line() -> None:
    words = "import sys, nplm.report.folder; print(sorted(m for m in sys.modules if m.startswith('nplm.cli')))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
