"""What pages and screen say where shapes alone are compared, and where yields have a part in the p-value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import FamilyTest, Sample, write_report
from nplm.family import FamilySettings
from nplm.report import two_sample as module

ONE = FamilySettings(classes=("intervals",))


def _samples(n: int) -> tuple[Sample, Sample]:
    rng = np.random.default_rng(3)
    data = np.concatenate([rng.normal(size=n - 60), rng.normal(0.5, 0.02, 60)])
    return Sample(rng.normal(size=9000), np.full(9000, 0.1), ("x",), "mc"), Sample(data, features=("x",), name="obs")


def test_pictures_of_shapes_have_the_reference_scaled_to_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, data = _samples(300)
    drawn: list[float] = []
    drawing = module.Drawing

    def noted(plots, a, *others):  # type: ignore[no-untyped-def]
        drawn.append(a.total_weight)
        return drawing(plots, a, *others)

    monkeypatch.setattr(module, "Drawing", noted)
    write_report(FamilyTest(reference, data, settings=ONE).run(resamples=99), tmp_path / "shapes")
    write_report(FamilyTest(reference, data, settings=ONE, expected_ratio=1.0).run(resamples=99), tmp_path / "yields")
    assert drawn == pytest.approx([300.0, 900.0])
    assert "scaled to the yield of the data, and its" in (tmp_path / "shapes/report.html").read_text()
    assert "with the yield that it predicts, and its" in (tmp_path / "yields/report.html").read_text()


def test_a_feature_that_is_called_chi2_keeps_its_name(tmp_path: Path) -> None:
    a, b = (Sample(x.events, x.weights, ("chi2",), x.name) for x in _samples(300))
    page = write_report(FamilyTest(a, b, settings=ONE).run(resamples=99), tmp_path / "run").read_text()
    assert "<th scope='row'>chi2</th>" in page
    assert "p of χ²" in page
