"""The comparison of a result: yields, f, and t as a sum over both samples."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from nplm import GaussianConstraint, HistogramModel, KernelModel, NPLMTest, Nuisances, Sample
from nplm.localization.comparison import Comparison, compared
from nplm.models.base import Model
from nplm.nuisance import SeparableLogRatio


def t_of(comparison: Comparison) -> float:
    """2 [sum_D v f - sum_R w (e^f - 1)]."""
    gained = comparison.data.weights @ comparison.f_data
    return float(2 * (gained - comparison.fitted.sum() + comparison.reference.total_weight))


@pytest.mark.parametrize("shape_only", [False, True])
@pytest.mark.parametrize(
    "model", [HistogramModel(bins=8, reference_exact=True), KernelModel(width=1.0, centers=30, reference_exact=True)]
)
def test_t_is_the_sum_over_both_samples(rng: np.random.Generator, model: Model, shape_only: bool) -> None:
    reference = Sample(rng.normal(size=(2000, 2)), np.full(2000, 0.2))
    data = Sample(rng.normal(0.1, 1, size=(430, 2)))
    test = NPLMTest(reference, model, shape_only=shape_only)
    result = test.run(data, toys=0)
    comparison = compared(test, data, result)
    assert comparison.reference.total_weight == pytest.approx(result.expected_yield)
    assert t_of(comparison) == pytest.approx(result.t, rel=1e-6)


def test_with_nuisances_it_is_t_but_for_the_constraint(rng: np.random.Generator) -> None:
    """n(x|R) r(x; nu) is what is expected, and f is the log of what is fitted over that."""
    reference = Sample(rng.exponential(size=(4000, 1)), np.full(4000, 0.25))
    data = Sample(1.1 * rng.exponential(size=(1050, 1)))
    ratio = SeparableLogRatio("scale", lambda nu: jnp.stack([-nu[0], -jnp.expm1(-nu[0])]), lambda events: events[:, 0])
    sigma = 0.05
    nuisances = Nuisances(ratio, GaussianConstraint(("scale",), np.array([sigma])))
    test = NPLMTest(reference, HistogramModel(bins=10, reference_exact=True), nuisances=nuisances)
    result = test.run(data, toys=0)
    assert result.nuisances is not None
    with_f, without = result.nuisances.nu_tau[0], result.nuisances.nu[0]
    assert abs(with_f - without) > 1e-4
    constraint = (without**2 - with_f**2) / sigma**2
    comparison = compared(test, data, result)
    assert t_of(comparison) + constraint == pytest.approx(result.t, rel=1e-4)
    # As the plots show them.
    r = np.exp(-without - reference.events[:, 0] * np.expm1(-without))
    np.testing.assert_allclose(comparison.reference.weights, 0.25 * r)


def test_divergence_is_that_of_two_poissons() -> None:
    data, reference = Sample(np.zeros((1, 1))), Sample(np.zeros((3, 1)), np.array([1.0, 2.0, 0.5]))
    f = np.log(np.array([2.0, 0.5, 1e-300]))
    f[2] = -np.inf
    n, b = np.array([2.0, 1.0]), np.array([1.0, 2.0])
    expected = 2 * ((n * np.log(n / b) - n + b).sum() + 0.5)
    assert Comparison(data, np.zeros(1), reference, f).divergence == pytest.approx(expected)


@pytest.mark.wrong_arrays
@pytest.mark.parametrize(
    ("f_data", "f_reference", "message"),
    [
        (np.zeros(2), np.zeros(4), r"events of left must have shape \(3,\)"),
        (np.zeros(3), np.zeros((4, 1)), r"events of right must have shape \(4,\)"),
        (np.array([0.0, np.nan, 0.0]), np.zeros(4), "is nan at event 1 of left"),
        (np.zeros(3), np.array([0.0, 0.0, 0.0, np.inf]), "is inf at event 3 of right"),
    ],
)
def test_bad_log_ratios_are_refused(f_data: np.ndarray, f_reference: np.ndarray, message: str) -> None:
    left, right = Sample(np.zeros((3, 1)), name="left"), Sample(np.zeros((4, 1)), name="right")
    with pytest.raises(ValueError, match=message):
        Comparison(left, f_data, right, f_reference)


def test_other_data_are_refused(rng: np.random.Generator) -> None:
    test = NPLMTest(rng.normal(size=(300, 1)), HistogramModel(bins=3))
    data = Sample(rng.normal(size=(300, 1)))
    with pytest.raises(ValueError, match="about 300 events, but data has 299"):
        compared(test, Sample(data.events[1:], name="data"), test.run(data, toys=0))
