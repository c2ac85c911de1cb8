"""The page of a measurement, and its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import Sample, write_report
from nplm.measure import Measurement, MeasureResult, Parameters
from nplm.nuisance import GaussianConstraint, Normalization, Nuisances
from nplm.plot import plot_contours, plot_fitted_feature, plot_measured_pulls
from tests.report.html_page import Page
from toys.exponential_nuisances import scale_ratio

RATIOS = Parameters([scale_ratio(), Normalization("norm")])
LUMI = Nuisances(Normalization("lumi"), GaussianConstraint("lumi", 0.02))


@pytest.fixture(scope="module")
def measured() -> tuple[Measurement, Sample, MeasureResult]:
    """Data with a peak that the model lacks."""
    rng = np.random.default_rng(1)
    reference = Sample(rng.exponential(size=2000), np.full(2000, 0.2), ["x"], "reference")
    x = np.concatenate([rng.exponential(size=400), rng.normal(3.0, 0.05, 40)])
    data = Sample(x, features=["x"], name="data")
    measurement = Measurement(reference, RATIOS, LUMI)
    return measurement, data, measurement.run(data, resamples=99)


def test_what_is_left_stands_first(tmp_path: Path, measured: tuple[Measurement, Sample, MeasureResult]) -> None:
    measurement, data, result = measured
    page = Page(write_report(result, tmp_path / "out", measurement, data).read_text(encoding="utf-8"))
    text = page.text
    assert "The model leaves something over" in text
    assert text.index("Feature x") < text.index("Parameters") < text.index("Contours") < text.index("Nuisances")
    assert "no values of the parameters describe the data" in text


def test_pictures_show_the_numbers_of_the_result(measured: tuple[Measurement, Sample, MeasureResult]) -> None:
    measurement, data, result = measured
    axes = plot_contours(result, "scale", "norm").axes[0]
    line = next(each for each in result.contours if each.level < 0.7)
    np.testing.assert_allclose(axes.lines[0].get_xydata(), line.points)
    turned = plot_contours(result, "norm", "scale").axes[0]
    np.testing.assert_allclose(turned.lines[0].get_xydata(), line.points[:, ::-1])
    with pytest.raises(ValueError, match="there are those of scale and norm"):
        plot_contours(result, "scale", "lumi")
    pulls, impacts = plot_measured_pulls(result).axes
    assert [label.get_text() for label in pulls.get_yticklabels()] == ["lumi"]
    assert len(impacts.patches) == 2
    fitted = measurement.fitted_reference(result)
    assert fitted.total_weight == pytest.approx(result.expected_yield)
    with pytest.raises(ValueError, match="no feature 'y'"):
        plot_fitted_feature(fitted, data, "y")


def test_what_is_expected_has_a_page_without_data(tmp_path: Path) -> None:
    reference = Sample(np.linspace(0.01, 5, 200), np.full(200, 1.0), ["x"], "reference")
    measurement = Measurement(reference, Normalization("norm"))
    result = measurement.expected(limits=["norm"])
    page = Page(write_report(result, tmp_path / "out", measurement).read_text(encoding="utf-8"))
    assert "What would be measured?" in page.text
    with pytest.raises(ValueError, match="no nuisance whose pull"):
        plot_measured_pulls(result)


def test_another_measurement_is_refused(tmp_path: Path, measured: tuple[Measurement, Sample, MeasureResult]) -> None:
    measurement, data, result = measured
    with pytest.raises(ValueError, match="give the measurement that it is of"):
        write_report(result, tmp_path / "out", measurement, data.select(np.arange(10)))
