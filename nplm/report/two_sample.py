"""The folder of a comparison of two or more samples: result.json, pictures and one page that shows all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from nplm._atomic import atomic_path
from nplm.localization.comparison import Comparison
from nplm.localization.localize import localize_samples
from nplm.localization.ranking import USUAL_TOP
from nplm.plot.style import save_figure
from nplm.plot.two_sample import null_words, plot_two_sample_marginal, plot_two_sample_null
from nplm.plot.two_sample_many import plot_two_sample_matrix, plot_two_sample_sweep
from nplm.report.ending import ending
from nplm.report.html_block import chi
from nplm.report.html_parts import bullets, columns, document, figures, section, table
from nplm.report.numbers import count
from nplm.report.pictures import Picture
from nplm.report.two_sample_many_text import (
    MATRIX_HEAD,
    SWEEP_HEAD,
    crossing_text,
    matrix_rows,
    matrix_sentence,
    sweep_rows,
)
from nplm.report.two_sample_text import (
    TABLE_HEAD,
    two_sample_cautions,
    two_sample_numbers,
    two_sample_rows,
    two_sample_verdict,
)
from nplm.report.where import RUN_FILES, write_localization
from nplm.sample import Sample
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.sweep import TwoSampleSweep

_MOST_FEATURES = 20
_QUESTION = "Are these samples from one distribution?"


def write_two_sample(
    folder: Path,
    a: Sample,
    b: Sample,
    result: TwoSampleResult,
    content: Mapping[str, Any],
    sweep: TwoSampleSweep | None,
    *,
    top: int = USUAL_TOP,
    rows: Int64[np.ndarray, " n"] | None = None,
) -> Path:
    """Writes result.json, events.csv, localization.json, plots, and last report.html, each whole or not at all.

    If B has no events there is nothing to be drawn or listed.

    Arguments:
        folder: where to; it must exist.
        a, b: the samples.
        result: of their comparison.
        content: what result.json holds.
        sweep: over the number of events, if there is one.
        top: events of B that go into events.csv.
        rows: of B's events in their file, if there is a cut.

    Returns:
        The path of report.html.
    """
    _write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    pictures = [
        Picture(
            save_figure(plot_two_sample_marginal(a, b, result, feature), plots / f"feature-{number}")[0],
            f"Feature {feature}",
            "Shares of both samples, A (band: its uncertainty) and B, and A reweighted by the fitted log-ratio; below,"
            " B / A, whose errors hold the fluctuations of both."
            if number == 0
            else "The same for this feature.",
        )
        # A sample without events has no shape to be drawn.
        for number, feature in enumerate(_in_order(result)[:_MOST_FEATURES] if len(b) else ())
    ]
    if result.null is not None:
        pictures.append(
            Picture(
                save_figure(plot_two_sample_null(result), plots / "null")[0],
                "What chance does",
                f"The statistic of {null_words(result)}, and that of the samples (orange).",
            )
        )
    if sweep is not None:
        pictures.append(
            Picture(
                save_figure(plot_two_sample_sweep(sweep), plots / "sweep")[0],
                "How many events it takes",
                "Z of subsamples of both samples against their size; diamonds mark where the median reaches 3 and 5.",
            )
        )
    where = _write_where(folder, a, b, result, top, rows) if len(b) else ""
    return _write_page(folder, _page(result, pictures, where, sweep, content["configuration"]))


def _in_order(result: TwoSampleResult) -> list[str]:
    """The features, those that the leading test looks at first."""
    few = result.leading_features if len(result.leading_features) < len(result.features) else ()
    return [*few, *(name for name in result.features if name not in few)]


def _write_where(
    folder: Path, a: Sample, b: Sample, result: TwoSampleResult, top: int, rows: Int64[np.ndarray, " n"] | None
) -> str:
    """Writes what says where they differ, and returns that section of the page: B as data, A as what is expected."""
    comparison = Comparison(b, result.log_ratio_b, a.scaled_to(b.total_weight), result.log_ratio_a)
    return write_localization(
        folder,
        comparison,
        localize_samples(comparison, top=top, rows=rows),
        agreement=two_sample_verdict(result).level == "agreement",
        roles=f"Here the data are B ({b.name}), and the reference is A ({a.name}), scaled to the yield of B.",
    )


def write_matrix(folder: Path, matrix: TwoSampleMatrix, content: Mapping[str, Any]) -> Path:
    """Writes result.json, the picture of the matrix, and last report.html.

    Returns:
        The path of report.html.
    """
    _write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    picture = Picture(
        save_figure(plot_two_sample_matrix(matrix), plots / "matrix")[0],
        "Which samples differ",
        "One-sided Z of each pair after the correction for the number of pairs; > marks a lower limit, and < 0 a"
        " corrected p-value of 1.",
    )
    return _write_page(folder, _matrix_page(matrix, picture, content["configuration"]))


def _page(
    result: TwoSampleResult,
    pictures: Sequence[Picture],
    where: str,
    sweep: TwoSampleSweep | None,
    configuration: Mapping[str, Any],
) -> str:
    answer = two_sample_verdict(result)
    numbers = [(name, value) for name, value in two_sample_numbers(result).items() if name != "time"]
    swept = ""
    if sweep is not None:
        said = [f"{crossing_text(crossing, sweep)}." for crossing in sweep.crossings]
        swept = columns([SWEEP_HEAD, *sweep_rows(sweep)]) + bullets([*said, *sweep.notes], "plain")
    sections = [
        f'<p class="verdict {answer.level}"><strong>{escape(answer.title)}</strong> {escape(answer.sentence)}</p>',
        section("Key numbers", chi(table(numbers))),
        section("Cautions", bullets(two_sample_cautions(result), "cautions")),
        section("Pictures", figures(pictures)),
        section("Where is it?", where),
        section("How many events it takes", swept),
        section("Tests", columns([TABLE_HEAD, *two_sample_rows(result)])),
        ending(configuration, result.versions, models=["kernel"], seconds=result.seconds),
    ]
    a, b = (escape(name) for name in result.sample_names)
    events = [count(size, "event") for size in result.sizes]
    subject = f"A: {a} ({events[0]}), B: {b} ({events[1]}), {count(len(result.features), 'feature')}"
    return document(f"nplm: {answer.title.lower()}", _QUESTION, subject, sections, result.versions["nplm"], RUN_FILES)


def _matrix_page(matrix: TwoSampleMatrix, picture: Picture, configuration: Mapping[str, Any]) -> str:
    first = next(iter(matrix.results.values()))
    notes = [f"{a} - {b}: {text}" for (a, b), r in matrix.results.items() for text in two_sample_cautions(r)]
    seconds: dict[str, float] = {}
    for result in matrix.results.values():
        for stage, time in result.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + time
    level = two_sample_verdict(matrix.results[matrix.leading]).level if (matrix.z >= 2).any() else "agreement"
    sections = [
        f'<p class="verdict {level}"><strong>{count(len(matrix.results), "comparison")}</strong>'
        f" {escape(matrix_sentence(matrix))}</p>",
        section("All pairs", columns([MATRIX_HEAD, *matrix_rows(matrix)])),
        section("Cautions", bullets(notes, "cautions")),
        section("Picture", figures([picture])),
        ending(configuration, first.versions, models=["kernel"], seconds=seconds),
    ]
    subject = f"{escape(', '.join(matrix.names))}, {count(len(first.features), 'feature')}"
    return document("nplm: samples compared", _QUESTION, subject, sections, first.versions["nplm"])


def _write_json(folder: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _write_page(folder: Path, page: str) -> Path:
    path = folder / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
