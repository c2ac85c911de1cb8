"""The page of a monitor, which renews itself: what is wrong now, the history in pictures, and what limits mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nplm._util.files import atomic_path
from nplm._util.versions import versions
from nplm.monitor.headline import LEVELS, headline, message_of, state_of, wants_a_look
from nplm.monitor.monitor import Monitor
from nplm.monitor.picture import draw_distribution, draw_history
from nplm.monitor.pvalues import LEAST_PVALUES, PValueDistribution, pvalue_distribution
from nplm.monitor.verdict import Verdict
from nplm.plot.style import save_figure
from nplm.report.html.cells import Marked
from nplm.report.html.render import render
from nplm.report.pictures import Picture

PAGE = "monitor.html"
# Windows in the pictures, and rows of the table.
SHOWN_WINDOWS, _ROWS = 500, 20
_DRIFT_CAPTION = (
    " Below: the cumulative sums of Z less half of the shift that they are made for; they rise while small differences"
    " last, and begin anew after an alarm at their limit (dashed)."
)
_FACTOR_CAPTION = " Orange: what they would be if all errors were off by the factor that fits best."


def write_page(folder: Path, monitor: Monitor, verdicts: Sequence[Verdict], refresh: float | None) -> Path:
    """Writes monitor.html, whole or not at all; the pictures are in it, and beside it in plots/.

    Arguments:
        folder: of the monitor.
        monitor: whose limits are shown.
        verdicts: the last ones.
        refresh: seconds after which a browser loads the page again; None for never.
    """
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    pictures = _pictures(plots, monitor, verdicts)
    limit = monitor.limits.of_chart(monitor.tests)
    first = headline(verdicts, limit)
    reference = monitor.reference
    features = ", ".join(reference.features)
    last = verdicts[-1].time if verdicts else "nothing yet"
    text = render(
        "monitor.html",
        refresh=None if refresh is None else max(1, round(refresh)),
        title=f"nplm monitor: {first.title}",
        question="Do the windows agree with the reference?",
        subject=f"{reference.name} ({len(reference):,} events), in {features}; last window: {last}",
        headline=first,
        last=_now(verdicts, limit),
        reported=[v for v in reversed(verdicts) if v.report],
        pictures=pictures,
        wanting=_table(_wanting(verdicts, limit), limit),
        windows=_table(verdicts, limit),
        limits=limit_rows(monitor),
        uniformity=_uniformity(monitor, verdicts),
        version=versions().get("nplm", ""),
    )
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / PAGE


def _now(verdicts: Sequence[Verdict], limit: float) -> dict[str, str] | None:
    """The last window, which a shifter looks at now; None before the first."""
    if not verdicts:
        return None
    last = verdicts[-1]
    sentence = f"Window {last.row} ({last.source}): {message_of(last, limit)}."
    return {"level": LEVELS[state_of(last, limit)], "sentence": sentence}


def _wanting(verdicts: Sequence[Verdict], limit: float) -> list[Verdict]:
    """Windows that do not simply agree."""
    return [v for v in verdicts if wants_a_look(v, limit)]


def _pictures(folder: Path, monitor: Monitor, verdicts: Sequence[Verdict]) -> list[Picture]:
    if not verdicts:
        return []
    alpha = monitor.limits.of_chart(monitor.tests)
    drifts = drift_limits(monitor, verdicts[-1].events)
    drawn = draw_history(verdicts, alpha, drifts, monitor.stride > 1)
    caption = "The p-value of each window, with the limit below which it is an alarm (p below 1e-12: drawn there)."
    if drifts:
        caption = f"Above: {caption[0].lower()}{caption[1:]}{_DRIFT_CAPTION}"
    pictures = [
        Picture(
            save_figure(drawn, folder / "history")[0],
            f"The last {len(verdicts)} windows",
            caption,
        )
    ]
    for test in ("shape", "rate"):
        p, found = distribution(monitor, verdicts, test)
        if found is not None:
            pictures.append(
                Picture(
                    save_figure(draw_distribution(p, found, test), folder / f"p-values-{test}")[0],
                    f"p-values of the {test}",
                    f"{found.sentence} Line with band: uniform, as where nothing is wrong."
                    + _FACTOR_CAPTION * found.tells_factor,
                )
            )
    return pictures


def drift_limits(monitor: Monitor, events: int) -> dict[str, float]:
    """h of the drift charts that are kept."""
    found = {}
    for test in ("shape", "rate")[: monitor.tests] if monitor.limits.drift else ():
        try:
            found[test] = monitor.drift_limit(test, events)
        except ValueError:  # said in each verdict
            continue
    return found


def distribution(
    monitor: Monitor, verdicts: Sequence[Verdict], test: str
) -> tuple[list[float], PValueDistribution | None]:
    """The p-values of windows that have no event in common, and their distribution if they are enough."""
    apart = [v for v in verdicts if v.of_window][:: monitor.stride]
    p = [value for v in apart if (value := getattr(v, f"p_{test}")) is not None]
    if len(p) < LEAST_PVALUES:
        return p, None
    k = 1.0
    if test == "shape":
        windows = [v for v in apart if v.t_mean is not None and v.t_sd]
        k = 2 * (windows[-1].t_mean / windows[-1].t_sd) ** 2  # type: ignore[operator]
    return p, pvalue_distribution(p, k)


def limit_rows(monitor: Monitor) -> list[tuple[str, str]]:
    """What the limits are, and how many false alarms they give."""
    limits, tests, stride = monitor.limits, monitor.tests, monitor.stride
    of_chart = limits.of_chart(tests)
    charts = tests * (2 if limits.drift else 1)
    rows = [
        ("false alarms", f"{limits.alpha:.3g} a window, of {charts} {'charts' if charts > 1 else 'chart'} together")
    ]
    if limits.windows_per_day is not None:
        day = limits.alpha * limits.windows_per_day
        rows.append(("false alarms a day", f"{day:.3g} in {limits.windows_per_day:g} windows"))
    rows.append(("limit of a window", f"p at most {of_chart:.3g}, in each chart"))
    if stride > 1:
        rows.append(
            (
                "overlapping windows",
                f"the number of alarming windows is as stated, but they come together, so that episodes are fewer;"
                f" drift charts take every {stride}th window",
            )
        )
    if monitor.window is None:
        return rows
    shared = monitor.shape.shared_fluctuation(monitor.window)
    low, high = limits.alarm_range(tests, shared)
    rows.append(
        (
            "the reference's share",
            f"{shared:.2g} of the variance of Z is the reference's own fluctuation, the same in all windows: on average"
            f" over references false alarms are as stated, and of the shape's limit they are {low:.2g} to {high:.2g} a"
            " window in 90% of them",
        )
    )
    if limits.drift:
        delays = ", ".join(f"{limits.delay(tests, stride, shared, z):.1f} for {z:g}" for z in (0.5, 1.0, 2.0))
        rows += [
            (
                "drift chart",
                f"sum of Z - {limits.shift / 2:g}, limit {monitor.drift_limit('shape', monitor.window):.2f}",
            ),
            ("windows until it sees a shift of Z", delays),
        ]
    return rows


def _uniformity(monitor: Monitor, verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    rows = []
    for test in ("shape", "rate")[: monitor.tests]:
        p, found = distribution(monitor, verdicts, test)
        few = f"{len(p)} p-values are too few to say"
        rows.append((test, few if found is None else found.sentence))
    return rows


def _table(verdicts: Sequence[Verdict], limit: float) -> list[tuple[str, ...]]:
    if not verdicts:
        return []
    head = ("window", "status", "source", "p of shape", "p of rate", "verdict")
    rows = []
    for v in reversed(verdicts[-_ROWS:]):
        state = state_of(v, limit)
        rows.append(
            (
                str(v.row),
                Marked(state, LEVELS[state]),
                f"{v.source}, {v.time[:19].replace('T', ' ')}",
                "" if v.p_shape is None else f"{v.p_shape:.3g}",
                "" if v.p_rate is None else f"{v.p_rate:.3g}",
                message_of(v, limit),
            )
        )
    table: list[tuple[str, ...]] = [head, *rows]
    rated = any(v.p_rate is not None for v in verdicts)
    return table if rated else [(*row[:4], *row[5:]) for row in table]
