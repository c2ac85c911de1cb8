"""The folder of a bump hunt: result.json, events.csv, pictures and one page that shows all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nplm.data.sample import Sample
from nplm.hunt.expectation import window_and_expectation
from nplm.hunt.result import HuntResult
from nplm.hunt.result_text import TABLE_HEAD, hunt_numbers, hunt_rows, hunt_verdict
from nplm.localization.ranking import USUAL_TOP, RankedEvents, most_discrepant
from nplm.plot.hunt import plot_hunt_scan, plot_hunt_spectrum, plot_window
from nplm.plot.style import save_figure
from nplm.plot.two_sample_bins import fill_two_samples
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.localization import EVENTS_FILE, event_rows
from nplm.report.pictures import Picture, feature_stem
from nplm.report.two_sample_many import write_json, write_page
from nplm.wording.numbers import count

if TYPE_CHECKING:
    from markupsafe import Markup

_FIRST_NUMBERS = ("p-value", "Z", "others", "spectrum", "leading")
_MOST_FEATURES = 20
_CITED = (
    "Classifier hunts, which ask the same of one part of the events after the other: J. H. Collins, K. Howe and B."
    " Nachman, Phys. Rev. Lett. 121 (2018) 241803, arXiv:1805.02664"
)


def write_hunt(
    folder: Path,
    sample: Sample,
    result: HuntResult,
    content: Mapping[str, Any],
    *,
    top: int = USUAL_TOP,
    rows: Int64[np.ndarray, " n"] | None = None,
) -> Path:
    """Writes result.json, plots, events.csv if the other features lead, and last report.html, each whole or not at all.

    Arguments:
        folder: where to; it must exist.
        sample: the events that were looked at.
        result: of the hunt.
        content: what result.json holds.
        top: events that go into events.csv.
        rows: of the events in their file, if there is a cut.

    Returns:
        The path of report.html.
    """
    write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    found = hunt_verdict(result).level in ("mild", "strong")
    spectrum = Picture(
        save_figure(plot_hunt_spectrum(result, leading=found), plots / "spectrum")[0],
        f"Spectrum of {result.resonance}",
        f"Points: events, with the root of their number as error bars. Step: exp(polynomial of degree"
        f" {result.spectrum.degree}), fitted to all of them. Below: their difference in units of its error bar."
        + " Shaded: the window that leads."
        * found,
    )
    features = _features(plots, sample, result) if result.leads == "features" or not found else []
    scan = Picture(
        save_figure(plot_hunt_scan(result), plots / "scan")[0],
        "p of each window",
        "The p-value of each window by itself: of the other features (the smallest of all kernels), and of the number"
        " of events. Neighbouring windows share events. The p-value of the hunt accounts for all of them.",
    )
    events = None
    if found and result.leads == "features":
        f = result.log_ratio
        events = most_discrepant(sample, f, min(top, int((f > 0).sum())), rows)
        events.write(folder / EVENTS_FILE)
    first, second = (spectrum, scan) if result.leads == "spectrum" or not found else (scan, spectrum)
    page = _page(result, [first] if found else [], [second] if found else [first, second], features, events, content)
    return write_page(folder, page)


def _features(plots: Path, sample: Sample, result: HuntResult) -> list[Picture]:
    """Each feature in the window that leads; that which differs most from the smooth background first."""
    inside, expected = window_and_expectation(result, sample, result.leading_window)
    apart = {name: _apart(inside, expected, name) for name in result.features}
    found: list[Picture] = []
    for name in sorted(result.features, key=lambda name: -apart[name])[:_MOST_FEATURES]:
        stem = feature_stem(1 + result.features.index(name), name)
        path = save_figure(plot_window(inside, expected, name), plots / stem)[0]
        found.append(Picture(path, f"Feature {name}", "" if found else _FEATURE_CAPTION))
    return found


def _apart(inside: Sample, expected: Sample, feature: str) -> float:
    """chi2 of the bins that are drawn, over their number."""
    bins = fill_two_samples(expected, inside, feature, yields=True)
    error = np.hypot((bins.high_b - bins.low_b) / 2, bins.error_a)
    known = (error > 0) & (bins.a > 0)
    return float((((bins.b - bins.a)[known] / error[known]) ** 2).mean()) if known.any() else 0.0


_FEATURE_CAPTION = (
    "Points: the events of the window, each counted as it is near to its centre. Step with band: what the events of all"
    " other windows make one expect there, if the background changes smoothly. Below: their ratio."
)


def _page(
    result: HuntResult,
    leading: Sequence[Picture],
    scans: Sequence[Picture],
    features: Sequence[Picture],
    events: RankedEvents | None,
    content: Mapping[str, Any],
) -> Markup:
    """The page, by its template."""
    verdict = hunt_verdict(result)
    numbers = {name: value for name, value in hunt_numbers(result).items() if name != "time"}
    first = [(name, numbers.pop(name)) for name in _FIRST_NUMBERS]
    low, high = result.windows.ends(result.leading_window)
    where = f"{result.resonance} = {low:.4g} to {high:.4g}"
    agreement = verdict.level == "agreement"
    return render(
        "hunt.html",
        title=f"nplm: {verdict.title}",
        question=f"Is anything localized in {result.resonance}?",
        subject=f"{count(result.events, 'event')}; {result.resonance}, and {count(len(result.features), 'feature')}"
        f" beside it: {', '.join(result.features)}",
        verdict=verdict,
        leading=leading,
        first_numbers=first,
        cautions=result.notes,
        scan=scans,
        windows=[TABLE_HEAD, *hunt_rows(result)],
        features=features,
        features_title="The largest fluctuation" if agreement else "What is there",
        about_features=f"The window {where}, in each of the other features.",
        events=[] if events is None else event_rows(events),
        about_events="Those of the window in which f, the log of the density over the smooth one, is largest. All are"
        f" in {EVENTS_FILE}.",
        numbers=list(numbers.items()),
        ending=ending(
            content["configuration"], result.versions, models=["kernel"], seconds=result.seconds, more=[_CITED]
        ),
        version=result.versions["nplm"],
        files="result.json" if events is None else f"result.json and {EVENTS_FILE}",
    )
