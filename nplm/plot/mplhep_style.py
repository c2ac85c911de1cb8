"""The look of an experiment, from mplhep, for pictures of the house's own sizes."""

from __future__ import annotations

from typing import Any

# What an experiment prescribes and a picture of any size can follow.
_TAKEN = (
    "font.family",
    "mathtext.",
    "axes.unicode_minus",
    "legend.frameon",
    "xaxis.labellocation",
    "yaxis.labellocation",
)
_TICKS = tuple(f"{axis}tick.{what}" for axis in "xy" for what in ("direction", "top", "right", "left", "bottom"))
_SIDES = tuple(
    f"{axis}tick.{kind}.{what}"
    for axis in "xy"
    for kind in ("major", "minor")
    for what in ("top", "bottom", "left", "right", "visible")
)
# Lengths in points, made for the width of that style's own figures.
_LENGTHS = (
    "axes.linewidth",
    *(f"{axis}tick.{kind}.{what}" for axis in "xy" for kind in ("major", "minor") for what in ("size", "width")),
)
_FALLBACK = "DejaVu Sans"


def mplhep_settings(name: str, width: float) -> dict[str, Any]:
    """Matplotlib's settings for the style of an experiment: fonts, ticks, lines of the axes, places of their labels.

    Fonts keep the house's size and pictures their layout and colours, as these carry meaning; lengths are scaled from
    the width of the style's figures to that of ours. Signs that the font lacks come from matplotlib's own.

    Arguments:
        name: "CMS", "ATLAS", "LHCb2", "ALICE", ...
        width: of our figures in inches.

    Raises:
        ValueError: if mplhep is not installed, or has no such style.
    """
    try:
        import mplhep
    except ImportError as error:
        raise ValueError(
            f"the style '{name}' is one of mplhep, which is not installed; run pip install mplhep, or leave it out"
        ) from error
    # Styles that need LaTeX would read names of features as its commands.
    styles = {
        key: value
        for key, value in vars(mplhep.style).items()
        if isinstance(value, dict) and not key.startswith("_") and not value.get("text.usetex")
    }
    if name not in styles:
        raise ValueError(
            f"there is no style '{name}' without LaTeX in mplhep; choose one of {', '.join(sorted(styles))}"
        )
    given = styles[name]
    wanted = (*_TAKEN, *_TICKS, *_SIDES)
    taken = {key: value for key, value in given.items() if key.startswith(wanted) and key not in _LENGTHS}
    scale = width / float(given.get("figure.figsize", (width,))[0])
    return {
        **taken,
        **{key: scale * float(given[key]) for key in _LENGTHS if key in given},
        "font.family": _fonts(given),
    }


def _fonts(given: dict[str, Any]) -> list[str]:
    """The fonts of a style that this machine has, and matplotlib's own for the signs that they lack."""
    from matplotlib.font_manager import fontManager

    known = {font.name.lower(): font.name for font in fontManager.ttflist}
    family = given.get("font.family", [])
    generic = family if isinstance(family, list) else [family]
    wanted = [name for entry in generic for name in given.get(f"font.{entry}", [entry])]
    return [*(known[name.lower()] for name in wanted if name.lower() in known), _FALLBACK]
