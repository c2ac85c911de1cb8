"""Fonts of PDF files are cut down to their letters once for all pictures that have the same ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from matplotlib.backends import _backend_pdf_ps

Glyphs = Any  # of matplotlib, and not the same in all its versions
Subset = Callable[[str, Glyphs], AbstractContextManager[Any]]


def remember_fonts(patch: pytest.MonkeyPatch) -> None:
    """A file has the same bytes as without; to cut fonts down takes a quarter of the time of a run with pictures."""
    if not hasattr(_backend_pdf_ps, "font_as_file"):
        # Matplotlib before 3.10 has fonts that are not kept once they are closed.
        return
    original: Subset = _backend_pdf_ps.get_glyphs_subset
    to_file = _backend_pdf_ps.font_as_file
    subsets: dict[tuple[str, int, frozenset[Any]], Any] = {}
    files: dict[Any, bytes] = {}

    @contextmanager
    def get_glyphs_subset(fontfile: str, glyphs: Glyphs) -> Iterator[Any]:
        key = (str(fontfile), getattr(fontfile, "face_index", 0), frozenset(glyphs))
        if key in subsets:
            yield subsets[key]
            return
        with original(fontfile, glyphs) as subset:
            yield subset
        subsets[key] = subset

    def font_as_file(font: Any) -> io.BytesIO:
        # Within the context the first time, as the font is closed at its end.
        if font not in files:
            files[font] = to_file(font).getvalue()
        return io.BytesIO(files[font])

    patch.setattr(_backend_pdf_ps, "get_glyphs_subset", get_glyphs_subset)
    patch.setattr(_backend_pdf_ps, "font_as_file", font_as_file)
