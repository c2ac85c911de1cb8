"""What every problem of several features must offer: draws, exact log-ratios, ideal significances, pickling."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.stats import norm

from toys.additive import AdditiveProblem, Signal
from toys.dimuon import DIMUON, DIMUON_HIGH_MASS
from toys.gaussians import GAUSSIANS_2D, GAUSSIANS_5D, GAUSSIANS_10D
from toys.mixtures import MIXTURE_2D, MIXTURE_10D, MIXTURE_30D

# Size of each test of moments below: the chance that it fails a correct program.
SIZE = 1e-4
REACH = float(norm.isf(SIZE / 2))

PROBLEMS = {
    "gaussians_2d": GAUSSIANS_2D,
    "gaussians_5d": GAUSSIANS_5D,
    "gaussians_10d": GAUSSIANS_10D,
    "mixture_2d": MIXTURE_2D,
    "mixture_10d": MIXTURE_10D,
    "mixture_30d": MIXTURE_30D,
    "dimuon": DIMUON,
    "dimuon_high_mass": DIMUON_HIGH_MASS,
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
every_signal = pytest.mark.parametrize(
    ("problem", "signal"),
    [
        pytest.param(problem, signal, id=f"{name}-{signal.name}")
        for name, problem in PROBLEMS.items()
        for signal in problem.SIGNALS.values()
    ],
)


@every_problem
def test_reference(problem: AdditiveProblem, rng: np.random.Generator) -> None:
    reference = problem.draw_reference(rng, 1000)
    assert reference.events.shape == (1000, len(problem.features))
    assert reference.features == problem.features
    np.testing.assert_array_equal(reference.weights, problem.expected_yield / 1000)
    assert reference.total_weight == pytest.approx(problem.EXPECTED_YIELD)
    assert problem.draw_reference(rng, 100, expected_yield=30.0).total_weight == pytest.approx(30.0)


@every_problem
def test_data(problem: AdditiveProblem, rng: np.random.Generator) -> None:
    signal = next(iter(problem.SIGNALS.values()))
    data = problem.draw_data(rng, signal=signal)
    assert not data.is_weighted
    assert data.features == problem.features
    mean = problem.expected_yield + signal.expected
    assert len(data) == pytest.approx(mean, abs=REACH * np.sqrt(mean))

    sizes = np.array([len(problem.draw_data(rng, 20.0, signal, 10.0)) for _ in range(300)])
    # Poisson(20) + Poisson(10): mean and variance are both 30; a fixed number would have none.
    assert sizes.mean() == pytest.approx(30.0, abs=REACH * np.sqrt(30.0 / 300))
    assert sizes.var() == pytest.approx(30.0, abs=REACH * 30.0 * np.sqrt(2.0 / 300))
    assert len(problem.draw_data(rng, expected_yield=0.0)) == 0
    # Without a signal its yield is of no matter.
    assert len(problem.draw_data(rng, 0.0, None, 1000.0)) == 0


@every_signal
def test_log_ratio_is_that_of_the_draws(problem: AdditiveProblem, signal: Signal, rng: np.random.Generator) -> None:
    """E_{S+B}[n(x|B) / n(x|S+B)] = N(B) / N(S+B): exact, and the average is of numbers between 0 and 1."""
    n_b, n_s = 20_000.0, 10_000.0
    events = np.concatenate([problem.sample(rng, int(n_b)), signal.distribution.sample(rng, int(n_s))])

    def pull(signal_yield: float) -> float:
        inverse = np.exp(-problem.log_ratio(events, signal, signal_yield, n_b))
        return float((inverse.mean() - n_b / (n_b + signal_yield)) / (inverse.std() / len(events) ** 0.5))

    # Fixed numbers of both kinds of events vary less than the error that is assumed here.
    assert abs(pull(n_s)) < REACH
    # The control: draws with twice the signal that the formula is told of, or half of it.
    assert abs(pull(n_s / 2)) > 2 * REACH
    assert abs(pull(2 * n_s)) > 2 * REACH


@pytest.mark.parametrize(
    ("problem", "name"),
    [(GAUSSIANS_5D, "correlated"), (MIXTURE_2D, "shifted"), (DIMUON_HIGH_MASS, "resonance")],
)
def test_ratio_averages_to_one_plus_s_over_b(problem: AdditiveProblem, name: str, rng: np.random.Generator) -> None:
    """E_B[n(x|S+B) / n(x|B)] = 1 + N(S) / N(B), for signals of which that average has a moderate variance."""
    signal = problem.SIGNALS[name]
    excess = np.expm1(problem.log_ratio(problem.sample(rng, 200_000), signal))
    expected = signal.expected / problem.expected_yield
    error = excess.std() / len(excess) ** 0.5
    assert error < 0.07 * expected
    assert excess.mean() == pytest.approx(expected, abs=REACH * error)


@every_problem
def test_yields_default_to_the_problems_own(problem: AdditiveProblem, rng: np.random.Generator) -> None:
    signal = list(problem.SIGNALS.values())[-1]
    events = problem.sample(rng, 50)
    expected = problem.log_ratio(events, signal, signal.expected, problem.expected_yield)
    np.testing.assert_array_equal(problem.log_ratio(events, signal), expected)
    assert not np.allclose(problem.log_ratio(events, signal, signal.expected, 100.0), expected)


@every_problem
def test_pickled_problem_is_the_same(problem: AdditiveProblem) -> None:
    copy = pickle.loads(pickle.dumps(problem))
    assert copy == problem
    assert copy.SIGNALS == problem.SIGNALS
    name = next(iter(problem.SIGNALS))
    first = problem.draw_data(np.random.default_rng(1), 100.0, problem.SIGNALS[name])
    again = copy.draw_data(np.random.default_rng(1), 100.0, copy.SIGNALS[name])
    assert first.fingerprint() == again.fingerprint()


@pytest.mark.parametrize(
    ("problem", "name", "n_s", "n_b"),
    [
        (GAUSSIANS_5D, "correlated", 18.0, 200.0),
        (MIXTURE_2D, "wider", 11.0, 200.0),
        (DIMUON_HIGH_MASS, "resonance", 2.1, 150.0),
    ],
)
def test_ideal_z_agrees_with_toys(
    problem: AdditiveProblem, name: str, n_s: float, n_b: float, rng: np.random.Generator
) -> None:
    toys, signal = 4000, problem.SIGNALS[name]

    def statistics(injected: Signal | None) -> np.ndarray:
        # All toys in one draw: events shared out at random make independent Poisson samples.
        events = problem.draw_data(rng, toys * n_b, injected, toys * n_s).events
        toy = rng.integers(toys, size=len(events))
        return np.bincount(toy, problem.log_ratio(events, signal, n_s, n_b), minlength=toys)

    z = problem.ideal_z(signal, n_s, n_b)
    p = (statistics(None) >= np.median(statistics(signal))).mean()
    # p is large enough to be counted, and its error is then at most .045 in Z, that of the median included.
    assert 1.5 < z < 2.0
    assert norm.isf(p) == pytest.approx(z, abs=REACH * 0.045)


def test_deficit_is_a_negative_signal() -> None:
    # A cluster narrower than the reference in all directions: its share of n(x) is bounded.
    x, signal = np.full((1, 2), 1.5), GAUSSIANS_2D.SIGNALS["cluster"]
    excess = np.expm1(GAUSSIANS_2D.log_ratio(x, signal, 10.0))
    np.testing.assert_allclose(np.expm1(GAUSSIANS_2D.log_ratio(x, signal, -10.0)), -excess, rtol=1e-12)
    assert GAUSSIANS_2D.ideal_z(signal, -10.0) == pytest.approx(GAUSSIANS_2D.ideal_z(signal, 10.0), rel=0.3)
