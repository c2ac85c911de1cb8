"""The folder of several tests of the same data: result.json, pictures and one page that shows all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nplm._util.files import atomic_path
from nplm.data.sample import Sample
from nplm.hypotest.multiple import MultipleTest
from nplm.hypotest.multiple_result import MultipleResult
from nplm.hypotest.multiple_text import TABLE_HEAD, multiple_cautions, multiple_numbers, multiple_rows, multiple_verdict
from nplm.hypotest.reweighting import reference_log_ratio
from nplm.io.tables import sample_like
from nplm.plot.multiple import plot_multiple
from nplm.plot.style import save_figure
from nplm.plot.two_sample_bins import Process
from nplm.report.html.cells import plus_minus, typeset
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.leading import ModelWhere, write_model_where
from nplm.report.localization import RUN_FILES
from nplm.report.page import subject, with_where
from nplm.report.pictures import Picture, write_pictures
from nplm.report.roles import TEST
from nplm.wording.greek import chi
from nplm.wording.numbers import count

if TYPE_CHECKING:
    from markupsafe import Markup


def write_multiple_run(
    folder: Path,
    test: MultipleTest,
    data: Sample,
    result: MultipleResult,
    *,
    top: int = 200,
    rows: Int64[np.ndarray, " n"] | None = None,
    leave_one_out: bool = True,
    processes: Sequence[Process] = (),
) -> Path:
    """Writes result.json, localization.json, events.csv, plots, and last report.html, each whole or not at all.

    The pictures are that of all tests, and those of the test with the smallest p-value, whose f also says where.

    Arguments:
        folder: where to; it must exist.
        test: what ran.
        data: the sample it tested.
        result: what it found.
        top, rows, leave_one_out, processes: see `write_run`.

    Returns:
        The path of report.html.
    """
    data = sample_like(test.tests[0].reference, data, "data")
    with atomic_path(folder / "result.json") as temporary:
        temporary.write_text(result.to_json() + "\n", encoding="utf-8")
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    pictures = [
        Picture(
            save_figure(plot_multiple(result), plots / "tests")[0],
            "What each test says, and all together",
            "One-sided Z-score of each test by itself (points), and the global one of all tests together (orange line,"
            " with its interval), which accounts for how many tests were made and how they are correlated.",
        )
    ]
    leading, found = test.tests[result.leading], result.tests[result.leading]
    f = reference_log_ratio(leading, found)
    pictures += write_pictures(plots, leading, data, found, f)
    where = write_model_where(
        folder,
        leading,
        data,
        found,
        f,
        top=top,
        rows=rows,
        leave_one_out=leave_one_out,
        processes=processes,
        level=multiple_verdict(result).level,
    )
    page = folder / "report.html"
    with atomic_path(page) as temporary:
        temporary.write_text(
            multiple_page(result, pictures, where=where, data=data.name, reference=test.tests[0].reference.name),
            encoding="utf-8",
        )
    return page


def multiple_page(
    result: MultipleResult,
    pictures: Sequence[Picture],
    *,
    where: ModelWhere | None = None,
    data: str = "data",
    reference: str = "reference",
) -> Markup:
    """The report as HTML; pictures are embedded and nothing is loaded from elsewhere.

    Arguments:
        result: what to show.
        pictures: PNG files with titles and captions: that of all tests, and those of the leading one.
        where: where data and reference differ, by the leading test; see `write_model_where`.
        data: name of the data sample.
        reference: name of the reference sample.
    """
    answer = multiple_verdict(result)
    where = where or ModelWhere(None)
    first = result.tests[0]
    found = {name: value for name, value in multiple_numbers(result).items() if name != "time"}
    observed = found.pop("yield", "")
    return render(
        "several_tests.html",
        title=f"nplm: {answer.title.lower()}",
        question=TEST.question,
        subject=f"{subject(first, data, reference)}, by {count(len(result.tests), 'test')}",
        verdict=with_where(answer, where),
        observed=observed,
        leading=where.leading,
        tests=typeset([TABLE_HEAD, *multiple_rows(result)], plus_minus),
        numbers=typeset(found.items(), chi),
        cautions=multiple_cautions(result),
        overview=pictures[:1],
        leading_test=result.names[result.leading],
        pictures=[each for each in pictures[1:] if each.title != f"Feature {where.shown}"],
        where=where.section,
        correlation=_correlation(result),
        ending=ending(
            result.configuration,
            result.versions,
            models={test.model for test in result.tests},
            seconds=result.seconds,
            nuisances=any(test.nuisances is not None for test in result.tests),
            more=["Several tests together: G. Grosso and M. Letizia, arXiv:2408.12296"],
        ),
        version=result.versions.get("nplm", ""),
        files="result.json" if where.section is None else RUN_FILES,
    )


def _correlation(result: MultipleResult) -> list[tuple[str, ...]]:
    if len(result.tests) < 2:
        return []
    rows: list[tuple[str, ...]] = [("", *result.names)]
    for name, row in zip(result.names, result.correlation, strict=True):
        rows.append((name, *("" if math.isnan(value) else f"{value:.2f}" for value in row)))
    return rows
