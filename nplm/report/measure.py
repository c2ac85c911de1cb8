"""The folder of a measurement: result.json, pictures and one page that shows all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm.data.sample import Sample
from nplm.measure.result import MeasureResult
from nplm.measure.result_text import (
    correlation_rows,
    coverage_rows,
    limit_rows,
    measure_numbers,
    measure_verdict,
    nuisance_rows,
    parameter_rows,
)
from nplm.plot.measure import plot_contours, plot_fitted_feature, plot_measured_pulls
from nplm.plot.style import save_figure
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.pictures import Picture, feature_stem
from nplm.report.two_sample_many import write_json, write_page
from nplm.wording.numbers import count, format_p

if TYPE_CHECKING:
    from markupsafe import Markup

_MOST_FEATURES, _MOST_TESTS = 20, 8
_CITED = (
    "Goodness of fit with fitted parameters, by scores that are projected off theirs: J. Neyman, in Probability and"
    " Statistics, ed. U. Grenander (1959) 213",
    "Upper limits: G. Cowan, K. Cranmer, E. Gross and O. Vitells, Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727",
)


def write_measure(
    folder: Path, result: MeasureResult, fitted: Sample, data: Sample | None, content: Mapping[str, Any]
) -> Path:
    """Writes result.json, plots and last report.html, each whole or not at all.

    Arguments:
        folder: where to; it must exist.
        result: of the measurement.
        fitted: the reference reweighted to the fit.
        data: what was fitted; None for what is expected.
        content: what result.json holds.

    Returns:
        The path of report.html.
    """
    write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    pairs = list(dict.fromkeys(each.names for each in result.contours))
    contours = [
        Picture(
            save_figure(plot_contours(result, *pair), plots / f"contour-{number:02d}")[0],
            f"{pair[0]} and {pair[1]}",
            "" if number > 1 else _CONTOUR_CAPTION,
        )
        for number, pair in enumerate(pairs, 1)
    ]
    pulls = []
    if len(result.names) > result.of_interest:
        path = save_figure(plot_measured_pulls(result), plots / "pulls")[0]
        pulls.append(Picture(path, *(_PULLS if result.of_interest else _PULLS_ALONE)))
    features: list[Picture] = []
    if data is not None:
        ordered = _leading_first(result)
        for name in ordered[:_MOST_FEATURES]:
            stem = feature_stem(1 + result.features.index(name), name)
            path = save_figure(plot_fitted_feature(fitted, data, name), plots / stem)[0]
            features.append(Picture(path, f"Feature {name}", "" if features else _FEATURE_CAPTION))
    return write_page(folder, _page(result, contours, pulls, features, content))


def _leading_first(result: MeasureResult) -> list[str]:
    leading = () if result.goodness_of_fit is None else result.goodness_of_fit.leading_features
    return [*leading, *(name for name in result.features if name not in leading)]


_CONTOUR_CAPTION = (
    "Where -2 log of the profile likelihood is above its minimum by what a share of experiments stays below, both"
    " parameters together; all others follow. Cross: the fit. Circle: the reference as given."
)
_PULLS = (
    "Pulls and impacts",
    "Left: each nuisance where the fit puts it, in units of its constraint (grey). Right: by how much a parameter moves"
    " if the nuisance does by its error, in units of the parameter's error.",
)
_PULLS_ALONE = ("Pulls", "Each nuisance where the fit puts it, in units of its constraint (grey).")
_FEATURE_CAPTION = (
    "Points: the data. Step with band: the fitted model, the reference reweighted to the fitted values. Below: their"
    " ratio."
)


def _question(result: MeasureResult) -> str:
    if result.expected:
        return "What would be measured?"
    if not result.of_interest:
        return "Does the reference describe the data, whatever its nuisances are?"
    return f"What is {', '.join(result.names[: result.of_interest])}, and is anything left?"


def _tests(result: MeasureResult) -> list[tuple[str, ...]]:
    found = result.goodness_of_fit
    if found is None:
        return []
    order = sorted(range(len(found.tests)), key=lambda i: found.log_p[i])[:_MOST_TESTS]
    rows = [
        (found.tests[i], f"{found.t[i]:.2f}", f"{found.expected_t[i]:.2f}", format_p(float(np.exp(found.log_p[i]))))
        for i in order
    ]
    return [("test", "t", "expected", "local p"), *rows]


def _about_tests(result: MeasureResult) -> str:
    found = result.goodness_of_fit
    if found is None:
        return ""
    return (
        f"What stands out most, with the number of tests of each class counted, is a difference {found.leading_words}."
        " Those of smallest local p:"
    )


def _page(
    result: MeasureResult,
    contours: list[Picture],
    pulls: list[Picture],
    features: list[Picture],
    content: Mapping[str, Any],
) -> Markup:
    names = ", ".join(result.names[: result.of_interest]) or "no parameter of interest"
    data = "" if result.expected else f"{count(result.sizes[1], 'event')} of {result.sample_names[1]}; "
    nuisances = len(result.names) - result.of_interest
    beside = f", beside {count(nuisances, 'nuisance')}" if nuisances else ""
    numbers = measure_numbers(result)
    left = measure_verdict(result).level in ("mild", "strong")
    return render(
        "measure.html",
        title=f"nplm: {measure_verdict(result).title}",
        question=_question(result),
        subject=f"{data}a reference of {count(result.sizes[0], 'event')}; {names}{beside}",
        verdict=measure_verdict(result),
        leading=features[:1] if left else [],
        parameters=parameter_rows(result),
        limits=limit_rows(result),
        cautions=result.notes,
        contours=contours,
        correlations=correlation_rows(result),
        nuisances=nuisance_rows(result),
        pulls=pulls,
        coverage=coverage_rows(result),
        tests=_tests(result),
        about_tests=_about_tests(result),
        features=features[1:] if left else features,
        numbers=list(numbers.items()),
        ending=ending(
            content["configuration"],
            result.versions,
            models=["kernel"],
            seconds=result.seconds,
            nuisances=nuisances > 0,
            more=_CITED,
        ),
        version=result.versions["nplm"],
        files="result.json",
    )
