"""Closure as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm._util.versions import versions
from nplm.report.html.cells import plus_minus, typeset
from nplm.report.html.footer import ending
from nplm.report.html.render import render
from nplm.report.pictures import Picture
from nplm.sensitivity.closure_text import closure_rows, size_text
from nplm.sensitivity.closure_text import verdict as sentences
from nplm.sensitivity.closures import Closure
from nplm.wording.greek import chi
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Verdict

if TYPE_CHECKING:
    from markupsafe import Markup


def closure_page(found: Closure, picture: Picture, subject: str, command: str) -> Markup:
    """The report as HTML; the picture is embedded and nothing is loaded from elsewhere.

    Arguments:
        found: what to show.
        picture: Z against the number of signal events.
        subject: the reference and the signal, in words.
        command: that does the same again.
    """
    now = versions()
    answer = _verdict(found)
    return render(
        "closure.html",
        title=f"nplm: {answer.title.lower()}",
        question="Would the test find this signal, and none where there is none?",
        subject=f"{subject}; {count(found.toys, 'toy')} of each kind",
        verdict=answer,
        picture=picture,
        signals=typeset(_rows(found), plus_minus),
        null=typeset([("size", size_text(found)), ("Z stands on", found.null)], chi),
        ending=ending(
            {**found.configuration, "toys": found.toys, "seed": found.seed, "command": command},
            now,
            models=[found.configuration["model"]["name"]],
            nuisances=found.configuration["nuisances"] is not None,
        ),
        version=now["nplm"],
        files="closure.json",
    )


def _verdict(found: Closure) -> Verdict:
    said = [sentence[:1].upper() + sentence[1:] for sentence in sentences(found)]
    sentence = f"{'. '.join(said)}."
    if not found.closed:
        return Verdict("strong", "Closure fails", sentence)
    if not found.null_check.unanimous:
        return Verdict("mild", "Closure is not refuted", sentence)
    return Verdict("agreement", "Closure holds", sentence)


def _rows(found: Closure) -> list[tuple[str, ...]]:
    """The table, in which each row says what its number is: a telephone shows it without the head."""
    head, *rows = closure_rows(found)
    return [head, *((_events(row[0]), *row[1:]) for row in rows)]


def _events(events: str) -> str:
    """10 events."""
    return f"{events} event{'s' * (events != '1')}"
