"""The page of a bump hunt, and its pictures: what leads stands first, and an agreement shades nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import Sample, write_report
from nplm.hunt import HuntResult, bump_hunt
from nplm.plot import plot_hunt_feature, plot_hunt_scan, plot_hunt_spectrum
from tests.report.html_page import Page
from toys.resonance import SIGNALS, draw_data


def _hunted(signal: str | None) -> tuple[Sample, HuntResult]:
    sample = draw_data(np.random.default_rng(3), 4000, dimension=2, signal=None if signal is None else SIGNALS[signal])
    return sample, bump_hunt(sample, "m", 0.2, draws=100)


@pytest.fixture(scope="module")
def tail() -> tuple[Sample, HuntResult]:
    return _hunted("tail")


@pytest.fixture(scope="module")
def nothing() -> tuple[Sample, HuntResult]:
    return _hunted(None)


def test_other_features_that_lead_come_with_the_scan(tmp_path: Path, tail: tuple[Sample, HuntResult]) -> None:
    sample, result = tail
    page = Page(write_report(result, tmp_path / "out", sample).read_text(encoding="utf-8"))
    text = page.text
    assert text.index("p of each window") < text.index("Key numbers") < text.index("Spectrum of m")
    assert "differ from those around" in text
    assert (tmp_path / "out/events.csv").exists()


def test_an_agreement_has_no_events_and_no_shade(tmp_path: Path, nothing: tuple[Sample, HuntResult]) -> None:
    sample, result = nothing
    page = Page(write_report(result, tmp_path / "out", sample).read_text(encoding="utf-8"))
    assert "Nothing localized in m" in page.text
    assert "The largest fluctuation" in page.text
    assert not (tmp_path / "out/events.csv").exists()
    labels = [text.get_text() for text in plot_hunt_spectrum(result, leading=False).axes[0].get_legend().get_texts()]
    assert labels == ["smooth fit", "data"]


def test_pictures_show_the_numbers_of_the_result(tail: tuple[Sample, HuntResult]) -> None:
    sample, result = tail
    scan = plot_hunt_scan(result).axes[0]
    np.testing.assert_allclose(np.exp(result.in_features.local.min(axis=1)), scan.lines[0].get_ydata())
    np.testing.assert_allclose(np.exp(result.in_spectrum.local), scan.lines[1].get_ydata())
    top = plot_hunt_spectrum(result).axes[0]
    (points,) = (c for c in top.containers if c.get_label() == "data")
    # Bins are a little narrower than the last: the sum of points is that of events within a percent.
    assert np.sum(points.lines[0].get_ydata()) == pytest.approx(len(sample), rel=0.02)
    with pytest.raises(ValueError, match="there is no feature 'm'"):
        plot_hunt_feature(result, sample, "m")


def test_another_sample_is_refused(tmp_path: Path, tail: tuple[Sample, HuntResult]) -> None:
    sample, result = tail
    with pytest.raises(ValueError, match="give the sample that was looked at"):
        write_report(result, tmp_path / "out", sample.where("m < 5"))
    assert not (tmp_path / "out").exists()
