"""The shape of windows: the quick fit against Newton's, nulls against the asymptotic ones, and the size of the test."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import KernelModel, NPLMTest, Sample
from nplm.monitor.exact_shape import ExactShapeTest
from nplm.monitor.held_reference import HeldReference


@pytest.fixture(scope="module")
def six() -> ExactShapeTest:
    rng = np.random.default_rng(1)
    return ExactShapeTest.of(Sample(rng.normal(size=(4000, 6))), KernelModel(width=4.0, reference_exact=True), 1000)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_the_quick_fit_finds_the_minimum_of_newtons_method(six: ExactShapeTest, shift: float) -> None:
    rng = np.random.default_rng(2)
    sums = six.prepared.sums(Sample(rng.normal(size=(1000, 6)) + shift))
    assert six.held is not None
    quick, newton = six.held.fit_sums(sums), six.prepared.fit_sums(sums[None])
    assert quick.converged[0]
    assert newton.converged[0]
    assert quick.t[0] == pytest.approx(newton.t[0], rel=1e-6, abs=1e-4)


def test_one_kernel_sees_the_coordinates_that_are_asked_for() -> None:
    rng = np.random.default_rng(7)
    names = ("x", "phi")
    reference, window = (Sample(rng.uniform(0, 360, size=(n, 2)), features=names) for n in (4000, 500))
    turned = Sample(np.column_stack([np.exp(window.events[:, 0] / 60), window.events[:, 1] + 360]), features=names)
    grown = Sample(np.column_stack([np.exp(reference.events[:, 0] / 60), reference.events[:, 1]]), features=names)
    model = KernelModel(width=1.0, centers=60, reference_exact=True)
    t = ExactShapeTest.of(reference, model, 500, "normal-scores", ["phi"])(window).t
    # The scores of a window between events of the reference are interpolated, in x or in its exponential.
    assert ExactShapeTest.of(grown, model, 500, "normal-scores", ["phi"])(turned).t == pytest.approx(t, rel=1e-3)
    assert ExactShapeTest.of(grown, model, 500)(turned).t > 2 * t


def test_t_is_that_of_the_test(six: ExactShapeTest) -> None:
    # Windows of other sizes than the one that the reference was scaled to, in parts and with weights.
    rng = np.random.default_rng(3)
    for n, weights in ((700, None), (5000, None), (900, rng.uniform(0.5, 1.5, 900))):
        window = Sample(rng.normal(size=(n, 6)), weights)
        found = six(window)
        assert found.t == pytest.approx(six.test.statistic(window), rel=1e-6, abs=1e-4)
        asymptotic = six.test.asymptotic_null(window)
        assert found.p == pytest.approx(asymptotic.pvalue(found.t), rel=1e-6)
        assert (found.mean, found.sd) == pytest.approx((asymptotic.mean, asymptotic.sd), rel=1e-9)


def test_there_is_no_quick_fit_where_it_would_not_pay() -> None:
    rng = np.random.default_rng(1)
    line = ExactShapeTest.of(Sample(rng.normal(size=(500, 1))), KernelModel(width=1.0, reference_exact=True), 100)
    assert line.held is None
    signed = Sample(rng.normal(size=(2000, 2)), np.where(np.arange(2000) % 10 == 0, -1.0, 1.0))
    assert ExactShapeTest.of(signed, KernelModel(width=2.0, reference_exact=True), 500).held is None


def test_a_start_that_leads_nowhere_is_left_to_newtons_method(
    six: ExactShapeTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert six.held is not None
    sums = six.prepared.sums(Sample(np.random.default_rng(5).normal(size=(1000, 6))))
    expected = six.prepared.fit_sums(sums[None])
    passes = HeldReference._pass
    left = iter([(np.nan, np.full(len(sums), np.nan))])
    monkeypatch.setattr(HeldReference, "_pass", lambda self, b, *how: next(left, None) or passes(self, b, *how))
    found = six.held.fit_sums(sums)
    assert found.converged[0]
    assert found.t[0] == pytest.approx(expected.t[0], abs=1e-4)


def test_a_window_far_from_the_reference_has_a_large_t_at_least(six: ExactShapeTest) -> None:
    found = six(Sample(np.random.default_rng(5).normal(size=(1000, 6)) + 2))
    assert found.t > 1000
    assert found.p < 1e-100


def test_the_reference_is_shared_between_windows() -> None:
    # 40 references with 15 windows each: the correlation of Z within a reference is (kappa / (1 + kappa))^2 with
    # kappa = 1: 0.25, known to 0.07 from so few. Negative control: the same windows in groups of other references.
    rng = np.random.default_rng(6)
    z = np.empty((40, 15))
    for row in z:
        test = ExactShapeTest.of(Sample(rng.normal(size=(2000, 1))), KernelModel(width=4.5, reference_exact=True), 2000)
        row[:] = [test(Sample(rng.normal(size=(2000, 1)))).z for _ in range(15)]

    def shared(groups: np.ndarray) -> float:
        within = groups.var(axis=1, ddof=1).mean()
        between = groups.mean(axis=1).var(ddof=1) - within / 15
        return float(between / (between + within))

    assert test.shared_fluctuation(2000) == pytest.approx(0.25)
    assert abs(shared(z) - 0.25) < 0.2
    assert shared(np.array([np.roll(column, i) for i, column in enumerate(z.T)]).T) < 0.05
    # The null includes the reference's own fluctuation: the mean over references is zero, within three errors.
    assert abs(z.mean()) < 3 * np.sqrt((0.25 + 0.75 / 15) / 40)


def test_unequal_weights_of_the_reference() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2000, 1))
    even = ExactShapeTest.of(Sample(x), KernelModel(width=1.0, reference_exact=True), 500)
    nearly = ExactShapeTest.of(Sample(x, 1 + 1e-9 * np.arange(2000)), KernelModel(width=1.0, reference_exact=True), 500)
    assert nearly.shared_fluctuation(500) == pytest.approx(even.shared_fluctuation(500), rel=1e-4)
    window = Sample(rng.normal(size=(400, 1)))
    assert nearly.asymptotic(window).mean == pytest.approx(even.asymptotic(window).mean, rel=1e-4)
    exact = KernelModel(width=1.0, reference_exact=True)
    assert even.asymptotic(window).mean == pytest.approx(
        NPLMTest(Sample(x), exact, expected_yield=500.0, shape_only=True).asymptotic_null(window).mean
    )


def test_only_the_maximum_likelihood_is_fitted() -> None:
    with pytest.raises(ValueError, match="falkon-step"):
        ExactShapeTest.of(Sample(np.arange(100.0)), KernelModel(solver="falkon-step", reference_exact=True), 50)
