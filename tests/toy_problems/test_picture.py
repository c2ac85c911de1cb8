"""The picture of the README: plots side by side, the same bytes for the same plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave

from toys.picture import side_by_side


def test_plots_stand_side_by_side_on_white(tmp_path: Path) -> None:
    left, right = tmp_path / "left.png", tmp_path / "right.png"
    imsave(left, np.zeros((6, 4, 3)))
    imsave(right, np.zeros((3, 5, 3)))
    target = tmp_path / "deep" / "both.png"
    side_by_side([left, right], target)
    expected = np.zeros((6, 9, 4))
    expected[..., 3] = 1
    expected[3:, 4:] = 1
    np.testing.assert_array_equal(imread(target), expected)
    before = target.read_bytes()
    side_by_side([left, right], target)
    assert target.read_bytes() == before
