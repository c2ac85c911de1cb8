"""The folder of a comparison of two or more samples: result.json, pictures and one page that shows all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nplm.data.sample import Sample
from nplm.data.without_copies import rescaled
from nplm.localization.comparison import Comparison
from nplm.localization.localize import localize_samples
from nplm.localization.ranking import USUAL_TOP, most_discrepant
from nplm.plot.two_sample_bins import Process
from nplm.report.feature_table import feature_table
from nplm.report.html.cells import typeset
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.localization import RUN_FILES, where_title, write_localization
from nplm.report.pictures import Picture
from nplm.report.roles import Roles, roles_of
from nplm.report.two_sample_many import write_json, write_page
from nplm.report.two_sample_pictures import Drawing
from nplm.two_sample.features import feature_numbers
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.result_text import (
    TABLE_HEAD,
    two_sample_cautions,
    two_sample_numbers,
    two_sample_rows,
    two_sample_verdict,
)
from nplm.two_sample.sweep import TwoSampleSweep
from nplm.two_sample.sweep_text import SWEEP_HEAD, crossing_text, sweep_rows
from nplm.wording.greek import chi
from nplm.wording.numbers import count

if TYPE_CHECKING:
    from markupsafe import Markup

# Numbers that stand above the pictures.
_FIRST_NUMBERS = ("p-value", "Z", "shape")


def write_two_sample(
    folder: Path,
    a: Sample,
    b: Sample,
    result: TwoSampleResult,
    content: Mapping[str, Any],
    sweep: TwoSampleSweep | None,
    *,
    processes: Sequence[Process] = (),
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
        processes: parts of A, which pictures show apart.
        top: events of B that go into events.csv.
        rows: of B's events in their file, if there is a cut.

    Returns:
        The path of report.html.
    """
    write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    roles = roles_of(result)
    if roles.of_test and result.rate is None and len(b):
        # Where yields are not compared, pictures show what the shape makes one expect.
        a = rescaled(a, b.total_weight)
    agreement = two_sample_verdict(result).level == "agreement"
    drawing = Drawing(plots, a, b, result, roles, agreement, processes)
    if not len(b):
        # A sample without events has no shape to be drawn.
        page = _page(result, roles, chance=drawing.chance(), configuration=content["configuration"])
        return write_page(folder, page)
    numbers = feature_numbers(a, b)
    # B as data, A as what is expected.
    comparison = Comparison(b, result.log_ratio_b, a.scaled_to(b.total_weight), result.log_ratio_a)
    looked_at = _only(comparison, drawing.leading)
    found = replace(localize_samples(looked_at), events=most_discrepant(comparison.data, comparison.f_data, top, rows))
    said = (
        f"Expected is {roles.a}, scaled to the yield of {roles.b}."
        if roles.of_test
        else f"Here the data are B ({b.name}), and the reference is A ({a.name}), scaled to the yield of B."
    )
    where = write_localization(folder, found, [], agreement=agreement, roles=said)
    page = _page(
        result,
        roles,
        leading=drawing.leads(looked_at, found, numbers),
        features=feature_table(numbers),
        pictures=drawing.features(numbers),
        where=where,
        chance=drawing.chance(),
        sweep=sweep,
        swept=drawing.sweep(sweep),
        configuration=content["configuration"],
    )
    return write_page(folder, page)


def _only(comparison: Comparison, features: Sequence[str]) -> Comparison:
    """The comparison with these features only; with all of them if none are named."""
    if not features:
        return comparison
    columns = [comparison.features.index(name) for name in features]
    data, reference = (
        Sample(sample.events[:, columns], sample.weights, features, sample.name)
        for sample in (comparison.data, comparison.reference)
    )
    return Comparison(data, comparison.f_data, reference, comparison.f_reference)


def _page(
    result: TwoSampleResult,
    roles: Roles,
    *,
    leading: Sequence[Picture] = (),
    features: Markup | None = None,
    pictures: Sequence[Picture] = (),
    where: Markup | None = None,
    chance: Sequence[Picture] = (),
    sweep: TwoSampleSweep | None = None,
    swept: Sequence[Picture] = (),
    configuration: Mapping[str, Any],
) -> Markup:
    """The page, by its template."""
    answer = two_sample_verdict(result)
    numbers = {name: value for name, value in two_sample_numbers(result).items() if name != "time"}
    observed = numbers.pop("yield", "")
    first = [(name, numbers.pop(name)) for name in _FIRST_NUMBERS if name in numbers]
    events = [count(size, "event") for size in result.sizes]
    a, b = (f"{name} ({size})" for name, size in zip(result.sample_names, events, strict=True))
    samples = f"{b} against {a}" if roles.of_test else f"A: {a}, B: {b}"
    return render(
        "two_samples.html",
        title=f"nplm: {answer.title.lower()}",
        question=roles.question,
        subject=f"{samples}, {count(len(result.features), 'feature')}: {', '.join(result.features)}",
        verdict=answer,
        observed=observed,
        leading=leading,
        first_numbers=typeset(first, chi),
        cautions=two_sample_cautions(result),
        features=features,
        pictures=pictures,
        where_title=where_title(answer.level),
        where=where,
        numbers=typeset(numbers.items(), chi),
        chance=chance,
        swept=swept,
        sizes=[] if sweep is None else [SWEEP_HEAD, *sweep_rows(sweep)],
        said=[] if sweep is None else [*(f"{crossing_text(c, sweep)}." for c in sweep.crossings), *sweep.notes],
        tests=[TABLE_HEAD, *two_sample_rows(result)],
        ending=ending(configuration, result.versions, models=["kernel"], seconds=result.seconds),
        version=result.versions["nplm"],
        files=RUN_FILES,
    )
