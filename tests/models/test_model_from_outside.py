"""A model that is written outside of the package: what it needs is `nplm` and `nplm.models.base`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from nplm import GaussianConstraint, NPLMTest, Nuisances, Sample, write_report
from nplm.cli.main import main
from nplm.data import Coordinates
from nplm.models import register_model
from nplm.models.base import Fits, ModelDefaults, PreparedDefaults
from nplm.nuisance import Normalization
from nplm.stats import Chi2Null

LUMINOSITY = Nuisances(Normalization("luminosity"), GaussianConstraint(("luminosity",), 0.02))


@dataclass(frozen=True)
class StraightLine(ModelDefaults):
    """f(x) = a + b . z, a constant and a slope in each coordinate."""

    name = "straight-line"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        return {"slopes": dimension}

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedLine:
        return PreparedLine(scaler, reference)


class PreparedLine(PreparedDefaults):
    """The line with its reference, which is taken as exact: t = 2 max [sum_D f - sum_R w (e^f - 1)]."""

    def __init__(self, scaler: Coordinates, reference: Sample) -> None:
        self.scaler = scaler
        self.columns, self.weights = self.columns_of(reference.events), reference.weights

    def columns_of(self, events: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(events)), self.scaler(events)])

    @property
    def parameters(self) -> int:
        return self.columns.shape[1]

    def fit(self, data: Sequence[Sample]) -> Fits:
        ends = [self._minimum(sample.weights @ self.columns_of(sample.events)) for sample in data]
        count = len(ends)
        return Fits(
            t=np.array([-2 * end.fun for end in ends]),
            parameters=np.array([end.x for end in ends]),
            converged=np.array([end.success for end in ends]),
            starts=1,
            starts_agreeing=np.ones(count, dtype=np.int64),
            start_spread=np.zeros(count),
            remaining=np.zeros(count),
            failure=np.array([""] * count, dtype=object),
        )

    def _minimum(self, sums: np.ndarray) -> Any:
        def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
            ratio = np.exp(self.columns @ b)
            return self.weights @ (ratio - 1) - sums @ b, self.columns.T @ (self.weights * ratio) - sums

        return minimize(loss, np.zeros(self.parameters), jac=True, method="BFGS", options={"gtol": 1e-4})

    def null(self, data: Sample | None = None, *, shape_only: bool = False, **fluctuations: bool) -> Chi2Null:
        return Chi2Null(self.parameters - shape_only)

    def log_ratio(self, parameters: np.ndarray, events: np.ndarray) -> np.ndarray:
        return self.columns_of(events) @ parameters


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.models.registry._registered", {})  # what a test registers, the next does not find
    register_model("straight-line", StraightLine)


def draw_reference(rng: np.random.Generator) -> Sample:
    return Sample(rng.normal(size=(8000, 2)), np.full(8000, 0.05), ("x", "y"), "reference")


def draw_data(rng: np.random.Generator, shift: float = 0.0) -> Sample:
    return Sample(rng.normal((shift, 0.0), 1.0, size=(rng.poisson(400), 2)), features=("x", "y"), name="data")


def test_it_is_a_test_as_those_of_the_package_are(rng: np.random.Generator, tmp_path: Path) -> None:
    reference = draw_reference(rng)
    test = NPLMTest(reference, "straight-line")
    agreeing, moved = test.run(draw_data(rng), toys=100), test.run(draw_data(rng, 0.4), toys=100)
    assert agreeing.model == "straight-line"
    assert agreeing.calibration.asymptotic.name == "chi2(3)"
    # The asymptotic null, and the toys that check it, by 8000 events for 400: 100 toys tell 2% of the mean from 20%.
    assert agreeing.calibration.ensemble is not None
    assert agreeing.calibration.ensemble.mean == pytest.approx(3, abs=4 * np.sqrt(6 / 100))
    assert agreeing.p_value > 1e-3
    assert agreeing.shape is None  # nothing has said how it would be told apart
    # Normal events that are moved by delta have the slope delta.
    assert moved.z > 4
    assert moved.parameters["parameters"][1] == pytest.approx(0.4, abs=0.2)
    np.testing.assert_allclose(test.log_ratio(moved, draw_data(rng).events[:0]), [])
    page = write_report(moved, tmp_path / "out")
    assert "straight-line" in Path(page).read_text(encoding="utf-8")


@pytest.fixture
def files(rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, sample in (("ref", draw_reference(rng)), ("data", draw_data(rng))):
        np.savez(tmp_path / f"{name}.npz", **dict(zip(sample.features, sample.events.T, strict=True)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMAND = ("test", "data.npz", "--reference", "ref.npz", "--expected-yield", "400", "--model", "straight-line")


def test_it_is_a_word_of_the_command_line(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--toys", "30", "-o", "out"]) == 0, capfd.readouterr().err
    result = json.loads((files / "out" / "result.json").read_text(encoding="utf-8"))
    assert result["model"] == "straight-line"
    assert result["configuration"]["model"] == {"name": "straight-line", "slopes": 2}
    assert "straight-line" in (files / "out" / "report.html").read_text(encoding="utf-8")
    assert main(["test", "--help"]) == 0
    assert "straight-line" in capfd.readouterr().out
    assert main([*COMMAND, "--toys", "0", "--reference-exact", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["t"] == result["t"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--width", "1"), 2, "--width is an option of --model kernel, but the model is straight-line"),
        (("--calibrate", "importance"), 2, "--calibrate importance is for the kernel model"),
        (("--nuisances", f"{__name__}:LUMINOSITY"), 3, "nuisances go with the models network, kernel and histogram"),
    ],
)
def test_what_it_cannot_is_refused(
    options: Sequence[str], code: int, message: str, files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--json", *options]) == code
    assert message in capfd.readouterr().err


def test_nuisances_are_refused_and_nothing_is_saved(rng: np.random.Generator, tmp_path: Path) -> None:
    reference = draw_reference(rng)
    with pytest.raises(ValueError, match="nuisances go with the models network, kernel and histogram"):
        NPLMTest(reference, "straight-line", nuisances=LUMINOSITY)
    with pytest.raises(ValueError, match="only a prepared kernel model is saved, not that of a straight-line model"):
        NPLMTest(reference, "straight-line").save(tmp_path / "prepared.npz")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package of a model, as pip would leave it."""

    def made(factory: str) -> None:
        site = tmp_path / "site"
        about = site / "lines-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lines\nVersion: 1.0\n", encoding="utf-8")
        (about / "entry_points.txt").write_text(f"[nplm.models]\nlines = lines_model:{factory}\n", encoding="utf-8")
        source = "from nplm import HistogramModel\n\ndef three_bins():\n    return HistogramModel(bins=3)\n"
        (site / "lines_model.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(site)

    return made


def test_an_installed_package_brings_its_models(install: Callable[[str], None], rng: np.random.Generator) -> None:
    install("three_bins")
    assert NPLMTest(draw_reference(rng), "lines").degrees_of_freedom == 3


def test_an_installed_package_that_is_broken_is_named(install: Callable[[str], None], rng: np.random.Generator) -> None:
    install("four_bins")
    with pytest.raises(ValueError, match=r"the model 'lines' of lines cannot be loaded: .*four_bins"):
        NPLMTest(draw_reference(rng), "lines")


@pytest.mark.parametrize("name", ["kernel", "family", "", "two words", "--toys"])
def test_names_are_words_that_are_free(name: str) -> None:
    with pytest.raises(ValueError, match=r"is taken|must be one word"):
        register_model(name, StraightLine)


def test_a_name_that_nobody_has_given_is_refused_with_those_there_are(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no model 'curve': choose network, kernel, histogram, falkon, straight-line"):
        NPLMTest(draw_reference(rng), "curve")
