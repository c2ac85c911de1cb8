"""Fonts that are remembered (tests/fonts.py) change no byte of a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from nplm.plot.style import new_figure, save_figure
from tests.fonts import remember_fonts


def pdf(folder: Path, label: str) -> bytes:
    figure = new_figure(3.0)
    figure.subplots().set_xlabel(label)
    return save_figure(figure, folder / "a")[1].read_bytes()


def test_pictures_have_the_bytes_of_those_without(
    tmp_path: Path, fresh_fonts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ("$m_x$ ≥ χ²", "pt", "$m_x$ ≥ χ²")
    fresh = [pdf(tmp_path, label) for label in labels]
    remember_fonts(monkeypatch)
    assert [pdf(tmp_path, label) for label in labels] == fresh
    assert fresh[0] == fresh[2] != fresh[1]
