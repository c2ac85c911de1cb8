"""The parts of a report page: sections, tables, lists, pictures; all text in them is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from nplm.report.html.css import CSS
from nplm.report.pictures import Picture

_COLUMNS_ON_A_TELEPHONE = 3


class Marked(str):
    """A cell of a table in the colour of a level, such as those of verdicts."""

    level: str

    def __new__(cls, text: str, level: str) -> Marked:
        cell = super().__new__(cls, text)
        cell.level = level
        return cell


def document(
    title: str, question: str, subject: str, sections: Iterable[str], version: str, files: str = "result.json"
) -> str:
    """A whole page that loads nothing from elsewhere.

    Arguments:
        title: of the window.
        question: the heading.
        subject: what it is about, as HTML.
        sections: as HTML.
        version: of nplm.
        files: beside the page that hold its numbers.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{escape(question)}</h1>
<p>{subject}</p>
</header>
<main>
{"".join(sections)}
</main>
<footer>Written by nplm {escape(version)}. All numbers are in {escape(files)} beside this page.
</footer>
</body>
</html>
"""


def section(title: str, body: str) -> str:
    """A section; empty if its body is."""
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>\n" if body else ""


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """A table of names and values."""
    return f"<table>{table_rows(rows)}</table>\n"


def table_rows(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of such a table."""
    return "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in rows)


def bullets(items: Sequence[str], kind: str) -> str:
    """A list; empty if there are no items."""
    body = "".join(f"<li>{escape(item)}</li>\n" for item in items)
    return f'<ul class="{kind}">{body}</ul>\n' if items else ""


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """A table whose first row is its head.

    On a telephone a table of many columns shows each row as a list, each value after the name of its column, so that
    none is cut off.
    """
    if not rows:
        return ""
    names = rows[0]
    kind = "columns cards" if len(names) > _COLUMNS_ON_A_TELEPHONE else "columns"
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in names)
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>"
        f"{''.join(_cell(name, cell) for name, cell in zip(names[1:], row[1:], strict=True))}</tr>\n"
        for row in rows[1:]
    )
    return f'<div class="scroll"><table class="{kind}"><tr class="head">{head}</tr>\n{body}</table></div>\n'


def _cell(name: str, cell: str) -> str:
    level = f' class="mark {cell.level}"' if isinstance(cell, Marked) else ""
    return f'<td data-label="{escape(name)}"{level}>{escape(cell)}</td>'


def figures(pictures: Sequence[Picture]) -> str:
    """Pictures with titles and captions, embedded."""
    found = []
    for picture in pictures:
        image = base64.b64encode(picture.png.read_bytes()).decode("ascii")
        title = escape(picture.title)
        found.append(
            f'<figure><img src="data:image/png;base64,{image}" alt="{title}">'
            f"<figcaption><strong>{title}</strong>{escape(picture.caption)}</figcaption></figure>\n"
        )
    return f'<div class="pictures">{"".join(found)}</div>\n' if found else ""


def command_block(command: Any) -> str:
    """The command that does the same again; empty for None."""
    if command is None:
        return ""
    # A line may end between words, but not between the dashes and the name of an option.
    words = " ".join(f"<span>{escape(word)}</span>" for word in str(command).split(" "))
    return f"<pre>{words}</pre>\n"


def settings(configuration: Mapping[str, Any]) -> str:
    """The configuration without the command, which has a section of its own."""
    return table((name.replace("_", " "), _setting(v)) for name, v in configuration.items() if name != "command")


def _setting(value: Any) -> str:
    """A JSON value for people; exact numbers are in result.json."""
    if value is None or value in ({}, [], ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name.replace('_', ' ')}: {_setting(v)}" for name, v in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_setting(v)})" if isinstance(v, Mapping) else _setting(v) for v in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
