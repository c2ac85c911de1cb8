"""One kernel's test of windows against a small reference: t and p of the test, and their size."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor.exact_shape import ExactShapeTest
from nplm.monitor.finite_shape import FiniteShapeTest


def test_t_and_p_are_those_of_the_test() -> None:
    rng = np.random.default_rng(3)
    shape = FiniteShapeTest.of(Sample(rng.normal(size=(1000, 2))), KernelModel(width=2.0, centers=50), 400)
    for n, weights in ((300, None), (700, None), (400, rng.uniform(0.5, 1.5, 400))):
        window = Sample(rng.normal(size=(n, 2)), weights)
        found, asymptotic = shape(window), shape.test.asymptotic_null(window)
        assert found.t == pytest.approx(shape.test.statistic(window), rel=1e-9)
        assert found.p == pytest.approx(asymptotic.pvalue(found.t), rel=1e-9)
        assert (found.mean, found.sd) == pytest.approx((asymptotic.mean, asymptotic.sd), rel=1e-9)
        assert found.failure == ""


def test_size_with_two_windows_in_the_reference() -> None:
    # 60 references of their own, one window each. The null is asymptotic: p <= .01 in some .03 of them, known to
    # .022. Negative control: with the reference taken as exact half of the windows are rejected at .01.
    rng = np.random.default_rng(4)
    model = KernelModel(width=3.0, centers=80)
    exact = KernelModel(width=3.0, centers=80, reference_exact=True)
    p = np.empty((60, 2))
    for row in p:
        reference, window = Sample(rng.normal(size=(800, 4))), Sample(rng.normal(size=(400, 4)))
        row[:] = FiniteShapeTest.of(reference, model, 400)(window).p, ExactShapeTest.of(reference, exact, 400)(window).p
    assert (p[:, 0] <= 0.01).mean() < 0.03 + 3 * 0.022
    assert (p[:, 1] <= 0.01).mean() > 0.35


def test_the_reference_is_shared_as_its_size_says() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2000, 1))
    shape = FiniteShapeTest.of(Sample(x), KernelModel(width=1.0), 500)
    assert shape.shared_fluctuation(500) == pytest.approx(0.04)
    exact = ExactShapeTest.of(Sample(x), KernelModel(width=1.0, reference_exact=True), 500)
    assert shape.shared_fluctuation(700) == pytest.approx(exact.shared_fluctuation(700))


def test_the_monitor_takes_the_reference_as_finite_unless_it_is_said_to_be_exact() -> None:
    reference = np.random.default_rng(6).normal(size=(500, 1))
    model = KernelModel(width=1.0, centers=20)
    assert isinstance(Monitor(reference, model, window=100).shape, FiniteShapeTest)
    exact = KernelModel(width=1.0, centers=20, reference_exact=True)
    assert isinstance(Monitor(reference, exact, window=100).shape, ExactShapeTest)
