"""One self-contained page that shows a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nplm.calibration.weighted_toys_text import weighted_toys_rows
from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.result import Result
from nplm.hypotest.verdict import verdict
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.report.html.cells import plus_minus, squared, typeset
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.leading import ModelWhere
from nplm.report.localization import RUN_FILES, where_title
from nplm.report.nuisances_block import learned_block, nuisances_block
from nplm.report.pictures import About, Picture
from nplm.report.roles import TEST
from nplm.toys.ensemble_text import comparison_rows, ensemble_rows, observed_rows, why_not_compared
from nplm.wording.greek import chi
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Verdict

if TYPE_CHECKING:
    from markupsafe import Markup

_NAMES = {
    "stands on": "p-value stands on",
    "asymptotic": "comparison with the asymptotic null",
    "expected": "expected yield",
}


def report_page(
    result: Result,
    pictures: Sequence[Picture],
    *,
    where: ModelWhere | None = None,
    features: Markup | None = None,
    data: str = "data",
    reference: str = "reference",
    learned: Sequence[LearnedLogRatio] = (),
) -> Markup:
    """The report as HTML; pictures are embedded and nothing is loaded from elsewhere.

    Arguments:
        result: what to show.
        pictures: PNG files with titles and captions.
        where: where data and reference differ; see `write_model_where`.
        features: the numbers of each feature, as HTML; see `feature_table`.
        data: name of the data sample.
        reference: name of the reference sample.
        learned: the log-ratios of nuisances that networks have learned.
    """
    answer = verdict(result)
    where = where or ModelWhere(None)
    numbers = dict(key_numbers(result))
    observed = numbers.pop("yield", "")
    return render(
        "one_model.html",
        title=f"nplm: {answer.title.lower()}",
        question=TEST.question,
        subject=subject(result, data, reference),
        verdict=with_where(answer, where),
        observed=observed,
        leading=where.leading,
        numbers=_numbers(result, numbers),
        nuisances=None if result.nuisances is None else nuisances_block(result.nuisances),
        nuisance_pictures=_about(pictures, "nuisances"),
        cautions=cautions(result),
        features=features,
        pictures=[each for each in _about(pictures, "data") if each.title != f"Feature {where.shown}"],
        where_title=where_title(answer.level),
        where=where.section,
        **_calibration(result),
        learned=learned_block(learned),
        learned_pictures=_about(pictures, "learned"),
        quality=_quality(result),
        ending=ending(
            result.configuration,
            result.versions,
            models=[result.model],
            seconds=result.seconds,
            nuisances=result.nuisances is not None,
        ),
        version=result.versions.get("nplm", ""),
        files="result.json" if where.section is None else RUN_FILES,
    )


def with_where(answer: Verdict, where: ModelWhere) -> Verdict:
    """A verdict whose sentence says where, too."""
    return replace(answer, sentence=f"{answer.sentence} {where.words}".rstrip())


def subject(result: Result, data: str, reference: str) -> str:
    """What was tested, in which features."""
    sizes = count(result.n_data, "event"), count(result.n_reference, "event")
    names = ", ".join(result.features)
    features = f"the feature {names}" if len(result.features) == 1 else f"{len(result.features)} features: {names}"
    return f"{data} ({sizes[0]}) against {reference} ({sizes[1]}), in {features}"


def _numbers(result: Result, numbers: Mapping[str, str]) -> list[tuple[str, ...]]:
    rows = [(_NAMES.get(name, name), value) for name, value in numbers.items() if name != "time"]
    source = result.calibration.source
    # Greek letters for our own words only; what the toys were drawn from names files.
    return [*typeset(rows, chi), *([("toys", source)] if source else [])]


def _about(pictures: Sequence[Picture], about: About) -> list[Picture]:
    return [picture for picture in pictures if picture.about == about]


def _calibration(result: Result) -> dict[str, list[tuple[str, ...]]]:
    """The numbers of the toys, their tests against the asymptotic null, given and fitted, and Z under each null."""
    summary = result.calibration.ensemble
    if summary is None:
        return {"toys": typeset(weighted_toys_rows(result.calibration), chi, plus_minus), "comparison": [], "seen": []}
    rows = ensemble_rows(summary)
    asymptotic = result.calibration.asymptotic_for_toys
    comparison = comparison_rows(result.toys.t, asymptotic, summary)
    if not comparison:
        rows.append((asymptotic.name, f"not compared: {why_not_compared(summary)}"))
    seen = (
        []
        if math.isnan(result.t)
        else observed_rows(result.toys.t, asymptotic, result.t, summary, result.calibration.asymptotic)
    )
    found = {"toys": rows, "comparison": comparison, "seen": seen}
    return {name: typeset(each, chi, plus_minus, squared) for name, each in found.items()}


def _quality(result: Result) -> list[tuple[str, str]]:
    rows = [("converged", "yes" if result.converged else "no: it stopped at its fixed budget or failed")]
    if result.starts > 1:
        rows += [
            (
                "independent searches",
                f"{result.starts_agreeing} of {result.starts} ended within 0.05 of the largest t",
            ),
            ("spread of the searches", f"largest t minus smallest t: {result.start_spread:.2f}"),
        ]
    rows.append(("remaining", _remaining(result.remaining)))
    toys = result.toys
    if len(toys):
        done = int(toys.succeeded.sum())
        rows.append(("toy fits", f"{int(toys.converged.sum())} of {len(toys)} converged, {len(toys) - done} failed"))
        if result.starts > 1 and done:
            median = np.median(toys.starts_agreeing[toys.succeeded])
            rows.append(("searches that agree in toys", f"median {median:g} of {result.starts}"))
    return rows


def _remaining(remaining: float) -> str:
    if math.isnan(remaining):
        return "how far t would still rise could not be estimated"
    rest = "less than 0.001" if remaining < 1e-3 else f"about {remaining:.2g}"
    return f"t would still rise by {rest} at the maximum it climbs"
