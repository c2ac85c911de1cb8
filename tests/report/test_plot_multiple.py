"""The picture of several tests: what stands in it, for kernels, for other models, and for limits."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.multiple import MultipleTest, kernel_widths
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.plot.multiple import plot_multiple


@pytest.fixture
def samples(rng: np.random.Generator) -> tuple[Sample, Sample]:
    return Sample(rng.exponential(size=3000), np.full(3000, 0.1)), Sample(rng.exponential(size=300))


def test_kernels_stand_at_their_widths(samples: tuple[Sample, Sample]) -> None:
    reference, data = samples
    result = MultipleTest(kernel_widths(reference, (0.3, 3.0), KernelModel(centers=20))).run(data, draws=5000)
    (axes,) = plot_multiple(result).axes
    assert axes.get_xscale() == "log"
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xdata(), [0.3, 3.0])
    np.testing.assert_allclose(points.get_ydata(), [test.z for test in result.tests])
    together = next(line for line in axes.lines if str(line.get_label()).startswith("all together"))
    np.testing.assert_allclose(together.get_ydata(), result.z)
    assert "smallest p-value" in axes.get_title(loc="left")


def test_other_tests_stand_beside_each_other_and_limits_have_arrows(samples: tuple[Sample, Sample]) -> None:
    reference, _ = samples
    tests = [NPLMTest(reference, HistogramModel(bins=bins)) for bins in (4, 8)]
    shifted = Sample(3 * reference.events[:300])
    result = MultipleTest(tests, names=("four $bins$", "eight")).run(shifted, toys=20)
    (axes,) = plot_multiple(result).axes
    assert axes.get_xscale() == "linear"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["four $bins$", "eight"]
    arrows = next(line for line in axes.lines if line.get_marker() == "^")
    assert len(np.asarray(arrows.get_xdata())) == 2
