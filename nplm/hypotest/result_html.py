"""A result in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.verdict import verdict
from nplm.wording.greek import chi

if TYPE_CHECKING:
    from nplm.hypotest.result import Result


def result_html(result: Result) -> str:
    """Verdict, key numbers and cautions as a small table that takes the notebook's own colours."""
    answer = verdict(result)
    features = ", ".join(escape(f) for f in result.features)
    rows = [(chi(label), chi(escape(value))) for label, value in key_numbers(result).items()]
    rows += [("features", features), *(("caution", escape(text)) for text in cautions(result))]
    cell = "text-align:left;vertical-align:top"
    body = "".join(f'<tr><th style="{cell}">{label}</th><td style="{cell}">{value}</td></tr>' for label, value in rows)
    return f"<div><p><strong>{escape(answer.title)}.</strong> {escape(answer.sentence)}</p><table>{body}</table></div>"
