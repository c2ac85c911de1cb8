"""The folders of many comparisons: a matrix of samples, each with each, and a sweep over numbers of events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm._util.files import atomic_path
from nplm._util.versions import versions
from nplm.plot.style import save_figure
from nplm.plot.two_sample_many import plot_two_sample_matrix, plot_two_sample_sweep
from nplm.report.html.cells import Marked
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.pictures import Picture
from nplm.report.roles import SAMPLES
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.matrix_text import MATRIX_HEAD, different_pairs, matrix_rows, matrix_sentence
from nplm.two_sample.result_text import two_sample_cautions
from nplm.two_sample.sweep import TwoSampleSweep
from nplm.two_sample.sweep_text import SWEEP_HEAD, crossing_text, sweep_rows
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from markupsafe import Markup


def write_matrix(folder: Path, matrix: TwoSampleMatrix, content: Mapping[str, Any]) -> Path:
    """Writes result.json, the picture of the matrix, and last report.html.

    Returns:
        The path of report.html.
    """
    write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    picture = Picture(
        save_figure(plot_two_sample_matrix(matrix), plots / "matrix")[0],
        "Which samples differ",
        f"One-sided Z of each pair after the correction for the number of pairs: from {MILD:g} on a pair differs."
        " > marks a lower limit, and < 0 a corrected p-value of 1.",
    )
    return write_page(folder, _matrix_page(matrix, picture, content["configuration"]))


def write_sweep(folder: Path, sweep: TwoSampleSweep) -> Path:
    """Writes result.json, the picture of the sweep, and last report.html.

    Returns:
        The path of report.html.
    """
    write_json(folder, sweep.to_dict())
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    return write_page(folder, _sweep_page(sweep, sweep_picture(plots, sweep)))


def sweep_picture(folder: Path, sweep: TwoSampleSweep) -> Picture:
    """Z against the number of events."""
    path = save_figure(plot_two_sample_sweep(sweep), folder / "sweep")[0]
    caption = "Z of subsamples of both samples against their size; diamonds mark where the median reaches 3 and 5."
    return Picture(path, "How many events it takes", caption)


def _sweep_page(sweep: TwoSampleSweep, picture: Picture) -> Markup:
    said = [crossing_text(crossing, sweep) for crossing in sweep.crossings]
    sentence = ". ".join(text[0].upper() + text[1:] for text in said)
    a, b = (f"{n} ({count(e, 'event')})" for n, e in zip(sweep.sample_names, sweep.available, strict=True))
    return render(
        "sweep.html",
        title="nplm: how many events",
        question="How many events does it take to tell these samples apart?",
        subject=f"A: {a}, B: {b}; {count(sweep.z.shape[1], 'subsample')} of each size",
        verdict=Verdict("undecided", "How many events it takes", f"{sentence}."),
        picture=picture,
        sizes=[SWEEP_HEAD, *sweep_rows(sweep)],
        cautions=sweep.notes,
        version=versions()["nplm"],
        files="result.json",
    )


def _matrix_page(matrix: TwoSampleMatrix, picture: Picture, configuration: Mapping[str, Any]) -> Markup:
    first = next(iter(matrix.results.values()))
    notes = [f"{a} - {b}: {text}" for (a, b), r in matrix.results.items() for text in two_sample_cautions(r)]
    seconds: dict[str, float] = {}
    for result in matrix.results.values():
        for stage, time in result.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + time
    different = different_pairs(matrix)
    pairs = len(matrix.results)
    title = f"{different} of {count(pairs, 'pair')} {'differs' if different == 1 else 'differ'}"
    title = title if different else "All samples agree"
    return render(
        "matrix.html",
        title="nplm: samples compared",
        question=SAMPLES.question,
        subject=f"{', '.join(matrix.names)}, {count(len(first.features), 'feature')}",
        verdict=Verdict(_level(float(np.nanmax(matrix.z))), title, matrix_sentence(matrix)),
        picture=picture,
        pairs=[MATRIX_HEAD, *_marked_rows(matrix)],
        cautions=notes,
        ending=ending(configuration, first.versions, models=["kernel"], seconds=seconds),
        version=first.versions["nplm"],
        files="result.json",
    )


def _level(z: float) -> Level:
    """The colour of an adjusted Z."""
    if z < MILD:
        return "agreement"
    return "mild" if z < STRONG else "strong"


def _marked_rows(matrix: TwoSampleMatrix) -> list[tuple[str, ...]]:
    """The rows of the table, the adjusted Z in the colour of its level."""
    rows = []
    for (first, second), row in zip(matrix.results, matrix_rows(matrix), strict=True):
        z = float(matrix.z[matrix.names.index(first), matrix.names.index(second)])
        rows.append((*row[:3], Marked(row[3], _level(z)), *row[4:]))
    return rows


def write_json(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes result.json, whole or not at all."""
    with atomic_path(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_page(folder: Path, page: Markup) -> Path:
    """Writes report.html, whole or not at all, and returns its path."""
    path = folder / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
