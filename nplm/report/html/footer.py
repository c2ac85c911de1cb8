"""The end of a page: how to reproduce it, its configuration, time and versions, and what to cite."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nplm._util.citation import PAPERS, Paper
from nplm.report.html.render import render
from nplm.wording.numbers import format_duration

if TYPE_CHECKING:
    from markupsafe import Markup

_METHOD, _SEVERAL, _NUISANCES, _KERNEL = PAPERS
_BY_MODEL: Mapping[str, Paper | str] = {
    "network": _SEVERAL,
    "kernel": _KERNEL,
    "histogram": "The histogram model: S. Baker and R. D. Cousins, Nucl. Instrum. Meth. 221 (1984) 437",
}


def ending(
    configuration: Mapping[str, Any],
    versions: Mapping[str, str],
    *,
    models: Collection[str],
    seconds: Mapping[str, float] | None = None,
    nuisances: bool = False,
    more: Sequence[str] = (),
) -> Markup:
    """The last sections of a report.

    Arguments:
        configuration: its "command", if it has one, gets a section of its own.
        versions: of the packages, by name.
        models: names of the models that were fitted.
        seconds: what each stage took; None if nobody looked at the clock.
        nuisances: whether there were some.
        more: further publications.
    """
    circumstances = [("versions", ", ".join(f"{name} {version}" for name, version in versions.items()))]
    if seconds is not None:
        stages = ", ".join(f"{name} {format_duration(s)}" for name, s in seconds.items() if math.isfinite(s))
        circumstances.insert(0, ("time", f"{format_duration(sum(seconds.values()))} ({stages})"))
    cited: list[Paper | str] = [
        _METHOD,
        *(paper for name, paper in _BY_MODEL.items() if name in models),
        *([_NUISANCES] * nuisances),
    ]
    items = [paper if isinstance(paper, str) else " ".join(paper.plain().split()) for paper in cited]
    software = f"The software: nplm-jax {versions.get('nplm', '')}; nplm --cite prints all as BibTeX"
    command = configuration.get("command")
    return render(
        "ending.html",
        words=[] if command is None else str(command).split(" "),
        settings=[(_words(name), _setting(value)) for name, value in configuration.items() if name != "command"],
        timed=seconds is not None,
        circumstances=circumstances,
        cited=[*items, *more, software],
    )


def _setting(value: Any) -> str:
    """A JSON value for people; exact numbers are in result.json."""
    if value is None or value in ({}, [], ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{_words(name)}: {_setting(v)}" for name, v in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_setting(v)})" if isinstance(v, Mapping) else _setting(v) for v in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
