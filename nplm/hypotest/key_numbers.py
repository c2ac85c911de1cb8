"""The numbers of a result by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nplm.calibration.words import asymptotic_comparison, stands_on
from nplm.nuisance.summary_text import decomposition
from nplm.wording.numbers import (
    INTERVAL,
    count,
    format_duration,
    p_interval_text,
    p_text,
    yields_text,
    z_interval_text,
    z_text,
)

if TYPE_CHECKING:
    from nplm.hypotest.result import Result


def key_numbers(result: Result) -> Mapping[str, str]:
    """What was found and what it stands on, by name, for screen, notebook and report; holds no text from files."""
    rate, shape = result.rate, result.shape
    rows = {} if result.configuration.get("shape_only") else {"yield": _yields(result)}
    of_rate = "" if rate is None else f" ({rate.of_t:.2f} of the yield alone)"
    rows["t"] = "none: the fit failed" if math.isnan(result.t) else f"{result.t:.2f}{of_rate}"
    if not math.isnan(result.t):
        if result.nuisances is not None:
            rows["tau, Delta"] = decomposition(result.nuisances)
        toys = count(result.calibration.toys, "toy")
        limit = result.calibration.limit
        least, largest = (f", the {word} that {toys} can give" if limit else "" for word in ("least", "largest"))
        p_interval = "" if result.p_interval is None else p_interval_text(result.p_interval)
        z_interval = "" if result.z_interval is None else z_interval_text(result.z_interval)
        rows["p-value"] = _with_interval(
            p_text(result.p_value).removeprefix("p ").removeprefix("= "), p_interval, least
        )
        rows["Z"] = _with_interval(z_text(result.z).removeprefix("Z ").removeprefix("= "), z_interval, largest)
        if shape is not None:
            rows["shape"] = f"{p_text(shape.p_value)}, {z_text(shape.z)}, t = {shape.t:.2f}, from {shape.null}"
        elif rate is not None:
            rows["shape"] = "not known apart from the yield: --shape-only tests it"
        rows["stands on"] = stands_on(result.calibration)
        if comparison := asymptotic_comparison(result.calibration, result.p_value):
            rows["asymptotic"] = comparison
    rows["data"] = f"{count(result.n_data, 'event')}, yield {result.observed_yield:,.6g}"
    rows["expected"] = f"{result.expected_yield:,.6g}, from {count(result.n_reference, 'event')} of the reference"
    freedom = result.calibration.degrees_of_freedom
    converged = "converged" if result.converged else "not converged"
    rows["model"] = f"{result.model}, {freedom:.4g} degrees of freedom; fit {converged}{_agreement(result)}"
    rows["time"] = format_duration(sum(result.seconds.values()))
    return rows


def _yields(result: Result) -> str:
    """Observed over expected, and what the yield says on its own."""
    own = "" if result.nuisances is None else "; nuisances may move it"
    if result.rate is not None:
        own = f"; {p_text(result.rate.p_value)} (both sides)"
    return yields_text(result.observed_yield, result.expected_yield) + own


def _agreement(result: Result) -> str:
    """How many of the independent searches found the largest t, and how far below it the others ended."""
    if result.starts == 1:
        return ""
    found = f", found by {result.starts_agreeing} of {result.starts} independent searches"
    return found if result.starts_agreeing == result.starts else f"{found} (lowest t: {result.start_spread:.2f} below)"


def _with_interval(value: str, interval: str, remark: str) -> str:
    return f"{value}{remark} ({INTERVAL}: {interval})" if interval else value
