"""Writes what a test of one model leaves: result.json, pictures and one page that shows all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nplm._util.files import atomic_path
from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import reference_log_ratio
from nplm.io.tables import sample_like
from nplm.plot.two_sample_bins import Process
from nplm.report.feature_table import ONE_FIT, feature_table
from nplm.report.leading import write_model_where
from nplm.report.page import report_page
from nplm.report.pictures import write_pictures
from nplm.statistic import LikelihoodRatio
from nplm.two_sample.features import feature_numbers


def write_run(
    folder: Path,
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    *,
    top: int = 200,
    rows: Int64[np.ndarray, " n"] | None = None,
    leave_one_out: bool = True,
    processes: Sequence[Process] = (),
) -> Path:
    """Writes result.json, localization.json, events.csv, plots, and last report.html, each whole or not at all.

    Arguments:
        folder: where to; it must exist.
        test: what ran.
        data: the sample it tested.
        result: what it found.
        top: how many events go to events.csv, those of largest f.
        rows: row of each event in its file, such as `row_numbers` says, shape (n,); None for 0, 1, ...
        leave_one_out: fit again without each feature, see `nplm.localize`.
        processes: parts of the reference, which the first picture shows apart.

    Returns:
        The path of report.html.

    Raises:
        ValueError: if the result is not that of these data, or the folder does not exist.
    """
    data = sample_like(test.reference, data, "data")
    if len(result.log_ratio) != len(data):
        raise ValueError(
            f"the result is about {len(result.log_ratio)} events, but {data.name} has {len(data)}: give the sample that"
            " was tested"
        )
    with atomic_path(folder / "result.json") as temporary:
        temporary.write_text(result.to_json() + "\n", encoding="utf-8")
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    f = reference_log_ratio(test, result)
    pictures = write_pictures(plots, test, data, result, f)
    where = write_model_where(
        folder, test, data, result, f, top=top, rows=rows, leave_one_out=leave_one_out, processes=processes
    )
    # Shapes need events.
    comparable = data.total_weight > 0 and test.reference.total_weight > 0
    features = feature_table(feature_numbers(test.reference, data), stands_on=ONE_FIT) if comparable else None
    learned = () if test.nuisances is None else test.nuisances.learned
    page = folder / "report.html"
    with atomic_path(page) as temporary:
        temporary.write_text(
            report_page(
                result,
                pictures,
                where=where,
                features=features,
                data=data.name,
                reference=test.reference.name,
                learned=learned,
            ),
            encoding="utf-8",
        )
    return page
