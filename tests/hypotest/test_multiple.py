"""Several tests together: joint toys against the joint distribution, global p-values, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from nplm.data.sample import Sample
from nplm.hypotest.multiple import MultipleInterrupted, MultipleTest, kernel_widths
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.fits import Fits
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.statistic import FitError
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.toys.campaign import Campaign

WIDTHS = (0.4, 0.8, 1.5, 4.0)
YIELD, CENTERS = 1000.0, 60


def exponential_reference(seed: int = 11, n: int = 20_000) -> Sample:
    return Sample(np.random.default_rng([seed, n]).exponential(size=n), np.full(n, YIELD / n), ("x",), "reference")


def exponential_data(seed: int, peak: int = 0) -> Sample:
    rng = np.random.default_rng([seed, 1])
    x = rng.exponential(size=rng.poisson(YIELD))
    return Sample(np.concatenate([x, rng.normal(1.6, 0.16, peak)]), None, ("x",), "data")


@pytest.fixture(scope="module")
def tests() -> tuple[NPLMTest, ...]:
    return kernel_widths(exponential_reference(), WIDTHS, KernelModel(centers=CENTERS), coordinates="raw")


@pytest.fixture(scope="module")
def toys(tests: tuple[NPLMTest, ...]) -> np.ndarray:
    """t of 1000 toys, drawn from the true distribution, in each test."""
    data = [exponential_data(1000 + i) for i in range(1000)]
    return np.vstack([MultipleTest(tests).statistics(data[i : i + 500]) for i in (0, 500)])


@pytest.mark.slow
def test_the_joint_distribution_has_the_correlations_of_real_toys(tests, toys: np.ndarray) -> None:
    """Of t, and of p in ranks; within 4 sigma, sigma by bootstrap of the toys."""
    joint = MultipleTest(tests).joint_null()
    sd = np.sqrt(np.diag(joint.covariance))
    expected = joint.covariance / np.outer(sd, sd)
    drawn = joint.draw(50_000, seed=5)
    rng = np.random.default_rng(3)
    resampled = [toys[rng.integers(len(toys), size=len(toys))] for _ in range(100)]
    for transform, correlation in ((lambda t: t, expected), (_ranks, np.corrcoef(_ranks(drawn).T))):
        error = np.std([np.corrcoef(transform(t).T) for t in resampled], axis=0)
        difference = abs(np.corrcoef(transform(toys).T) - correlation)
        assert (difference <= 4 * error + 1e-9).all()
    assert expected[0, 1] > 0.5, "or the test shows nothing"


@pytest.mark.slow
def test_the_global_p_value_is_uniform_under_the_null(tests, toys: np.ndarray) -> None:
    """Kolmogorov-Smirnov with 1000 toys at size 1e-3, and the share beyond 5% within 4 sigma (0.05 +- 0.028).

    Without a correction, and with that for independent tests, the same toys must fail: at 1e-6.
    """
    for combine in ("min-p", "product", "average", "smooth-max"):
        null = MultipleTest(tests, combine).global_null(draws=50_000)
        p = null.pvalues(toys)
        assert kstest(p, "uniform").pvalue > 1e-3, combine
        assert abs((p < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(p)), combine
    smallest = np.exp(-MultipleTest(tests).global_null(draws=1).statistics(toys))
    independent = 1 - (1 - smallest) ** len(tests)
    for wrong in (smallest, independent):
        assert kstest(wrong, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("combine", ["min-p", "product", "average", "smooth-max"])
def test_the_same_test_twice_gives_its_own_p_value(tests, combine: Any) -> None:
    data = exponential_data(7)
    twice = MultipleTest([tests[1], tests[1]], combine, names=("one", "two")).run(data, draws=50_000)
    alone = tests[1].run(data, 0)
    low, high = twice.global_p.p_interval
    assert abs(twice.p_value - alone.p_value) < 2 * (high - low)
    assert [test.t for test in twice.tests] == [alone.t, alone.t]
    assert twice.correlation[0, 1] == pytest.approx(1)


def test_a_signal_is_seen_beyond_the_reach_of_draws(tests) -> None:
    result = MultipleTest(tests[1:3]).run(exponential_data(8, peak=90), draws=50_000)
    local = min(test.p_value for test in result.tests)
    assert result.z > 4.5
    assert local < result.p_value < 2 * local
    assert result.global_p.tail
    assert result.global_p.kind == "analytic joint"
    assert "looking at 2 tests costs a factor" in repr(result)
    assert "Strong discrepancy" in repr(result)
    assert result.names[result.leading] in repr(result)
    assert max(map(len, repr(result).splitlines())) <= 100


@pytest.mark.slow
def test_joint_toys_are_those_of_each_test_alone(tests) -> None:
    data, seen = exponential_data(9), []
    result = MultipleTest(tests[:2]).run(data, toys=20, seed=4, calibrate="toys", on_toys=seen.append)
    for test, part in zip(tests, result.tests, strict=False):
        alone: Campaign = test.campaign(data, seed=4)
        np.testing.assert_allclose(part.toys.t[:3], alone.run([0, 1, 2]).t, rtol=1e-9)
        assert part.calibration.kind == "empirical"
    assert sum(len(tables[0]) for tables in seen) == 20
    assert result.global_p.kind == "empirical"
    assert result.global_p.draws == 20
    assert result.p_value == (1 + result.global_p.exceeding) / 21


def test_toys_check_the_joint_distribution(tests, toys: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 toys do not refuse it at size 1e-3, but one that is wrong by a factor of 1.6 in t, and then are counted."""
    multiple = MultipleTest(tests[1:3], "product")
    few = toys[:100, 1:3]
    arguments = (exponential_data(10), np.array([8.0, 6.0]), few, "asymptotic+toys", 20_000, 1, False)
    found, check, _ = multiple._calibrated(*arguments)
    assert check is not None
    assert check.p_value > 1e-3
    assert found.kind == ("analytic joint" if check.accepted else "empirical")
    right = multiple.joint_null

    def wrong(*given: Any, **settings: Any) -> JointNull:
        joint = right(*given, **settings)
        return JointNull(joint.root * np.sqrt(1.6), joint.sizes)

    monkeypatch.setattr(multiple, "joint_null", wrong)
    found, check, _ = multiple._calibrated(*arguments)
    assert check is not None
    assert not check.accepted
    assert (found.kind, found.draws) == ("empirical", 100)


def test_other_models_take_part_with_toys(tests) -> None:
    histogram = NPLMTest(exponential_reference(), HistogramModel(bins=8), coordinates="raw")
    multiple = MultipleTest([tests[0], histogram])
    assert multiple.names == ("width 0.4", "histogram")
    with pytest.raises(ValueError, match="joint distribution of 'histogram' and other tests is not known without toys"):
        multiple.run(exponential_data(12))
    result = multiple.run(exponential_data(12), toys=40)
    assert result.global_p.kind == "empirical"
    assert result.configuration["calibrate"] == "toys"
    assert 0 < result.p_value <= 1


def test_signed_weights_and_shapes_run(rng: np.random.Generator) -> None:
    weights = np.where(rng.random(4000) < 0.1, -0.1, 0.15)
    reference = Sample(rng.exponential(size=4000), weights)
    data = Sample(rng.exponential(size=rng.poisson(reference.total_weight)))
    model = KernelModel(centers=40)
    signed = MultipleTest(kernel_widths(reference, (0.5, 2.0), model)).run(data, draws=5000)
    assert 1e-3 < signed.p_value < 1
    shapes = kernel_widths(reference.events, (2.0,), model, shape_only=True)
    assert 1e-3 < MultipleTest(shapes).run(data, draws=5000).p_value < 1


def test_what_was_done_before_ctrl_c_is_kept(tests, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(tables: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PreparedKernel, "batch_size", 16)
    with pytest.raises(MultipleInterrupted, match="interrupted after 16 of 40 joint toys") as caught:
        MultipleTest(tests[2:]).run(exponential_data(13), toys=40, draws=5000, on_toys=stop)
    result = caught.value.result
    assert (result.complete, result.toys, result.toys_requested) == (False, 16, 40)
    assert json.loads(result.to_json())["complete"] is False


def test_a_failed_fit_names_the_test(tests, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = tests[1].fit
    pair = kernel_widths(exponential_reference(), WIDTHS[:2], KernelModel(centers=CENTERS), coordinates="raw")

    def failing(data: list[Sample]) -> Fits:
        return replace(fit(data), t=np.full(len(data), np.nan), failure=np.array(["it overflowed"]))

    monkeypatch.setattr(pair[1], "fit", failing)
    with pytest.raises(FitError, match=r"failed in the test 'width 0\.8': it overflowed"):
        MultipleTest(pair).run(exponential_data(14))


def test_what_makes_no_sense_is_refused(tests) -> None:
    with pytest.raises(ValueError, match="at least one test"):
        MultipleTest([])
    with pytest.raises(ValueError, match=r"the width 0\.5 is given twice"):
        kernel_widths(exponential_reference(), (0.5, 1.0, 0.5))
    with pytest.raises(ValueError, match="no width"):
        kernel_widths(exponential_reference(), ())
    with pytest.raises(ValueError, match="no combination 'best'"):
        MultipleTest(tests, "best")  # type: ignore[arg-type]
    other = kernel_widths(exponential_reference(seed=12), (1.0,), KernelModel(centers=CENTERS), coordinates="raw")
    with pytest.raises(ValueError, match=r"'width 1' and 'width 0\.4' test different references"):
        MultipleTest([tests[0], *other])
    with pytest.raises(ValueError, match="as many different names, not a, a"):
        MultipleTest(tests[:2], names=("a", "a"))
    multiple, data = MultipleTest(tests[:2]), exponential_data(15)
    with pytest.raises(ValueError, match="calibration with 'toys' needs toys, not 0"):
        multiple.run(data, calibrate="toys")
    with pytest.raises(ValueError, match="no joint calibration 'importance': choose toys, asymptotic"):
        multiple.run(data, calibrate="importance")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="number of toys must be 0 or more, not -1"):
        multiple.run(data, toys=-1)
    with pytest.raises(ValueError, match="number of draws must be 1 or more, not 0"):
        multiple.run(data, draws=0)


def _ranks(t: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(t, axis=0), axis=0) / len(t)
