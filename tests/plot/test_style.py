"""Styles of experiments: taken from mplhep inside the block, gone after it, and refused by name."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import mplhep
import numpy as np
import pytest

from nplm import NPLMTest, Sample
from nplm.plot import plot_style
from nplm.plot.marginal import plot_marginal
from nplm.plot.mplhep_style import mplhep_settings
from nplm.plot.style import WIDTH, house_style, new_figure, save_figure

STYLES = ["CMS", "ATLAS", "LHCb1", "LHCb2", "ALICE", "ROOT", "DUNE", "fira"]


@pytest.mark.parametrize("name", STYLES)
def test_inside_the_block_pictures_have_the_style(name: str) -> None:
    before = dict(matplotlib.rcParams)
    given = getattr(mplhep.style, name)
    with plot_style(name), house_style():
        for key in ("xtick.direction", "xtick.top", "ytick.right", "xtick.minor.visible", "xaxis.labellocation"):
            if key in given:
                assert matplotlib.rcParams[key] == given[key]
        if "axes.linewidth" in given and "figure.figsize" in given:
            expected = given["axes.linewidth"] * WIDTH / given["figure.figsize"][0]
            assert matplotlib.rcParams["axes.linewidth"] == pytest.approx(expected)
        # Sizes of letters stay, as the layout is made for them.
        assert matplotlib.rcParams["font.size"] == 10.5
        assert matplotlib.rcParams["font.family"][-1] == "DejaVu Sans"
        assert not matplotlib.rcParams["text.usetex"]
    assert dict(matplotlib.rcParams) == before
    with house_style():
        assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"]


def test_cms_has_its_letters_and_places() -> None:
    settings = mplhep_settings("CMS", 5.0)
    assert settings["font.family"][0] == "TeX Gyre Heros"
    assert settings["xaxis.labellocation"] == "right"
    assert settings["xtick.major.size"] == 6  # of 12 in figures of 10 inches
    with plot_style("CMS"), house_style():
        axes = new_figure(3.0).subplots()
        axes.set_xlabel("x")
        assert axes.xaxis.label.get_ha() == "right"
    with house_style():
        axes = new_figure(3.0).subplots()
        axes.set_xlabel("x")
        assert axes.xaxis.label.get_ha() == "center"


@pytest.mark.parametrize("name", ["CMS", "ATLAS", "LHCb2"])
def test_saved_pictures_differ_and_stay_in_the_frame(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    reference = Sample(rng.exponential(size=4000), np.full(4000, 0.1), ("$m_x$ ≥ χ²",), "reference")
    data = Sample(rng.exponential(size=400), features=reference.features, name="data")
    test = NPLMTest(reference, "histogram")
    result = test.run(data, 0)

    def draw() -> bytes:
        figure = plot_marginal(test, data, result, reference.features[0])
        path = save_figure(figure, tmp_path / "plot")[0]
        width, height = figure.get_size_inches() * figure.dpi
        for axes in figure.axes:
            box = axes.get_tightbbox()
            assert box is not None
            assert box.x0 >= -1
            assert box.x1 <= width + 1
            assert box.y0 >= -1
            assert box.y1 <= height + 1
        return path.read_bytes()

    plain = draw()
    with plot_style(name):
        assert draw() != plain
    assert draw() == plain


def test_unknown_styles_are_named() -> None:
    with (
        pytest.raises(ValueError, match=r"no style 'CDF' without LaTeX in mplhep; choose one of ALICE, ATLAS,.*CMS"),
        plot_style("CDF"),
    ):
        pass
    with pytest.raises(ValueError, match="'CMSTex' without LaTeX"):
        mplhep_settings("CMSTex", 5.0)
    with plot_style(None), house_style():
        assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"]


def test_without_mplhep_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mplhep", None)
    with pytest.raises(ValueError, match="'CMS' is one of mplhep, which is not installed; run pip install mplhep"):
        mplhep_settings("CMS", 5.0)
