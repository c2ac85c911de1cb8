"""Closure as a page."""

from __future__ import annotations

from html import escape

from nplm._util.versions import versions
from nplm.report.html.footer import ending
from nplm.report.html.parts import bullets, columns, document, figures, section, table
from nplm.report.pictures import Picture
from nplm.sensitivity.closure import Closure
from nplm.sensitivity.closure_text import closure_rows, size_text, verdict
from nplm.wording.greek import chi
from nplm.wording.numbers import count


def closure_page(found: Closure, picture: Picture, subject: str, command: str) -> str:
    """The report as HTML; the picture is embedded and nothing is loaded from elsewhere.

    Arguments:
        found: what to show.
        picture: Z against the number of signal events.
        subject: the reference and the signal, in words.
        command: that does the same again.
    """
    title, level = "Closure fails", "strong"
    if found.closed:
        sure = found.null_check.unanimous
        title, level = ("Closure holds", "agreement") if sure else ("Closure is not refuted", "mild")
    said = [sentence[:1].upper() + sentence[1:] for sentence in verdict(found)]
    now = versions()
    sections = [
        f'<p class="verdict {level}"><strong>{title}</strong> {escape(". ".join(said))}.</p>',
        f'<div class="leading">{figures([picture])}</div>\n',
        section("Signals", columns(_rows(found)).replace(" +- ", " ± ") + bullets(_MEANING, "plain")),
        section("Without a signal", chi(table([("size", size_text(found)), ("Z stands on", found.null)]))),
        ending(
            {**found.configuration, "toys": found.toys, "seed": found.seed, "command": command},
            now,
            models=[found.configuration["model"]["name"]],
            nuisances=found.configuration["nuisances"] is not None,
        ),
    ]
    heading = "Would the test find this signal, and none where there is none?"
    subject = f"{escape(subject)}; {count(found.toys, 'toy')} of each kind"
    return document(f"nplm: {title.lower()}", heading, subject, sections, now["nplm"], "closure.json")


def _rows(found: Closure) -> list[tuple[str, ...]]:
    """The table, in which each row says what its number is: a telephone shows it without the head."""
    head, *rows = closure_rows(found)
    return [head, *((_events(row[0]), *row[1:]) for row in rows)]


def _events(events: str) -> str:
    """10 events."""
    return f"{events} event{'s' * (events != '1')}"


_MEANING = (
    "median Z, 68% of toys: of toys with signal events drawn from the file.",
    "technical Z: of the expectation without fluctuations, t of which comes on top of the mean of t without a signal.",
    "closed form: median Z that a kernel model should find, by a formula.",
    "best test: the most powerful one, which knows the signal; a classifier learns it from half of the events.",
)
