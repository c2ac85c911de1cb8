"""A result in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nplm.hypotest.result_html import result_html
from tests.report.html_page import Page


def test_notebook_block_is_escaped(run: Callable[..., Any]) -> None:
    result = run(features=("<script>alert(1)</script>",)).result
    block = result._repr_html_()
    assert block == result_html(result)
    page = Page(block)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text
