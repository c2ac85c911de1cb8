"""The end of a page: how to reproduce it, its configuration, time and versions, and what to cite."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nplm._util.citation import PAPERS, Paper
from nplm.report.html.parts import bullets, command_block, section, settings, table
from nplm.wording.numbers import format_duration

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
) -> str:
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
    return "".join(
        [
            section("How to reproduce", command_block(configuration.get("command"))),
            section("Configuration", settings(configuration)),
            section("Versions" if seconds is None else "Time and versions", table(circumstances)),
            section("What to cite", bullets([*items, *more, software], "plain")),
        ]
    )
