"""A histogram that is given as a sample is refused, whoever made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boost_histogram
import hist
import numpy as np
import pytest
import uproot

from nplm import HistogramModel, NPLMTest, Sample, as_sample

X = np.random.default_rng(2).exponential(size=500)


def _of_hist() -> Any:
    return hist.Hist(hist.axis.Regular(10, 0, 5), data=np.histogram(X, 10, (0, 5))[0])


def _of_boost() -> Any:
    found = boost_histogram.Histogram(boost_histogram.axis.Regular(10, 0, 5), boost_histogram.axis.Regular(3, 0, 5))
    return found.fill(X, X)


@pytest.fixture
def of_root(tmp_path: Path) -> Any:
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram(X, 10)
    with uproot.open(tmp_path / "h.root") as file:
        return file["h"]


@pytest.mark.parametrize("make", [_of_hist, _of_boost, lambda: np.histogram(X, 10)], ids=["hist", "boost", "numpy"])
def test_a_histogram_is_no_sample(make: Callable[[], Any]) -> None:
    _refused(make())


def test_a_histogram_of_root_is_no_sample(of_root: Any) -> None:
    _refused(of_root)


def _refused(histogram: Any) -> None:
    message = r"is a histogram, and its counts are no events: give the events .* numpy\.repeat\(centers, counts\)"
    with pytest.raises(ValueError, match=f"^mc {message}"):
        Sample(histogram, name="mc")
    with pytest.raises(ValueError, match=f"^mc {message}"):
        as_sample(histogram, name="mc")
    with pytest.raises(ValueError, match=f"^data {message}"):
        NPLMTest(X, HistogramModel(3)).run(histogram, toys=0)


def test_two_columns_are_no_histogram() -> None:
    assert len(Sample((np.array([1.0, 2.0]), np.array([3.0, 4.0])))) == 2
