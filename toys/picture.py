"""Puts plots side by side: `python -m toys.picture TARGET.png LEFT.png RIGHT.png`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave


def side_by_side(plots: Sequence[Path], target: Path) -> None:
    """Writes one PNG with the plots next to each other, aligned at the top, on white.

    Arguments:
        plots: PNG files, from left to right.
        target: the file to write; its folder is made if it does not exist.
    """
    images = [imread(plot) for plot in plots]
    height = max(len(image) for image in images)
    padded = [np.pad(i, ((0, height - len(i)), (0, 0), (0, 0)), constant_values=1.0) for i in images]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Without the name of the software the same plots give the same bytes.
    imsave(target, np.concatenate(padded, axis=1), metadata={"Software": None})  # type: ignore[dict-item]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m toys.picture", description="Put PNG files side by side.")
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("plots", type=Path, nargs="+", help="the plots, from left to right")
    options = parser.parse_args()
    side_by_side(options.plots, options.target)


if __name__ == "__main__":
    main()
