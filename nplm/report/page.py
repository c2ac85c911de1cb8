"""One self-contained page that shows a result."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from nplm._citation import PAPERS
from nplm.report.css import CSS
from nplm.report.ensemble import comparison_rows, ensemble_rows, observed_rows, why_not_compared
from nplm.report.html_block import chi
from nplm.report.numbers import count, format_duration, key_numbers
from nplm.report.pictures import Picture
from nplm.report.verdict import cautions, verdict
from nplm.result import Result

_NAMES = {"stands on": "p-value stands on", "formula": "comparison with the formula", "expected": "expected yield"}


def report_page(
    result: Result, pictures: Sequence[Picture], *, data: str = "data", reference: str = "reference"
) -> str:
    """The report as HTML; pictures are embedded and nothing is loaded from elsewhere.

    Arguments:
        result: what to show.
        pictures: PNG files with titles and captions.
        data: name of the data sample.
        reference: name of the reference sample.
    """
    answer = verdict(result)
    sections = [
        f'<p class="verdict {answer.level}"><strong>{escape(answer.title)}</strong> {escape(answer.sentence)}</p>',
        _section("Key numbers", _numbers(result)),
        _section("Cautions", _list(cautions(result), "cautions")),
        _section("Pictures", _pictures(pictures)),
        _section("Calibration by toys", _calibration(result)),
        _section("Quality of the fit", _table(_quality(result))),
        _section("How to reproduce", _reproduction(result)),
        _section("Configuration", _settings(result.configuration)),
        _section("Time and versions", _table(_circumstances(result))),
        _section("What to cite", _citations(result)),
    ]
    title = f"nplm: {answer.title.lower()}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>Do the data agree with the reference?</h1>
<p>{escape(data)} ({count(result.n_data, "event")}) against {escape(reference)} ({count(result.n_reference, "event")}),
{_counted_features(result)}</p>
</header>
<main>
{"".join(sections)}
</main>
<footer>Written by nplm {escape(result.versions.get("nplm", ""))}. All numbers are in result.json beside this page.
</footer>
</body>
</html>
"""


def _counted_features(result: Result) -> str:
    names = escape(", ".join(result.features))
    return f"in the feature {names}" if len(result.features) == 1 else f"in {len(result.features)} features: {names}"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>\n" if body else ""


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return f"<table>{_rows(rows)}</table>\n"


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in rows)


def _list(items: Sequence[str], kind: str) -> str:
    body = "".join(f"<li>{escape(item)}</li>\n" for item in items)
    return f'<ul class="{kind}">{body}</ul>\n' if items else ""


def _numbers(result: Result) -> str:
    rows = [(_NAMES.get(name, name), value) for name, value in key_numbers(result).items() if name != "time"]
    source = result.calibration.source
    # Greek letters for our own words only; what the toys were drawn from names files.
    return f"<table>{chi(_rows(rows))}{_rows([('toys', source)] if source else [])}</table>\n"


def _calibration(result: Result) -> str:
    """The numbers of the toys, their tests against the formula as given and as fitted, and Z under each null."""
    summary = result.calibration.ensemble
    if summary is None:
        return ""
    rows = ensemble_rows(summary)
    formula = result.calibration.formula_for_toys
    comparison = comparison_rows(result.toys.t, formula, summary)
    if not comparison:
        rows.append((formula.name, f"not compared: {why_not_compared(summary)}"))
    body = _table(rows) + _columns(comparison)
    if not math.isnan(result.t):
        body += _table(observed_rows(result.toys.t, formula, result.t, summary))
    return chi(body.replace(" +- ", " ± ").replace("sd^2", "sd²"))


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    """A table whose first row is its head."""
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>\n"
        for row in rows[1:]
    )
    return f'<table class="columns"><tr>{head}</tr>\n{body}</table>\n'


def _pictures(pictures: Sequence[Picture]) -> str:
    figures = []
    for picture in pictures:
        image = base64.b64encode(picture.png.read_bytes()).decode("ascii")
        title = escape(picture.title)
        figures.append(
            f'<figure><img src="data:image/png;base64,{image}" alt="{title}">'
            f"<figcaption><strong>{title}</strong>{escape(picture.caption)}</figcaption></figure>\n"
        )
    return f'<div class="pictures">{"".join(figures)}</div>\n' if figures else ""


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


def _reproduction(result: Result) -> str:
    command = result.configuration.get("command")
    if command is None:
        return ""
    # A line may end between words, but not between the dashes and the name of an option.
    words = " ".join(f"<span>{escape(word)}</span>" for word in str(command).split(" "))
    return f"<pre>{words}</pre>\n"


def _settings(configuration: Mapping[str, Any]) -> str:
    """The configuration without the command, which has a section of its own."""
    return _table((name.replace("_", " "), _setting(v)) for name, v in configuration.items() if name != "command")


def _setting(value: Any) -> str:
    """A JSON value for people; exact numbers are in result.json."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name.replace('_', ' ')}: {_setting(v)}" for name, v in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_setting(v)})" if isinstance(v, Mapping) else _setting(v) for v in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _circumstances(result: Result) -> list[tuple[str, str]]:
    stages = ", ".join(f"{stage} {format_duration(s)}" for stage, s in result.seconds.items() if math.isfinite(s))
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    total = format_duration(sum(result.seconds.values()))
    return [("time", f"{total} ({stages})"), ("versions", versions)]


def _citations(result: Result) -> str:
    method, several, *_ = PAPERS
    items = [" ".join(paper.plain().split()) for paper in (method, several)]
    if result.model == "histogram":
        items[1] = "The histogram model: S. Baker and R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437"
    items.append(f"The software: nplm-jax {result.versions.get('nplm', '')}; nplm --cite prints all as BibTeX")
    return _list(items, "plain")
