"""The kernel model: its modes, its sums and its maximum against direct computations, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import kstest

from nplm.data.coordinates import CoordinateKind
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel import fit as kernel_fit
from nplm.models.kernel.centers import choose_centers
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.width import heuristic_width
from tests.models.kernel.kernel_problems import prepare, set_up_a

WIDTH, PENALTY = 0.8, 0.05


def gaussian(x: np.ndarray, centers: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-cdist(x, centers, "sqeuclidean") / (2 * width**2))


@pytest.fixture(params=[1, 3], ids=["line", "plane"])
def problem(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[Sample, Sample, np.ndarray]:
    """Weighted reference, data that differ, and centres, in one dimension and in three."""
    d = request.param
    reference = Sample(rng.normal(size=(3000, d)), rng.uniform(0.05, 0.15, 3000))
    data = Sample(rng.normal(0.2, 1.1, size=(320, d)))
    return reference, data, reference.events[:40]


def test_modes_are_orthonormal_under_the_reference_and_carry_the_norm(problem) -> None:
    reference, _, centers = problem
    modes = prepare(reference, centers, WIDTH, PENALTY).modes
    phi = modes(reference.events)
    np.testing.assert_allclose((phi * reference.weights[:, None]).T @ phi, np.eye(modes.count), atol=1e-6)
    # Strong modes more than weak ones, whose coefficients of kernels are large and cancel.
    b = 1 / (1 + modes.penalty)
    a = modes.transform @ b
    norm = a @ gaussian(centers, centers, WIDTH) @ a
    assert np.sum(modes.penalty * b**2) == pytest.approx(PENALTY * norm, rel=1e-5)


def test_the_fit_is_the_minimum_of_the_penalized_loss(problem) -> None:
    reference, data, centers = problem
    prepared = prepare(reference, centers, WIDTH, PENALTY)
    fits = prepared.fit([data])
    k_reference, k_data = (gaussian(s.events, centers, WIDTH) @ prepared.modes.transform for s in (reference, data))
    penalty = prepared.modes.penalty

    def loss(b: np.ndarray) -> float:
        return float(reference.weights @ np.expm1(k_reference @ b) - (k_data @ b).sum() + penalty @ b**2 / 2)

    def gradient(b: np.ndarray) -> np.ndarray:
        return (reference.weights * np.exp(k_reference @ b)) @ k_reference - k_data.sum(axis=0) + penalty * b

    b = fits.parameters[0]
    best = minimize(loss, np.zeros(len(b)), jac=gradient, method="BFGS", options={"gtol": 1e-7})
    assert loss(b) <= best.fun + 1e-9
    np.testing.assert_allclose(gradient(b), 0, atol=1e-4)
    unpenalized = loss(b) - penalty @ b**2 / 2
    assert fits.t[0] == pytest.approx(-2 * unpenalized, abs=1e-7)
    assert fits.converged[0]
    assert fits.remaining[0] < 1e-4


def test_the_log_ratio_is_the_sum_of_its_kernels(problem) -> None:
    reference, data, centers = problem
    prepared = prepare(reference, centers, WIDTH, PENALTY)
    b = prepared.fit([data]).parameters[0]
    named = prepared.named_parameters(b)
    f = gaussian(data.events, named["centers"], WIDTH) @ named["coefficients"]
    np.testing.assert_allclose(prepared.log_ratio(b, data.events), f, atol=1e-9)
    # What t is made of: -2 sum_R w (e^f - 1) + 2 sum_D f.
    at_reference = prepared.log_ratio(b, reference.events)
    t = 2 * f.sum() - 2 * reference.weights @ np.expm1(at_reference)
    assert prepared.fit([data]).t[0] == pytest.approx(t, abs=1e-7)


def test_held_and_streamed_references_agree(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    reference = Sample(rng.normal(size=(5000, 3)), np.full(5000, 0.05))
    data = [Sample(rng.normal(0.1 * i, 1, size=(250, 3))) for i in range(3)]
    held = prepare(reference, reference.events[:300], 2.0, 5.0)
    monkeypatch.setattr(kernel_fit, "_HELD_BYTES", 0)
    streamed = prepare(reference, reference.events[:300], 2.0, 5.0)
    assert held.blocks.centers is None
    assert streamed.blocks.centers is not None
    assert held.modes.count > 60  # so that the Hessian is not summed exactly
    np.testing.assert_allclose(streamed.expected, held.expected, atol=1e-5)
    np.testing.assert_allclose(streamed.fit(data).t, held.fit(data).t, rtol=1e-6)


def test_a_batch_is_fitted_as_each_alone(rng: np.random.Generator) -> None:
    reference, *data = set_up_a()
    prepared = KernelModel(width=1.0, centers=100).prepare(reference, Scaler.identity(1))
    together = prepared.fit(data).t
    np.testing.assert_allclose(together, [prepared.fit([d]).t[0] for d in data], rtol=1e-10)


def test_strong_signals_converge() -> None:
    reference, data, _ = set_up_a()
    prepared = KernelModel(width=0.3, centers=300, selection="covering").prepare(reference, Scaler.identity(1))
    for events in (100, 1000, 10_000):
        signal = Sample(np.concatenate([data.events, np.full((events, 1), 6.0)]))
        fits = prepared.fit([signal])
        assert fits.converged[0]
        assert np.exp(prepared.log_ratio(fits.parameters[0], np.array([[6.0]]))[0]) > 10


def test_splitting_permuting_and_weightless_events_do_not_change_t(problem, rng: np.random.Generator) -> None:
    reference, data, centers = problem
    t = prepare(reference, centers, WIDTH, PENALTY).fit([data]).t[0]
    split = Sample(np.repeat(reference.events, 2, axis=0), np.repeat(reference.weights / 2, 2))
    order = rng.permutation(len(reference))
    permuted = Sample(reference.events[order], reference.weights[order])
    padded = Sample(np.append(reference.events, [np.full(reference.dimension, 9.0)], axis=0), [*reference.weights, 0.0])
    for other in (split, permuted, padded):
        assert prepare(other, centers, WIDTH, PENALTY).fit([data]).t[0] == pytest.approx(t, rel=1e-7)
    halves = Sample(np.repeat(data.events, 2, axis=0), np.full(2 * len(data), 0.5))
    assert prepare(reference, centers, WIDTH, PENALTY).fit([halves]).t[0] == pytest.approx(t, rel=1e-7)


def test_an_affine_change_of_the_features_does_not_change_t(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2000, 2)), rng.normal(0.2, 1, size=(200, 2))
    model = KernelModel(width=1.0, centers=50, penalty=1e-4)
    scale, shift = np.array([1e3, 1e-4]), np.array([-5.0, 7e6])
    tests = [NPLMTest(r, model, expected_yield=200.0) for r in (x, x * scale + [shift[0], 0.0])]
    t = [test.statistic(d) for test, d in zip(tests, (y, y * scale + [shift[0], 0.0]), strict=True)]
    assert t[1] == pytest.approx(t[0], rel=1e-6)


def test_centres_are_distinct_events_and_cover(rng: np.random.Generator) -> None:
    events = np.round(rng.exponential(size=(5000, 1)), 3)
    weights = np.where(rng.random(5000) < 0.1, 0.0, 1.0)
    for selection in ("uniform", "covering"):
        centers = choose_centers(events, weights, 200, selection, seed=1)
        assert len(np.unique(centers)) == 200
        assert np.isin(centers, events[weights > 0]).all()
        np.testing.assert_array_equal(centers, choose_centers(events, weights, 200, selection, seed=1))
    covering = choose_centers(events, weights, 200, "covering", seed=1)
    used = events[weights > 0]
    assert covering.min() == used.min()
    assert covering.max() == used.max()
    farthest = [
        cdist(used, choose_centers(events, weights, 200, s, 1)).min(axis=1).max() for s in ("uniform", "covering")
    ]
    assert farthest[1] < 0.5 * farthest[0]


def test_the_choice_does_not_follow_how_the_events_were_drawn() -> None:
    # Events and choice with one seed: the smallest of all would be chosen if both used the same random numbers.
    events = np.random.default_rng(1).exponential(size=(5000, 1))
    chosen = choose_centers(events, np.ones(5000), 500, "uniform", seed=1)
    assert kstest(chosen[:, 0], "expon").pvalue > 1e-3


def test_the_width_is_a_quantile_of_distances(rng: np.random.Generator) -> None:
    # |x - y| of two standard normal vectors is sqrt(2) chi(d); its 90% quantile in five dimensions is 4.30.
    events = rng.normal(size=(20_000, 5))
    assert heuristic_width(events, np.ones(20_000), seed=1) == pytest.approx(np.sqrt(2 * 9.236), rel=0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0.0}, "width of the kernels must be a positive number, not 0"),
        ({"width": -1.0}, "width"),
        ({"penalty": 0.0}, "penalty must be a positive number, not 0"),
        ({"penalty": np.inf}, "penalty"),
        ({"centers": 0}, "1 centre or more, not 0"),
        ({"selection": "random"}, "covering or uniform, not 'random'"),
        ({"solver": "adam"}, "'ml' or 'falkon-step', not 'adam'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KernelModel(**settings)


def test_more_centres_than_events_are_refused() -> None:
    few = np.repeat(np.arange(30.0), 10)
    with pytest.raises(ValueError, match="31 centres were asked for, but the reference has 30 distinct events"):
        NPLMTest(few, KernelModel(centers=31))
    # As many as there are: K_CC is of full rank, or its rank is cut.
    assert NPLMTest(few, KernelModel(centers=30, width=5.0)).statistic(few + 0.5) > 0


@pytest.mark.parametrize("width", [1e-300, 1e300])
def test_a_width_out_of_all_proportion_is_refused(width: float) -> None:
    reference = Sample(np.random.default_rng(1).normal(size=200))
    with pytest.raises(ValueError, match=f"kernels of width {width:g} cannot tell events apart".replace("+", ".")):
        NPLMTest(reference, KernelModel(width=width, centers=10))


def test_a_penalty_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left to be fitted: take a smaller one"):
        NPLMTest(np.arange(100.0), KernelModel(penalty=1e6, centers=10))


def test_features_of_very_different_spread_are_named(rng: np.random.Generator) -> None:
    reference, data = (Sample(rng.normal(size=(n, 2)) * [1.0, 400.0], features=("eta", "mass")) for n in (2000, 2000))
    kinds: tuple[tuple[CoordinateKind, bool], ...] = (("raw", True), ("standardized", False), ("normal-scores", False))
    for kind, named in kinds:
        test = NPLMTest(reference, KernelModel(centers=20), coordinates=kind)
        notes = test.run(data, calibrate="asymptotic").notes
        assert any("'mass' spreads" in note and "'eta'" in note for note in notes) == named
    turning = NPLMTest(reference, KernelModel(centers=20), coordinates="raw", circular={"mass": 2500.0})
    assert not any("spreads" in note for note in turning.run(data, calibrate="asymptotic").notes)


@pytest.mark.slow
def test_a_prepared_kernel_goes_through_the_public_test() -> None:
    reference, data, signal = set_up_a()
    test = NPLMTest(reference, KernelModel(width=2.3, centers=200), coordinates="raw")
    assert isinstance(test.prepared, PreparedKernel)
    result = test.run(data, toys=60)
    assert result.calibration.kind == "analytic"
    asymptotic = test.asymptotic_null(data)
    assert result.p_value == pytest.approx(asymptotic.pvalue(result.t))
    assert result.to_dict()["null"] == {"kind": "analytic", "mean": asymptotic.mean, "sd": asymptotic.sd}
    assert test.run(signal, calibrate="asymptotic").z > 1.5
    assert test.run(data, toys=30, calibrate="toys").calibration.kind == "empirical"
    with pytest.raises(ValueError, match="needs toys"):
        test.run(data, toys=0, calibrate="toys")
    with pytest.raises(ValueError, match="no calibration 'guess': choose toys, asymptotic"):
        test.run(data, calibrate="guess")  # type: ignore[arg-type]
