"""What tuning found, in words, as a Markdown table and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nplm._util.json_values import json_value
from nplm.toys.ensemble_text import comparison_rows
from nplm.tuning.result import Tuned, largest_chi2
from nplm.wording.durations import format_seconds
from nplm.wording.markdown import markdown_table
from nplm.wording.numbers import check_words
from nplm.wording.tables import aligned


def tune_text(results: Sequence[Tuned]) -> str:
    """A statement for each network with the scan behind it, and which network to take."""
    lines = []
    for result in results:
        lines += [f"{name(result)}: {result.statement()}", *_scan_lines(result), ""]
    return "\n".join([*lines, choice(results)])


def choice(results: Sequence[Tuned]) -> str:
    """Which network to take: the largest whose t is a chi2."""
    best = largest_chi2(results)
    if best is None:
        return "none of these networks has a t that is a chi2: calibrate with toys, or try smaller networks"
    taken = f"take --hidden {_hidden(best)} --clip {best.clip:.3g}{'' if best.clip_biases else ' --no-clip-biases'}"
    answer = _answer(best)
    return taken if answer == "yes" else f"{taken}, whose chi2 is {answer}: more toys would tell"


def tune_markdown(results: Sequence[Tuned]) -> str:
    """A table with a row for each network."""
    head = ["network", "chi2 sought", "clip", "68% interval", "toys", "mean t at clip", "p of the shape", "is chi2"]
    rows = []
    for result in results:
        check = result.check
        error = 0.0 if check is None or check.mean_error is None else check.mean_error
        rows.append(
            [
                name(result),
                str(result.degrees_of_freedom),
                "none" if result.clip is None else f"{result.clip:.3g}",
                interval_text(result),
                "" if result.path is None else str(len(result.path.t)),
                "" if check is None else f"{check.mean:.2f} +- {error:.2f}",
                "" if check is None or check.fitted is None else f"{check.fitted.p_value:.2g}",
                _answer(result),
            ]
        )
    return markdown_table(head, rows)


def _answer(result: Tuned) -> str:
    """Whether t is a chi2, in a word or two."""
    if not result.is_chi2 or result.check is None or result.check.fitted is None:
        return "no"
    words = check_words(result.check.fitted)
    return "yes" if words == "accepted" else words


def tune_dict(results: Sequence[Tuned]) -> dict[str, Any]:
    """What was found as JSON values."""
    best = largest_chi2(results)
    chosen = None if best is None else {"hidden": best.hidden, "clip": best.clip, "clip_biases": best.clip_biases}
    document: dict[str, Any] = json_value(
        {
            "schema": "nplm-tune/1",
            "chosen": chosen,
            "networks": [_network_dict(result) for result in results],
        }
    )
    return document


def name(result: Tuned) -> str:
    """The network by its layers: 4 or 5x5 neurons."""
    return f"network {_hidden(result)}"


def _hidden(result: Tuned) -> str:
    return "x".join(map(str, result.hidden))


def interval_text(result: Tuned) -> str:
    """The 68% interval of the clip: 6.1 to 8.3; an end beyond the scan is open."""
    if result.interval is None:
        return ""
    low, high = result.interval
    if np.isinf(high):
        return f"above {low:.3g}" if low > 0 else "open on both sides"
    return f"{low:.3g} to {high:.3g}" if low > 0 else f"below {high:.3g}"


def _scan_lines(result: Tuned) -> list[str]:
    if result.path is None:
        return [f"  clip {step.clip:<7.4g} mean t {step.mean:.2f} ({step.toys} toys)" for step in result.walk]
    lines = [
        f"  clip {clip:<7.4g} mean t {mean:.2f} +- {error:.2f}"
        for clip, mean, error in zip(result.path.clips, result.path.mean, result.path.mean_error, strict=True)
    ]
    if result.clip is not None:
        controls = result.path.controls
        control = f", controlled by kernel fits of {controls.toys:,} toys" if controls else ""
        lines.append(f"  68% interval of the clip: {interval_text(result)}, from {len(result.path.t)} toys{control}")
        lines.append(
            f"  fits at the clip: the search misses the best t known in {100 * result.missed:.0f}% of toys, which"
            f" lowers mean t by {result.shortfall:.2f}; two or more searches agree in {100 * result.agreeing:.0f}%"
        )
    if result.check is not None and result.check_t is not None:
        lines += aligned(comparison_rows(result.check_t, None, result.check))
    return [*lines, f"  time {format_seconds(result.seconds)}"]


def _network_dict(result: Tuned) -> dict[str, Any]:
    path = result.path
    scan = None
    if path is not None:
        scan = {"clips": path.clips, "mean": path.mean, "mean_error": path.mean_error, "corrected": path.corrected}
        scan["control_toys"] = path.controls.toys if path.controls else 0
    return {
        "hidden": result.hidden,
        "degrees_of_freedom": result.degrees_of_freedom,
        "clip": result.clip,
        "interval": result.interval,
        "is_chi2": result.is_chi2,
        "statement": result.statement(),
        "toys": 0 if path is None else len(path.t),
        "failed": 0 if result.check is None else result.check.failed,
        "walk": [vars(step) for step in result.walk],
        "scan": scan,
        "missed": result.missed,
        "shortfall": result.shortfall,
        "agreeing": result.agreeing,
        "check": None if result.check is None else result.check.to_dict(),
        "seconds": result.seconds,
    }
