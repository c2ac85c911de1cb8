"""The Z that a signal would have, without toys: against the null, and against toys with the signal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.noncentral import expected_t
from nplm.sensitivity.asymptotic_power import expected_power
from nplm.stats.weighted_chi2 import WeightedChi2Null

MODEL = KernelModel(width=1.0, centers=100, penalty=1e-5)


@pytest.fixture
def test(rng: np.random.Generator) -> NPLMTest:
    return NPLMTest(Sample(rng.uniform(0, 5, 40_000), np.full(40_000, 0.025)), MODEL, coordinates="raw")


def signal_of(rng: np.random.Generator, n: int = 4000) -> Sample:
    return Sample(rng.normal(3, 0.3, n))


def test_without_a_signal_the_distribution_is_that_of_the_null() -> None:
    penalty, zero = np.array([0.1, 1.0, 10.0]), np.zeros(3)
    distribution = expected_t(0.0, zero, np.eye(3), penalty, np.eye(3))
    null = WeightedChi2Null(1 - (penalty / (1 + penalty)) ** 2)
    for t in (0.5, 2.0, 10.0):
        assert distribution.sf(t) == pytest.approx(null.pvalue(t), rel=1e-9)
    assert distribution.constant == pytest.approx(0, abs=1e-12)


def test_for_a_gaussian_likelihood_the_distribution_is_a_non_central_chi2() -> None:
    # H = 1 and hardly a penalty: t = |s - s_R|^2, so a chi2 of three degrees with the noncentrality |b|^2.
    b = np.array([2.0, -1.0, 0.5])
    distribution = expected_t(float(b @ b), b, np.eye(3), np.full(3, 1e-12), np.eye(3))
    exact = WeightedChi2Null(np.ones(3), b)
    for share in (0.1, 0.5, 0.9):
        assert distribution.quantile(share) == pytest.approx(exact.threshold(1 - share), rel=1e-6)


@pytest.mark.parametrize("events", [40.0, 100.0])
def test_the_expected_power_is_that_of_toys(events: float, test: NPLMTest, rng: np.random.Generator) -> None:
    """400 toys with signal and a fixed seed; tolerances are three standard deviations of counting."""
    signal = signal_of(rng)
    (expected,) = expected_power(test, signal, [events], (1.0, 2.0, 3.0))
    null = test.asymptotic_null()
    toys = [
        Sample(np.concatenate([rng.uniform(0, 5, rng.poisson(1000)), rng.normal(3, 0.3, rng.poisson(events))]))
        for _ in range(400)
    ]
    z = np.array([null.z(t) for t in test.fit(toys).t])
    error = np.sqrt(np.pi / 2) * z.std() / np.sqrt(len(z))
    assert abs(np.median(z) - expected.median_z) < 3 * error
    for threshold, power in expected.power.items():
        assert abs(np.mean(z >= threshold) - power) < 3 * np.sqrt(power * (1 - power) / len(z)) + 0.01
    # The negative control: half as many events would be told apart.
    (half,) = expected_power(test, signal, [events / 2])
    assert abs(np.median(z) - half.median_z) > 3 * error


def test_more_events_are_seen_better(test: NPLMTest, rng: np.random.Generator) -> None:
    found = expected_power(test, signal_of(rng), [5, 20, 80, 320])
    medians = [power.median_z for power in found]
    assert medians == sorted(medians)
    assert medians[0] < 1 < 5 < medians[-1]
    assert all(low < power.median_z < high for power in found for low, high in [power.band])


def test_weights_of_the_signal_do_not_set_its_size(test: NPLMTest, rng: np.random.Generator) -> None:
    signal = signal_of(rng)
    heavy = replace(signal, weights=np.full(len(signal), 7.0))
    (plain,), (weighted,) = (expected_power(test, s, [50]) for s in (signal, heavy))
    assert weighted.median_z == pytest.approx(plain.median_z, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"events": [0.0]}, "number of signal events must be positive, not 0"),
        ({"signal": Sample(np.zeros(5), [1.0, 1.0, 1.0, 1.0, -1.0])}, "negative weights"),
        ({"signal": Sample(np.zeros((5, 2)))}, "feature"),
    ],
)
def test_bad_signals_are_refused(change: dict[str, Any], message: str, test: NPLMTest, rng) -> None:
    arguments: dict[str, Any] = {"signal": signal_of(rng), "events": [10.0], **change}
    with pytest.raises(ValueError, match=message):
        expected_power(test, **arguments)


def test_other_tests_are_refused(rng: np.random.Generator) -> None:
    events = rng.uniform(0, 5, 2000)
    with pytest.raises(ValueError, match="kernel model fitted by maximum likelihood"):
        expected_power(NPLMTest(events, "histogram"), signal_of(rng), [10.0])
    with pytest.raises(ValueError, match="shape and yield"):
        expected_power(NPLMTest(events, MODEL, shape_only=True), signal_of(rng), [10.0])
