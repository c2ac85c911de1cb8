"""Where data and reference differ, as a section of the report, as pictures and as files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nplm._util.files import atomic_path
from nplm.localization.ablation import LeftOut
from nplm.localization.comparison import Comparison
from nplm.localization.localize import CAUTION, Localization
from nplm.localization.ranking import RankedEvents
from nplm.localization.region import Region
from nplm.plot.pair import plot_pair
from nplm.plot.style import save_figure
from nplm.report.html.cells import at_most, plus_minus, typeset
from nplm.report.html.render import render
from nplm.report.pictures import Picture
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Level

if TYPE_CHECKING:
    from markupsafe import Markup

EVENTS_FILE, LOCALIZATION_FILE = "events.csv", "localization.json"
# The files of a run that hold its numbers.
RUN_FILES = f"result.json, {LOCALIZATION_FILE} and {EVENTS_FILE}"
# Events on the page, and their features: the file has them all.
_EVENTS_SHOWN, _FEATURES_SHOWN = 10, 8


def where_title(level: Level) -> str:
    """The heading of the section: an agreement is nowhere."""
    return "The largest fluctuations" if level == "agreement" else "Where is it?"


def write_localization(
    folder: Path, found: Localization, pictures: Sequence[Picture], *, agreement: bool, roles: str = ""
) -> Markup:
    """Writes events.csv and localization.json, and returns the section of the report.

    Arguments:
        folder: of the run.
        found: where two samples differ.
        pictures: of pairs of features, see `write_pair_picture`.
        agreement: whether the test as a whole found nothing.
        roles: which sample stands for the data, and which for the reference, if that needs words.
    """
    found.events.write(folder / EVENTS_FILE)
    with atomic_path(folder / LOCALIZATION_FILE) as temporary:
        temporary.write_text(found.to_json() + "\n", encoding="utf-8")
    return where_section(found, pictures, agreement=agreement, roles=roles)


def write_pair_picture(folder: Path, comparison: Comparison, localization: Localization) -> list[Picture]:
    """Draws the pair of features in which the fit shows most; nothing for one feature."""
    if not localization.pairs:
        return []
    (first, second), _ = localization.pairs[0]
    figure = plot_pair(comparison, first, second, localization.regions)
    drawn = [_line(region) for region in localization.regions if _is_drawn(region, first, second)]
    others = len(localization.pairs) - 1
    sentences = [
        "Left: data minus reference in units of the error, that of the data and of the reference together. Right: the"
        " events that the fit adds to the reference (red) or takes away (blue). Of single bins on the left a few are"
        " always far off; t is made of what the fit sees on the right.",
        "Of all pairs of features this is the one in which the fit shows most." * (others > 0),
        f"Lines: the region of the {' and that of the '.join(drawn)}, as far as these two features bound it."
        * (len(drawn) > 0),
        "Outer bins hold what lies beyond the axes; grey ones hold nothing.",
    ]
    return [
        Picture(
            save_figure(figure, folder / "pair-01")[0],
            f"Features {first} and {second}",
            " ".join(filter(None, sentences)),
        )
    ]


def where_section(
    localization: Localization, pictures: Sequence[Picture], *, agreement: bool = False, roles: str = ""
) -> Markup:
    """Regions, features and events, with the caution that they are no significances.

    Arguments:
        localization: what to show.
        pictures: of pairs of features, see `write_pair_picture`.
        agreement, roles: see `write_localization`.
    """
    warnings = [CAUTION, *([roles] if roles else [])]
    if agreement:
        warnings.append(
            "The test as a whole found no discrepancy: what is listed here is what fluctuations look like to the fit."
        )
    left_out, events = localization.left_out, localization.events
    return render(
        "where.html",
        cautions=warnings,
        about_regions=_about_regions(localization),
        regions=typeset(region_rows(localization), at_most, plus_minus),
        pictures=pictures,
        about_left_out="" if left_out is None else _about_left_out(left_out),
        left_out=[] if left_out is None else typeset(left_out_rows(left_out), plus_minus),
        not_left_out=localization.not_left_out,
        about_events=_about_events(events),
        events=event_rows(events) if len(events) else [],
    )


def region_rows(localization: Localization) -> list[tuple[str, ...]]:
    """A head with the regions, and where each of them is, what is there, and what was expected."""
    regions = localization.regions
    if not regions:
        return []
    rows = {
        "where": [region.describe() for region in regions],
        "observed": [_observed(region) for region in regions],
        "expected": [f"{region.expected:.4g} +- {region.expected_error:.2g}" for region in regions],
        "fitted": [f"{region.fitted:.4g}" for region in regions],
        "mean f": [f"{region.mean_log_ratio:+.2f}" for region in regions],
    }
    return [("", *(region.kind for region in regions)), *((name, *cells) for name, cells in rows.items())]


def left_out_rows(left_out: LeftOut) -> list[tuple[str, ...]]:
    """A head, t with all features, and t without each, that without which least is left first."""
    refit = left_out.method == "refit"
    head = ("features", "t", "change", "t without a difference") if refit else ("features", "t of f", "change")
    whole, *others = left_out.rows
    rows: list[tuple[str, ...]] = [head]
    for row in (whole, *sorted(others, key=lambda row: (math.isnan(row.t), row.change))):
        name = "all" if row.feature is None else f"without {row.feature}"
        cells = [name, _number(row.t), "" if row.feature is None else f"{row.change:+.1f}"]
        if refit:
            cells.append(f"{row.null_mean:.1f} +- {row.null_sd:.1f}")
        rows.append(tuple(cells))
    return rows


def event_rows(events: RankedEvents, shown: int = _EVENTS_SHOWN) -> list[tuple[str, ...]]:
    """A head, and the first events with row number, f and features."""
    table = events.columns()
    names = list(table)[: _FEATURES_SHOWN + 2]
    rows = [tuple(names)]
    for number in range(min(shown, len(events))):
        rows.append(tuple(_cell(table[name][number]) for name in names))
    return rows


def _observed(region: Region) -> str:
    weighted = region.observed != region.events
    return f"{region.observed:.4g}" + (f" from {count(region.events, 'event')}" if weighted else "")


def _about_regions(localization: Localization) -> str:
    if not localization.regions:
        return "The fit sees no region with more, or with fewer, events than expected."
    return (
        "The boxes in which the fit sees most too many and most too few events, searched for in the fit and the"
        " reference, not in single events of the data. Observed: the data. Expected: the reference, with its"
        " statistical error. Fitted: what the fit wants there. Mean f: the log of fitted over expected."
    )


def _about_left_out(left_out: LeftOut) -> str:
    if left_out.method == "refit":
        return (
            f"t of kernels on {count(left_out.centers, 'centre')} that do not see one of the features. Compare each t"
            " with what it is without a difference (mean ± standard deviation by the asymptotic null): the feature"
            " without which t comes closest to that carries the difference. Features that tell the same can do without"
            " each other."
        )
    assert left_out.exact is not None
    return (
        "How much of the fitted log-ratio f can be said without one of the features: kernels that do not see it were"
        f" fitted to f (not to the data). f itself amounts to {left_out.exact:.1f}; kernels that see all features"
        " say of that what the first row says. f follows fluctuations too, and in every feature."
    )


def _about_events(events: RankedEvents) -> str:
    listed = "all" if len(events) == events.ranked else f"the first {len(events):,}"
    counted = "in the file of the data, before any cut" if events.of_file else "in the sample that was tested"
    return (
        f"The {events.ranked:,} events of the data in the order of f, the log of fitted over expected density;"
        f" {EVENTS_FILE} beside this page has {listed}. Rows are counted from 0 {counted}. The fit finds these"
        " events the least expected; that some come first means nothing by itself."
    )


def _line(region: Region) -> str:
    return f"{region.kind} ({'solid' if region.kind == 'excess' else 'dashed'})"


def _is_drawn(region: Region, *names: str) -> bool:
    columns = [region.features.index(name) for name in names]
    return bool(np.isfinite(region.box.low[columns]).any() or np.isfinite(region.box.high[columns]).any())


def _number(value: float) -> str:
    return "the fit failed" if math.isnan(value) else f"{value:.1f}"


def _cell(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.4g}"
