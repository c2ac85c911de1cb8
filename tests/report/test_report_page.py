"""The verdict, the numbers' spelling, the page, and the folder of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm.calibration.record import Calibration
from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.result import Result
from nplm.hypotest.result_html import result_html
from nplm.hypotest.result_text import result_line, result_text
from nplm.hypotest.verdict import verdict
from nplm.report.page import report_page
from nplm.report.run import write_run
from nplm.stats.significance import z_score
from nplm.wording.numbers import format_p, format_z, p_interval_text, p_text, z_interval_text, z_text

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and insists that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(result: Result, p: float) -> Calibration:
    """The calibration as if all tests of the toys together had this p-value."""
    ensemble = result.calibration.ensemble
    if ensemble is None or ensemble.given is None:
        return result.calibration
    return replace(result.calibration, ensemble=replace(ensemble, given=replace(ensemble.given, p_value=p)))


def counted(result: Result, exceeding: int, toys: int, failed: int = 0) -> Result:
    """The result as if counted with these toys."""
    p = (1 + exceeding) / (1 + toys)
    calibration = replace(
        checked(result, 0.5), kind="empirical", toys=toys, toys_exceeding=exceeding, toys_failed=failed
    )
    return replace(result, p_value=p, z=z_score(p), calibration=calibration)


@pytest.mark.parametrize(
    ("exceeding", "toys", "failed", "level"),
    [
        (50, 200, 0, "agreement"),
        (5, 200, 0, "agreement"),
        (3, 200, 0, "mild"),
        (0, 200, 0, "mild"),
        (0, 5000, 0, "strong"),
        (2, 10000, 0, "strong"),
        (0, 10, 0, "undecided"),
        (0, 1, 0, "undecided"),
        (1, 1, 0, "agreement"),
        (20, 200, 20, "undecided"),
        (60, 200, 5, "agreement"),
        (50, 50, 50, "undecided"),
    ],
)
def test_verdict_follows_z_and_the_toys(
    exceeding: int, toys: int, failed: int, level: str, run: Callable[..., Any]
) -> None:
    answer = verdict(counted(run(toys=5).result, exceeding, toys, failed))
    assert answer.level == level
    assert "discover" not in answer.sentence.lower()


def test_verdict_says_when_z_is_a_limit(run: Callable[..., Any]) -> None:
    sentence = verdict(counted(run(toys=5).result, 0, 200)).sentence
    assert "p = 0.00498, Z = 2.58, empirical" in sentence
    assert "at least a mild discrepancy" in sentence
    assert "limited by their number" in sentence


def test_verdict_without_toys_is_not_calibrated(run: Callable[..., Any]) -> None:
    answer = verdict(run(toys=0, t=100.0).result)
    assert answer.level == "uncalibrated"
    assert "not calibrated" in answer.sentence
    assert ", chi2 given" in answer.sentence


def test_verdict_of_a_failed_fit_is_none(run: Callable[..., Any]) -> None:
    result = replace(run(toys=5).result, t=np.nan)
    assert verdict(result).level == "failed"
    assert "p-value" not in result_text(result)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0149253, "0.0149"),
        (0.6234, "0.62"),
        (0.6, "0.60"),
        (3.14159e-7, "3.1e-07"),
        (0.00086, "0.00086"),
        (1.0, "1"),
        (0.0, "< 1e-300"),
    ],
)
def test_p_values_have_two_or_three_digits(p: float, text: str) -> None:
    assert format_p(p) == text


@pytest.mark.parametrize(("z", "text"), [(2.3333, "2.33"), (np.inf, "> 37"), (-np.inf, "< 0"), (-0.5, "-0.50")])
def test_z_scores_have_two_decimals(z: float, text: str) -> None:
    assert format_z(z) == text


def test_intervals_and_relations() -> None:
    assert (p_text(1 / 201), z_text(2.576)) == ("p = 0.00498", "Z = 2.58")
    assert (p_text(0.0), z_text(np.inf)) == ("p < 1e-300", "Z > 37")
    assert (p_interval_text((0.0, 0.0057)), z_interval_text((2.53, np.inf))) == ("below 0.0057", "above 2.53")
    assert (p_interval_text((0.88, 1.0)), z_interval_text((-np.inf, -1.17))) == ("above 0.88", "below -1.17")
    assert (p_interval_text((0.0072, 0.0224)), z_interval_text((2.01, 2.447))) == ("0.0072 to 0.0224", "2.01 to 2.45")


def test_limits_and_intervals(run: Callable[..., Any]) -> None:
    base = run(toys=5).result
    limit = key_numbers(replace(counted(base, 0, 200), p_interval=(0.0, 0.0057), z_interval=(2.53, np.inf)))
    assert limit["p-value"] == "0.00498, the least that 200 toys can give (68% interval: below 0.0057)"
    assert limit["Z"] == "2.58, the largest that 200 toys can give (68% interval: above 2.53)"
    counts = replace(counted(base, 2, 200), p_interval=(0.0072, 0.0224), z_interval=(2.01, 2.447))
    assert key_numbers(counts)["p-value"] == "0.0149 (68% interval: 0.0072 to 0.0224)"
    assert key_numbers(counts)["Z"] == "2.17 (68% interval: 2.01 to 2.45)"
    formula = key_numbers(replace(run(toys=0).result, p_value=0.0, z=np.inf))
    assert (formula["p-value"], formula["Z"]) == ("< 1e-300", "> 37")


@pytest.mark.parametrize(("check", "shown"), [(0.4, True), (0.001, False)])
def test_chi2_gives_a_number_only_if_its_check_accepts_it(check: float, shown: bool, run: Callable[..., Any]) -> None:
    result = run(toys=60).result
    result = replace(result, calibration=replace(checked(result, check), formula_p_value=1.2345e-5))
    text = " ".join(result_text(result).split())
    assert ("1.2e-05" in text) == shown
    assert ("refused" in text) == (not shown)


def test_cautions_name_what_is_wrong(run: Callable[..., Any]) -> None:
    result = run(toys=60, failing=4).result
    result = replace(
        result,
        converged=False,
        complete=False,
        notes=("mind the gap",),
        calibration=replace(checked(result, 0.01), toys_requested=100),
    )
    text = "\n".join(cautions(result))
    for words in (
        "mind the gap",
        "interrupted after 60 of 100 toys",
        "stopped before it converged",
        "4 of 60 toys failed",
        "do not follow chi2(5)",
    ):
        assert words in text
    assert "20 toys are too few to check" in "\n".join(cautions(run(toys=20).result))


def test_agreement_of_the_searches_is_stated(run: Callable[..., Any]) -> None:
    result = run().result
    assert "found by 6 of 8 independent searches (lowest t: 0.50 below)" in " ".join(result_text(result).split())
    assert "only one of" not in "\n".join(cautions(result))
    lonely = replace(result, starts_agreeing=1, start_spread=1.375)
    (caution,) = (text for text in cautions(lonely) if text.startswith("only one of 8 independent searches"))
    assert "1.38 below" in caution
    assert "the p-value counted from them holds" in caution
    formula = replace(run(toys=0).result, starts_agreeing=1)
    assert "holds" not in "\n".join(cautions(formula))
    assert "searches" not in result_text(replace(result, starts=1, starts_agreeing=1))


def test_calibration_by_toys_has_its_numbers(run: Callable[..., Any]) -> None:
    result = run(toys=200, failing=3).result
    ensemble = result.calibration.ensemble
    assert ensemble.given.p_value == result.calibration.formula_check
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


def test_chi2_is_unchecked_for_fewer_than_fifty_toys(run: Callable[..., Any]) -> None:
    for toys, failing, reason in ((49, 0, "49 toys are too few"), (50, 1, "49 toys are too few"), (9, 9, "all toys")):
        result = run(toys=toys, failing=failing).result
        assert result.calibration.formula_check is None
        assert f"chi2(5) is unchecked: {reason}" in "\n".join(cautions(result))
        assert "chi2(5) is unchecked" in result_text(result)
    enough = run(toys=50).result
    assert enough.calibration.formula_check is not None
    assert "unchecked" not in "\n".join([*cautions(enough), result_text(enough)])


def test_toys_that_all_exceed_the_data_are_doubted(run: Callable[..., Any]) -> None:
    for toys, doubted in ((19, False), (20, True)):
        assert ("all 20 toys differ" in "\n".join(cautions(run(toys=toys, t=1e-3).result))) == doubted
    assert "differ from" not in "\n".join(cautions(run(toys=20, failing=20).result))


def test_the_answer_fits_on_a_line(run: Callable[..., Any]) -> None:
    assert (
        result_line(counted(run(toys=5).result, 0, 200))
        == "t = 12.50, p = 0.00498, Z = 2.58 (empirical; a limit of the toys: none exceeds t)"
    )
    assert result_line(counted(run(toys=5).result, 2, 200)) == "t = 12.50, p = 0.0149, Z = 2.17 (empirical)"
    assert result_line(run(toys=0).result).endswith("(chi2 given; not calibrated)")


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


def test_repr_is_compact_and_safe_for_a_terminal(run: Callable[..., Any]) -> None:
    result = run(features=("x\x1b[31m", "y")).result
    text = repr(result)
    assert text == result_text(result)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.isascii()
    assert "\x1b" not in text
    assert "12.50" in text


def test_notebook_block_is_escaped(run: Callable[..., Any]) -> None:
    result = run(features=("<script>alert(1)</script>",)).result
    block = result._repr_html_()
    assert block == result_html(result)
    page = Page(block)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text


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


def test_toys_from_too_small_a_sample_leave_the_test_undecided(run: Callable[..., Any]) -> None:
    def inflated(result: Any, inflation: float) -> Any:
        return replace(result, calibration=replace(result.calibration, inflation=inflation))

    for t, level in ((1.0, "agreement"), (1e9, "strong")):
        result = run(toys=100, t=t).result
        assert verdict(inflated(result, 1.25)).level == level
        answer = verdict(inflated(result, 1.3))
        assert answer.level == "undecided"
        assert "too small a sample" in answer.title
        assert "widens t by a factor of about 1.3" in answer.sentence
        assert "larger reference" in answer.sentence
    assert verdict(inflated(run(toys=0).result, 1.3)).level == "uncalibrated"


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
