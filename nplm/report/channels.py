"""The folders of many results: result.json, pictures and one page, of regions, combinations and explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from nplm.channels.combination_result import CombinationResult
from nplm.channels.combination_text import (
    ANALYSES_HEAD,
    EXCLUDED_HEAD,
    analysis_rows,
    combination_numbers,
    combination_verdict,
    excluded_rows,
)
from nplm.channels.combine_result import CombinedResult
from nplm.channels.combine_text import CHANNELS_HEAD, channel_rows, combined_numbers, combined_verdict
from nplm.channels.explain_result import ExplainResult
from nplm.channels.explain_text import (
    REGIONS_HEAD,
    WALKS_HEAD,
    explain_numbers,
    explain_rows,
    explain_verdict,
    walk_rows,
)
from nplm.channels.extremes import Extreme, on_their_side
from nplm.channels.regions_result import RegionsResult
from nplm.channels.regions_text import (
    EXTREMES_HEAD,
    FACTORS_HEAD,
    FITS_HEAD,
    HISTOGRAM_HEAD,
    LIMITS_HEAD,
    extreme_rows,
    factor_rows,
    fit_rows,
    histogram_rows,
    limit_rows,
    regions_numbers,
    regions_verdict,
)
from nplm.plot.channels import (
    plot_combined,
    plot_error_factors,
    plot_explained,
    plot_extremes,
    plot_fake_tables,
    plot_graph,
    plot_p_histogram,
)
from nplm.plot.style import save_figure
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.pictures import Picture
from nplm.report.two_sample_many import write_json, write_page
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Verdict

if TYPE_CHECKING:
    from markupsafe import Markup

_K = (
    "The statistic K and maximal sets of analyses: W. Waltenberger, A. Lessa and S. Kraml, J. High Energy Phys. 03"
    " (2021) 207, arXiv:2012.12246"
)

_FITS = (
    "Full likelihoods, fitted without a signal: 2 log of the likelihood of what was observed over that of the fit, its"
    " p-value as a chi2, and counted from counts and auxiliary data drawn from the fit."
)
_LIMITS = "By the full likelihood of each workspace: CLs of q~, asymptotic."


@dataclass(frozen=True)
class _Part:
    """A section of a page.

    Arguments:
        title, about: its heading, and a sentence.
        pictures: that it shows.
        rows: of its table, the head first.
    """

    title: str
    about: str
    pictures: Sequence[Picture] = ()
    rows: Sequence[tuple[str, ...]] = ()


def write_regions(folder: Path, result: RegionsResult, content: Mapping[str, Any]) -> Path:
    """Writes result.json, pictures, and last report.html, and returns its path."""
    draw = _drawing(folder, content)
    histogram = draw(
        "p-values",
        lambda: plot_p_histogram(result.histogram),
        "p-values of all regions",
        "Points: regions in each bin of P(N >= n), with the root of what is expected as error bars. Lines: what is"
        " expected exactly, with counts that are discrete, if the errors of the table are right, too large, or too"
        " small. The last bin is higher than the others as regions that expect little mostly have no event:"
        " p = 1.",
    )
    mid = draw(
        "mid-p",
        lambda: plot_p_histogram(result.mid_histogram),
        "mid-p of all regions",
        "The same with half of the probability of the observed count, which is uniform on average if errors are right.",
    )
    ranking = draw(
        "extremes",
        lambda: plot_extremes(result),
        "What stands out",
        "Bars: Z of a region by itself. Diamonds: Z of the chance that some of all regions is as extreme, zero where"
        " that chance is more than a half.",
    )
    factors = draw(
        "factors",
        lambda: plot_error_factors(result),
        "Factor of the errors",
        "Which factor makes the counts most likely, with the interval of half a unit of log-likelihood, and the number"
        " of regions. Band: all regions, if those of an analysis may share anything.",
    )
    verdict = regions_verdict(result)
    agreement = verdict.level == "agreement"
    parts = [
        _side("What stands out", "more", result.extremes, [ranking] if agreement else []),
        _side("Deficits", "fewer", result.deficits),
        _Part(
            "Are the errors right?",
            "",
            [mid] if agreement else [histogram, mid],
            [HISTOGRAM_HEAD, *histogram_rows(result.histogram)],
        ),
        _Part("Factors of the errors", "", [factors], [FACTORS_HEAD, *factor_rows(result.factors)]),
    ]
    if result.fits:
        parts.append(_Part("All bins of a workspace together", _FITS, [], [FITS_HEAD, *fit_rows(result)]))
    if limits := limit_rows(result):
        parts.append(_Part("Upper limits on templates", _LIMITS, [], [LIMITS_HEAD, *limits]))
    return write_page(
        folder,
        _page(
            result,
            content,
            verdict,
            regions_numbers(result),
            ("p-value", "Z", "deficit", "errors", "regions", "counts"),
            question="Do counting regions agree with what is expected?",
            subject=f"{result.table.name}: {count(len(result.table), 'region')}",
            leading=[histogram if agreement else ranking],
            parts=parts,
        ),
    )


def write_combined(folder: Path, result: CombinedResult, content: Mapping[str, Any]) -> Path:
    """Writes result.json, the picture, and last report.html, and returns its path."""
    ranking = _drawing(folder, content)(
        "channels",
        lambda: plot_combined(result),
        "Channels",
        "Bars: Z of each channel by itself, and of all together. Diamonds: Z after the correction for the number of"
        " channels, zero where p is more than a half.",
    )
    return write_page(
        folder,
        _page(
            result,
            content,
            combined_verdict(result),
            combined_numbers(result),
            ("p-value", "Z", "leads", "shared"),
            question="What do these results say together?",
            subject=", ".join(channel.name for channel in result.channels),
            leading=[ranking],
            parts=[_Part("Channels", "", [], [CHANNELS_HEAD, *channel_rows(result)])],
        ),
    )


def _side(title: str, than: str, found: Sequence[Extreme], pictures: Sequence[Picture] = ()) -> _Part:
    """The table of excesses or deficits, or that there are none."""
    rows = extreme_rows(on_their_side(found))
    if not rows:
        return _Part(title, f"No region has {than} events than half of all tables would have there.", pictures)
    return _Part(title, "", pictures, [EXTREMES_HEAD, *rows])


def write_combination(folder: Path, result: CombinationResult, content: Mapping[str, Any]) -> Path:
    """Writes result.json, the picture, and last report.html, and returns its path."""
    graph = _drawing(folder, content)(
        "graph",
        lambda: plot_graph(result),
        "Which analyses may be combined",
        "Light: the analyses of row and column may be combined. Dark: both are in the best combination, whose analyses"
        " are in bold. White: they may not be combined.",
    )
    parts = [_Part("Analyses", "", [], [ANALYSES_HEAD, *analysis_rows(result)])]
    if excluded := excluded_rows(result):
        parts.append(_Part("What may not be combined, and why", "", [], [EXCLUDED_HEAD, *excluded]))
    return write_page(
        folder,
        _page(
            result,
            content,
            combination_verdict(result),
            combination_numbers(result),
            ("best", "rule", "pairs", "sets"),
            question="Which analyses may be combined?",
            subject=f"{result.table}: {count(len(result.graph.names), 'analysis', 'analyses')}",
            leading=[graph],
            parts=parts,
        ),
    )


def write_explained(folder: Path, result: ExplainResult, content: Mapping[str, Any]) -> Path:
    """Writes result.json, pictures, and last report.html, and returns its path."""
    draw = _drawing(folder, content)
    regions = []
    if result.explanation:
        regions.append(
            draw(
                "regions",
                lambda: plot_explained(result),
                "Where the signal is",
                "Bars: what was observed beyond the background, over the root of background and error squared."
                " Diamonds:"
                " the signal of the best set in the same unit.",
            )
        )
    fakes = []
    if len(result.null):
        fakes.append(
            draw(
                "fake-tables",
                lambda: plot_fake_tables(result),
                "K by chance",
                "The largest K that the same walks find on tables that were drawn from the background alone.",
            )
        )
    parts = [
        _Part("Regions", "", [], [REGIONS_HEAD, *explain_rows(result)] if regions else []),
        _Part("By chance", "", fakes),
        _Part("Walks", "What each walker found.", [], [WALKS_HEAD, *walk_rows(result)]),
    ]
    return write_page(
        folder,
        _page(
            result,
            content,
            explain_verdict(result),
            explain_numbers(result),
            ("p-value", "Z", "K", "strengths", "analyses"),
            question="What may the excess be?",
            subject=f"{result.table.name}: {count(len(result.table), 'region')}; "
            f"{count(len(result.templates.names), 'template')}",
            leading=regions,
            parts=parts,
            more=[_K],
        ),
    )


def _drawing(folder: Path, content: Mapping[str, Any]) -> Callable[[str, Callable[[], Figure], str, str], Picture]:
    """Writes result.json first; then what draws a picture into the folder of plots."""
    write_json(folder, content)
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    return lambda stem, draw, title, caption: Picture(save_figure(draw(), plots / stem)[0], title, caption)


def _page(
    result: RegionsResult | CombinedResult | ExplainResult | CombinationResult,
    content: Mapping[str, Any],
    verdict: Verdict,
    numbers: Mapping[str, str],
    first: Sequence[str],
    *,
    question: str,
    subject: str,
    leading: Sequence[Picture],
    parts: Sequence[_Part],
    more: Sequence[str] = (),
) -> Markup:
    rest = {name: value for name, value in numbers.items() if name != "time" and name not in first}
    return render(
        "channels.html",
        title=f"nplm: {verdict.title}",
        question=question,
        subject=subject,
        verdict=verdict,
        leading=leading,
        first_numbers=[(name, numbers[name]) for name in first],
        cautions=result.notes,
        parts=parts,
        numbers=list(rest.items()),
        ending=ending(content["configuration"], result.versions, models=[], seconds=result.seconds, more=more),
        version=result.versions["nplm"],
        files="result.json",
    )
