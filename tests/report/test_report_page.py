"""The page of a run, and its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm.hypotest.verdict import verdict
from nplm.report.page import report_page
from nplm.report.write_run import write_run
from nplm.wording.numbers import format_p, format_z
from tests.report.html_page import Page


def test_calibration_by_toys_has_its_numbers(run: Callable[..., Any]) -> None:
    result = run(toys=200, failing=3).result
    ensemble = result.calibration.ensemble
    assert ensemble.given.p_value == result.calibration.asymptotic_check
    section = report_page(result, []).split("Calibration by toys")[1].split("</section>")[0]
    assert "+-" not in section
    assert "chi2" not in section
    text = Page(f"<html>{section.removeprefix('</h2>')}</html>").text
    for words in (
        "3: they count as exceeding",
        f"{ensemble.fitted.degrees_of_freedom:.2f} ± {ensemble.fitted.error:.2f}), fitted",
        f"p = {format_p(ensemble.given.anderson_darling)}",
        f"{ensemble.given.tails[0].toys} ({result.calibration.ensemble.given.tails[0].expected:.1f} expected)",
        f"empiricalp = {format_p(result.p_value)}, Z = {format_z(result.z)}",
    ):
        assert words in text
    few = report_page(run(toys=20).result, []).split("Calibration by toys")[1].split("</section>")[0]
    assert "not compared: 20 toys with a t, and 50 are needed" in few
    assert "Calibration by toys" not in report_page(run(toys=0).result, [])


def test_settings_are_for_people_and_the_command_is_whole(run: Callable[..., Any], tmp_path: Path) -> None:
    case = run(toys=5)
    command = "nplm test data.npz --where 'x > 6' -o out"
    settings = {
        "where": None,
        "shape_only": False,
        "yields": [{"path": "a.npz", "expected_yield": 2.5}],
        "command": command,
    }
    report = write_run(tmp_path, case.test, case.data, replace(case.result, configuration=settings))
    text = Page(report.read_text(encoding="utf-8")).text
    assert text.count(command) == 1
    for words in ("wherenone", "shape onlyno", "yields(path: a.npz; expected yield: 2.5)"):
        assert words in text


def test_report_is_one_self_contained_page(run: Callable[..., Any], tmp_path: Path) -> None:
    hostile = "</style><script>alert('x')</script>$\\frac{\"&"
    case = run(features=(hostile, "y"), name="<b>data</b>.npz")
    result = replace(
        case.result,
        notes=(f"note on {hostile}",),
        configuration={**case.result.configuration, "command": f"nplm test {hostile}"},
    )
    report = write_run(tmp_path, case.test, case.data, result)
    assert report == tmp_path / "report.html"
    text = report.read_text(encoding="utf-8")
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "b", "object"}
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 5
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)
    assert images[0]["alt"] == f"Feature {hostile}"
    for _, attributes in page.tags:
        assert "href" not in attributes
        assert "onload" not in attributes
    assert not re.search(r"url\(|@import|https?://", text)
    for words in (
        verdict(result).sentence,
        "12.50",
        f"note on {hostile}",
        f"nplm test {hostile}",
        "<b>data</b>.npz (390 events) against reference (4,000 events)",
        "6 of 8 ended within 0.05",
        "Calibration by toys",
        "χ²(5), given",
        "Kolmogorov-Smirnov",
        result.versions["jax"],
        "1806.02350",
    ):
        assert words in page.text


def test_run_folder_holds_everything(run: Callable[..., Any], tmp_path: Path) -> None:
    case = run(features=("x", "y"))
    write_run(tmp_path, case.test, case.data, case.result)
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    stems = ["feature-01-x", "feature-02-y", "log-ratio", "null", "null-quantiles"]
    files = ["events.csv", "localization.json", "report.html", "result.json"]
    assert found == sorted([*files, *(f"plots/{s}.{e}" for s in stems for e in ("pdf", "png"))])
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads(case.result.to_json())


def test_report_is_written_last(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nplm.report.pictures.plot_log_ratio", fail)
    case = run()
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, case.test, case.data, case.result)
    assert not (tmp_path / "report.html").exists()
    assert json.loads((tmp_path / "result.json").read_text())["t"] == 12.5


def test_result_of_other_data_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    case = run(toys=0)
    with pytest.raises(ValueError, match="about 390 events, but data has 5"):
        write_run(tmp_path, case.test, case.data.select(slice(5)), case.result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (np.nan, "how far t would still rise could not be estimated"),
        (1e-6, "t would still rise by less than 0.001 at"),
        (0.25, "t would still rise by about 0.25 at"),
    ],
)
def test_what_remains_of_the_fit(run: Callable[..., Any], remaining: float, words: str) -> None:
    page = report_page(replace(run(toys=0).result, remaining=remaining), [])
    assert words in page
    assert "nan" not in page.split("Quality of the fit")[1].split("</section>")[0]


@pytest.mark.slow
def test_log_ratio_of_the_reference_is_evaluated_once(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = run(toys=0, features=("x", "y", "z"))
    evaluated: list[int] = []
    log_ratio = case.test.prepared.log_ratio

    def counting(parameters: np.ndarray, events: np.ndarray) -> np.ndarray:
        evaluated.append(len(events))
        return log_ratio(parameters, events)

    monkeypatch.setattr(case.test.prepared, "log_ratio", counting)
    write_run(tmp_path, case.test, case.data, case.result)
    assert evaluated == [4000]


def test_json_and_page_have_them(run: Callable[..., Any], tmp_path: Path) -> None:
    case = run(toys=60, t=60.0)
    page = write_run(tmp_path, case.test, case.data, case.result).read_text()
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["rate"]["observed"] == 390
    assert document["rate"]["p_value"] == pytest.approx(case.result.rate.p_value)
    assert document["shape"]["law"] == "chi2(4)"
    assert page.index("390 observed / 400 expected") < page.index("Key numbers") < page.index("p-value")
