"""One line for each feature: chi2, the largest distance of distribution functions, and what to make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nplm.report.html.cells import Marked
from nplm.report.html.render import render
from nplm.stats.significance import z_score
from nplm.two_sample.features import FeatureNumbers
from nplm.wording.numbers import format_p
from nplm.wording.verdict_levels import MILD, STRONG

if TYPE_CHECKING:
    from markupsafe import Markup

_HEAD = ("feature", "χ² / degrees of freedom", "p of χ²", "p of Kolmogorov-Smirnov", "p of both, corrected")
_FAMILY = "it looks at features together and at single intervals as well"
ONE_FIT = "it is that of one fit to all features together"


def feature_table(numbers: Sequence[FeatureNumbers], *, stands_on: str = _FAMILY) -> Markup:
    """The table with a sentence, the feature that differs most first.

    Arguments:
        numbers: of each feature.
        stands_on: what the verdict stands on in place of these tests.
    """
    d = len(numbers)
    ordered = sorted(numbers, key=lambda each: each.corrected(d))
    rows = [
        (
            each.feature,
            _chi2(each),
            "" if np.isnan(each.p_chi2) else format_p(each.p_chi2),
            format_p(each.p_distance),
            _coloured(each.corrected(d)),
        )
        for each in ordered
    ]
    many = f"of {2 * d} tests, two for each of {d} features" if d > 1 else "of 2 tests of the one feature"
    return render(
        "features.html", many=many, mild=f"{MILD:g}", strong=f"{STRONG:g}", stands_on=stands_on, rows=[_HEAD, *rows]
    )


def _coloured(p: float) -> str:
    """A p-value in the colour of a verdict; what is usual has none, as a single feature cannot say that all agree."""
    z = z_score(p)
    return format_p(p) if z < MILD else Marked(format_p(p), "mild" if z < STRONG else "strong")


def feature_sentence(each: FeatureNumbers) -> str:
    """The numbers of one feature as a caption."""
    if not each.degrees_of_freedom:
        return "All events have one value."
    return (
        f"χ² = {_chi2(each)} (p = {format_p(each.p_chi2)}), Kolmogorov-Smirnov p = {format_p(each.p_distance)},"
        " of the shapes."
    )


def _chi2(each: FeatureNumbers) -> str:
    return f"{each.chi2:.4g} / {each.degrees_of_freedom}" if each.degrees_of_freedom else "one value"
