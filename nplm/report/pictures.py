"""The pictures of a run, with their captions."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import reference_log_ratio
from nplm.hypotest.verdict import verdict
from nplm.plot.f_of_x import plot_log_ratio_of_feature
from nplm.plot.learned_ratio import drawable, plot_learned_ratio
from nplm.plot.log_ratio import plot_log_ratio
from nplm.plot.marginal import plot_marginal
from nplm.plot.null import plot_null
from nplm.plot.pulls import plot_pulls
from nplm.plot.qq import plot_qq
from nplm.plot.style import save_figure
from nplm.statistic import LikelihoodRatio

_QUANTILES_CAPTION = (
    "The toys' t in order, against what the asymptotic null expects for the toy of that rank. Where toys follow it,"
    " each of them lies in the dark band with probability 68% and in the light one with 95%; neighbours move together."
    " Below: the distance from the dashed line in units of half the dark band. The upper right end is what small"
    " p-values are read from. Green: the asymptotic null, fitted to the toys."
)

_PULLS_CAPTION = (
    "Each nuisance where the data want it, in units of its constraint, which is the grey band. Black: fitted without f,"
    " with the error that data and constraint together leave; a bar shorter than the band means that the data know it"
    " better than the constraint does. Orange: fitted together with f."
)
_IMPACT_CAPTION = (
    " Right: by how much t grows if that nuisance is held at 0. A long bar is a difference that the nuisance can"
    " explain, so that t does not count it."
)
_LEARNED_CAPTION = (
    "Made when the log-ratio was learned, from events that were held out: yields relative to those at nu = 0, of the"
    " varied samples (points) and of the reference reweighted by the learned ratio (lines with bands), and their"
    " difference in units of both errors; last the calibration of the classifier."
)

_F_CAPTION = (
    "The fitted log-ratio f, with the log of data over reference in bins (points). Where f is above zero the fit wants"
    " more events than the reference predicts."
)

About = Literal["data", "nuisances", "learned"]


@dataclass(frozen=True)
class Picture:
    """A picture in the report.

    Arguments:
        png: the file.
        title: what it shows, in plain text.
        caption: how to read it, in plain text.
        about: the section that it belongs to.
    """

    png: Path
    title: str
    caption: str
    about: About = "data"

    @property
    def data_uri(self) -> str:
        """The picture itself, as a page holds it that loads nothing."""
        return f"data:image/png;base64,{base64.b64encode(self.png.read_bytes()).decode('ascii')}"


def write_pictures(
    folder: Path,
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> list[Picture]:
    """Draws and saves the features, the null, the toys' quantiles if there are 50 of them, and the log-ratio; with
    nuisances also their pulls, and each learned log-ratio beside the samples that it was learned from.

    f at the reference is evaluated once for all, or given as log_ratio, shape (n,).
    """
    f = reference_log_ratio(test, result) if log_ratio is None else log_ratio

    def picture(stem: str, draw: Callable[[], Figure], title: str, caption: str, about: About = "data") -> Picture:
        return Picture(save_figure(draw(), folder / stem)[0], title, caption, about)

    pictures = [
        picture(
            feature_stem(number, feature),
            lambda feature=feature: plot_marginal(test, data, result, feature, log_ratio=f),  # type: ignore[misc]
            f"Feature {feature}",
            _marginal_caption(data) if number == 1 else "To be read as the first picture.",
        )
        for number, feature in enumerate(data.features, start=1)
    ]
    pictures.append(picture("null", lambda: plot_null(result), "Is the observed t unusual?", _null_caption(result)))
    ensemble, asymptotic = result.calibration.ensemble, result.calibration.asymptotic_for_toys
    if ensemble is not None and ensemble.given is not None:
        pictures.append(
            picture(
                "null-quantiles",
                lambda: plot_qq(result.toys.t, asymptotic, summary=ensemble),
                "Do the toys follow the asymptotic null?",
                _QUANTILES_CAPTION,
            )
        )
    pictures.append(
        picture(
            "log-ratio",
            lambda: plot_log_ratio(test, data, result, log_ratio=f),
            "What the fit makes of fluctuations"
            if verdict(result).level == "agreement"
            else "Where the fit sees a difference",
            "Distribution of the fitted log-ratio f over data and reference; the dotted line is f = 0. At f > 0 the fit"
            " wants more events than the reference predicts, at f < 0 fewer; a tail in the data alone shows which"
            " events drive t.",
        )
    )
    # f moves with nuisances, and -inf of bins without data has no place in a picture.
    finite = len(data) > 0 and np.isfinite(f).all() and np.isfinite(result.log_ratio).all()
    if len(data.features) == 1 and result.nuisances is None and finite:
        (only,) = data.features
        expected = test.reference.scaled_to(result.expected_yield)
        pictures.append(
            picture(
                "f",
                lambda: plot_log_ratio_of_feature(expected, data, only, (f, result.log_ratio), yields=True),
                f"f against {only}",
                _F_CAPTION,
            )
        )
    if result.nuisances is not None:
        summary = result.nuisances
        caption = _PULLS_CAPTION + ("" if summary.impact is None else _IMPACT_CAPTION)
        title = "Pulls" if summary.impact is None else "Pulls and impacts"
        pictures.append(picture("nuisances", lambda: plot_pulls(summary), title, caption, "nuisances"))
    learned = () if test.nuisances is None else test.nuisances.learned
    drawn = [(ratio, name) for ratio in learned for name in drawable(ratio)]
    for number, (ratio, name) in enumerate(drawn, start=1):
        pictures.append(
            picture(
                f"learned-{number:02d}-{_slug(name)}".rstrip("-"),
                lambda ratio=ratio, name=name: plot_learned_ratio(ratio, name),  # type: ignore[misc]
                f"Learned log-ratio of {name}",
                _LEARNED_CAPTION,
                "learned",
            )
        )
    return pictures


def feature_stem(number: int, feature: str) -> str:
    """A file name for a feature; the number keeps names apart that differ only in characters a file cannot bear."""
    slug = _slug(feature)
    return f"feature-{number:02d}-{slug}" if slug else f"feature-{number:02d}"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-")


def _marginal_caption(data: Sample) -> str:
    bars = (
        "error bars: root of the sum of squared weights"
        if data.is_weighted
        else "error bars: 68% Poisson intervals (Garwood)"
    )
    return (
        f"Points: data ({bars}; empty bins are marked where the reference expects at least half an event). Step with"
        " band: reference, scaled to the yield it predicts, with the statistical uncertainty of its own events. Orange:"
        " the reference reweighted by the fit, each event by exp(f). Below: ratios to the reference; triangles point to"
        " values outside the panel."
    )


def _null_caption(result: Result) -> str:
    calibration = result.calibration
    if calibration.kind == "chi2 given" and not calibration.toys:
        return (
            "The χ² that t would follow if the model were regularized just right. No toys have checked it, so a"
            " p-value read from it is not calibrated."
        )
    if calibration.importance is not None:
        return (
            "The distribution of t without a difference, computed to second order in the fluctuations, and the t of the"
            f" data (vertical line). The p-value is not read from it, but counted from {calibration.toys:,} toys that"
            f" were drawn where t is large, and weighted. Each toy: {calibration.source}."
        )
    if not calibration.toys:
        return (
            "The distribution of t without a difference, computed to second order in the fluctuations, and the t of the"
            " data (vertical line). No toys have checked it."
        )
    source = f" Each toy: {calibration.source}." if calibration.source else ""
    stands = (
        "The p-value is counted from the toys; the dashed asymptotic null is for comparison."
        if calibration.counted
        else "None of the toys reaches the data, so the p-value is read from the asymptotic null, which they follow."
        if calibration.kind.startswith("chi2")
        else "The dashed line is the asymptotic null for these toys, whose reference is always the same one; the"
        " p-value of the data is read from the asymptotic null for a reference that could have been another."
    )
    return (
        "Test statistic of toys, which have no difference by construction (points with Poisson error bars), and of the"
        f" data (vertical line). {stands}{source}"
    )
