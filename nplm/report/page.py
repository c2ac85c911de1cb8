"""One self-contained page that shows a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from nplm.calibration.weighted_toys_text import rare_rows
from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.result import Result
from nplm.hypotest.verdict import verdict
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.report.html.footer import ending
from nplm.report.html.parts import (
    bullets,
    columns,
    document,
    figures,
    section,
    table,
    table_rows,
)
from nplm.report.leading import ModelWhere
from nplm.report.localization import RUN_FILES, where_title
from nplm.report.nuisances_block import learned_block, nuisances_block
from nplm.report.pictures import About, Picture
from nplm.toys.ensemble_text import comparison_rows, ensemble_rows, observed_rows, why_not_compared
from nplm.wording.greek import chi
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Verdict

_NAMES = {"stands on": "p-value stands on", "formula": "comparison with the formula", "expected": "expected yield"}


def report_page(
    result: Result,
    pictures: Sequence[Picture],
    *,
    where: ModelWhere | None = None,
    features: str = "",
    data: str = "data",
    reference: str = "reference",
    learned: Sequence[LearnedLogRatio] = (),
) -> str:
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
    where = where or ModelWhere("")
    numbers = dict(key_numbers(result))
    observed = numbers.pop("yield", "")
    others = [each for each in _about(pictures, "data") if each.title != f"Feature {where.shown}"]
    sections = [
        answer_first(answer, observed, where),
        section("Key numbers", _numbers(result, numbers)),
        section("Nuisances", _nuisances(result, pictures)),
        section("Cautions", bullets(cautions(result), "cautions")),
        section("Feature by feature", features),
        section("Pictures", figures(others)),
        section(where_title(answer.level), where.section),
        section("Calibration by toys", _calibration(result)),
        section("Learned log-ratios", learned_block(learned) + figures(_about(pictures, "learned"))),
        section("Quality of the fit", table(_quality(result))),
        ending(
            result.configuration,
            result.versions,
            models=[result.model],
            seconds=result.seconds,
            nuisances=result.nuisances is not None,
        ),
    ]
    title = f"nplm: {answer.title.lower()}"
    subject = (
        f"{escape(data)} ({count(result.n_data, 'event')}) against {escape(reference)}"
        f" ({count(result.n_reference, 'event')}),\n{counted_features(result)}"
    )
    version = result.versions.get("nplm", "")
    question = "Do the data agree with the reference?"
    return document(title, question, subject, sections, version, RUN_FILES if where.section else "result.json")


def answer_first(answer: Verdict, observed: str, where: ModelWhere) -> str:
    """The verdict, observed over expected, and what differs as a picture, as HTML: what a page begins with.

    Arguments:
        answer: the verdict.
        observed: the yields in words; empty where they are not compared.
        where: what differs most.
    """
    sentence = f"{answer.sentence} {where.words}".rstrip()
    verdict_block = (
        f'<p class="verdict {answer.level}"><strong>{escape(answer.title)}</strong> {escape(sentence)}</p>\n'
    )
    yields = f'<p class="yield">Yield: <strong>{escape(observed)}</strong></p>\n' if observed else ""
    leading = f'<div class="leading">{figures(where.leading)}</div>\n' if where.leading else ""
    return f"{verdict_block}{yields}{leading}"


def counted_features(result: Result) -> str:
    """The features by name, as HTML."""
    names = escape(", ".join(result.features))
    return f"in the feature {names}" if len(result.features) == 1 else f"in {len(result.features)} features: {names}"


def _numbers(result: Result, numbers: Mapping[str, str]) -> str:
    rows = [(_NAMES.get(name, name), value) for name, value in numbers.items() if name != "time"]
    source = result.calibration.source
    # Greek letters for our own words only; what the toys were drawn from names files.
    return f"<table>{chi(table_rows(rows))}{table_rows([('toys', source)] if source else [])}</table>\n"


def _nuisances(result: Result, pictures: Sequence[Picture]) -> str:
    """What the data say about the nuisances; empty without them."""
    if result.nuisances is None:
        return ""
    return nuisances_block(result.nuisances) + figures(_about(pictures, "nuisances"))


def _about(pictures: Sequence[Picture], about: About) -> list[Picture]:
    return [picture for picture in pictures if picture.about == about]


def _calibration(result: Result) -> str:
    """The numbers of the toys, their tests against the formula as given and as fitted, and Z under each null."""
    summary = result.calibration.ensemble
    if summary is None:
        weighted = rare_rows(result.calibration)
        return chi(table(weighted).replace(" +- ", " ± ")) if weighted else ""
    rows = ensemble_rows(summary)
    formula = result.calibration.formula_for_toys
    comparison = comparison_rows(result.toys.t, formula, summary)
    if not comparison:
        rows.append((formula.name, f"not compared: {why_not_compared(summary)}"))
    body = table(rows) + columns(comparison)
    if not math.isnan(result.t):
        body += table(observed_rows(result.toys.t, formula, result.t, summary, result.calibration.formula))
    return chi(body.replace(" +- ", " ± ").replace("sd^2", "sd²"))


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
