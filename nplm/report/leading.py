"""What differs most, as the first picture of a page: one feature with its interval, or a pair of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.figure import Figure

from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.verdict import verdict
from nplm.localization.comparison import Comparison, compared
from nplm.localization.leading import leading_interval
from nplm.localization.localize import Localization, localize
from nplm.plot.style import save_figure
from nplm.plot.two_sample import plot_two_sample_bins, short_name
from nplm.plot.two_sample_bins import Process, fill_two_samples
from nplm.report.feature_table import feature_sentence
from nplm.report.localization import write_localization, write_pair_picture
from nplm.report.pictures import Picture
from nplm.report.roles import TEST, Roles
from nplm.statistic import LikelihoodRatio
from nplm.two_sample.features import FeatureNumbers, feature_numbers
from nplm.wording.verdict_levels import MILD, Level

if TYPE_CHECKING:
    from markupsafe import Markup


def marginal_caption(roles: Roles, *, fitted: bool, scaled: bool = False) -> str:
    """How to read a picture of one feature of both samples.

    Arguments:
        roles: what the samples are called.
        fitted: whether the fit is drawn.
        scaled: whether the reference is scaled to the yield of the data, as where only shapes are compared.
    """
    fit = f" Orange: {'the reference' if roles.of_test else 'A'} reweighted by the fitted log-ratio." if fitted else ""
    if not roles.of_test:
        return (
            f"Shares of both samples, A (band: its uncertainty) and B.{fit} Below: B / A, whose errors hold the"
            " fluctuations of both."
        )
    scale = "scaled to the yield of the data" if scaled else "with the yield that it predicts"
    return (
        f"Points: data. Line with band: the reference, {scale}, and its statistical uncertainty.{fit} Below: their"
        " ratio, whose errors hold the fluctuations of both; triangles point to values outside the panel."
    )


def marginal_names(reference: Sample, data: Sample, names: Sequence[str]) -> tuple[str, str]:
    """What a picture calls the samples of a test, with their yields."""
    a, b = (short_name(name) for name in names)
    return f"reference: {a} ({reference.total_weight:,.6g})", f"data: {b} ({data.total_weight:,.6g})"


def feature_leads(
    folder: Path, figure: Figure, numbers: FeatureNumbers, caption: str, *, shaded: bool, stacked: bool
) -> Picture:
    """The picture of the one feature that leads, saved as leading.

    Arguments:
        folder: where to.
        figure: the picture.
        numbers: of the feature.
        caption: how to read it.
        shaded: whether an interval is.
        stacked: whether the files of the reference are told apart.
    """
    sentences = [
        feature_sentence(numbers),
        caption,
        "Shaded: where they differ most." * shaded,
        "Filled: the files that the reference is made of." * stacked,
    ]
    path = save_figure(figure, folder / "leading")[0]
    return Picture(path, f"What differs most: {numbers.feature}", " ".join(filter(None, sentences)))


def pair_leads(folder: Path, comparison: Comparison, found: Localization, roles: Roles) -> list[Picture]:
    """The picture of the pair of features in which the fit shows most; none for one feature."""
    words = "" if roles.of_test else "The data are B, and the reference is A. "
    return [
        replace(
            picture,
            title=f"What differs most: {picture.title[0].lower()}{picture.title[1:]}",
            caption=f"{words}{picture.caption}",
        )
        for picture in write_pair_picture(folder, comparison, found)
    ]


@dataclass(frozen=True)
class ModelWhere:
    """What the page of one model says of where data and reference differ.

    Arguments:
        section: see `where_section`; None where nothing was looked for.
        leading: the first picture; none where nothing differs, or only the yield.
        words: where, as a sentence for the verdict; empty without a leading feature.
        shown: the feature of that picture, if it shows all that there is to be seen of it.
    """

    section: Markup | None
    leading: tuple[Picture, ...] = ()
    words: str = ""
    shown: str | None = None


def write_model_where(
    folder: Path,
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    log_ratio: Float64[np.ndarray, " n"],
    *,
    top: int,
    rows: Int64[np.ndarray, " m"] | None,
    leave_one_out: bool,
    processes: Sequence[Process] = (),
    level: Level | None = None,
) -> ModelWhere:
    """Writes events.csv and localization.json, and the picture of what differs most, if something does.

    Arguments:
        folder: of the run; it has a folder plots.
        test, data, result: what ran, on which sample, and what it found.
        log_ratio: f of the model at each reference event, shape (n,).
        top, rows, leave_one_out, processes: see `nplm.report.write_run`.
        level: of the verdict, where it is not that of this result alone.
    """
    found = localize(test, data, result, top=top, rows=rows, left_out=leave_one_out, log_ratio=log_ratio)
    comparison = compared(test, data, result, log_ratio=log_ratio)
    said = level or verdict(result).level
    # A map of what the fit sees takes its colours from the largest fluctuation, and looks like a difference.
    if said in ("agreement", "failed") or (said != "strong" and result.z < MILD) or _yield_alone(result):
        return ModelWhere(write_localization(folder, found, [], agreement=said == "agreement"))
    plots = folder / "plots"
    leads = leading_interval(comparison, found.regions)
    if leads is None:
        section = write_localization(folder, found, [], agreement=False)
        pictures = tuple(pair_leads(plots, comparison, found, TEST))
        words = f"Most of it is in {' and '.join(found.pairs[0][0])} together." if pictures else ""
        return ModelWhere(section, pictures, words)
    pairs = write_pair_picture(plots, comparison, found)
    section = write_localization(folder, found, pairs, agreement=False)
    interval = leads.low, leads.high
    expected = comparison.reference
    bins = fill_two_samples(
        expected,
        comparison.data,
        leads.feature,
        fitted=comparison.fitted,
        yields=True,
        interval=interval,
        processes=processes,
    )
    names = marginal_names(expected, data, (expected.name, data.name))
    figure = plot_two_sample_bins(bins, leads.feature, names, yields=True, interval=interval)
    numbers = feature_numbers(expected, comparison.data)[expected.features.index(leads.feature)]
    caption = f"{marginal_caption(TEST, fitted=True)} The interval was chosen by the fit, which has seen the data."
    picture = feature_leads(plots, figure, numbers, caption, shaded=True, stacked=bool(processes))
    return ModelWhere(section, (picture,), f"Most of it is {leads.words}.", None if bins.enlarged else leads.feature)


def _yield_alone(result: Result) -> bool:
    """Whether the yields differ and the shapes agree, as far as that is known."""
    rate, shape = result.rate, result.shape
    return rate is not None and shape is not None and rate.z >= MILD and shape.z < MILD
