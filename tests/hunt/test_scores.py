"""Scores without their trend, and the moments that t has: sums over events written down directly, and permutations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm.hunt.scores import Scores
from nplm.hunt.single_precision import SingleModes
from nplm.hunt.sums import HuntEvents, Sums
from nplm.hunt.trend import polynomials
from nplm.hunt.windows import Windows

DEGREE = 2


@pytest.fixture(scope="module", params=[False, True], ids=["unweighted", "weighted"])
def events(request: pytest.FixtureRequest) -> HuntEvents:
    rng = np.random.default_rng(4)
    m = np.sort(2 + rng.exponential(size=1500).clip(max=3))
    weights = rng.lognormal(0, 0.5, 1500) if request.param else np.ones(1500)
    rows = rng.standard_normal((1500, 2))
    return HuntEvents(m, rows, weights)


@pytest.fixture(scope="module")
def windows(events: HuntEvents) -> Windows:
    return Windows.scan(float(events.m[0]), float(events.m[-1]), 0.25)


@pytest.fixture(scope="module")
def sums(events: HuntEvents, windows: Windows) -> Sums:
    return Sums.of(events, windows, 1)


@pytest.fixture(scope="module")
def scores(sums: Sums) -> Scores:
    return Scores.of(sums, DEGREE, sums.windows)


def _profiles(events: HuntEvents, windows: Windows) -> np.ndarray:
    """G' with sum v^2 G'^2 = 1, by least squares with weights v."""
    p, g, v = polynomials(events.m, events.weights, DEGREE), windows(events.m), events.weights[:, None]
    left = g - p @ np.linalg.solve(p.T @ (v * p), p.T @ (v * g))
    return left / np.sqrt((v**2 * left**2).sum(axis=0))


def test_scores_are_sums_over_events(events: HuntEvents, windows: Windows, sums: Sums, scores: Scores) -> None:
    # In the precision that the sums are made with, of which blocks are added up.
    phi = SingleModes.of(sums.basis)(events.rows).astype(np.float64)
    profiles, v = _profiles(events, windows), events.weights[:, None]
    np.testing.assert_allclose(scores.u, (v * profiles).T @ phi, atol=1e-4)
    np.testing.assert_allclose(scores.correlations, (v * profiles).T @ (v * profiles), atol=1e-10)
    p = polynomials(events.m, events.weights, DEGREE)
    e = phi - p @ np.linalg.solve(p.T @ (v * p), p.T @ (v * phi))
    e *= np.sqrt(len(phi) / (len(phi) - DEGREE - 1))
    np.testing.assert_allclose(scores.covariance, (v * e).T @ (v * e) / float((v**2).sum()), atol=2e-5)
    # Cells of an eighth of a resolution stand for the events in them.
    exact = (v * profiles).T ** 2 @ e**2
    np.testing.assert_allclose(scores.variances @ scores.filters, exact @ scores.filters, rtol=0.015)


def test_a_trend_in_the_modes_changes_no_score(events: HuntEvents, windows: Windows, sums: Sums) -> None:
    """What is P(m) times anything adds nothing to U: the sums of a trend alone, as if it were a window."""
    assert sums.first[:3, :3] == pytest.approx(np.eye(3), abs=1e-9)
    found = Scores.of(sums, DEGREE, np.array([1, 2, 3]))
    # Polynomials of the trend have no part of their own, that of the next degree does.
    assert (found.kept[:2] < 1e-9).all()
    assert found.kept[2] > 0.9


def test_moments_of_t_are_those_of_permutations(
    events: HuntEvents, windows: Windows, sums: Sums, scores: Scores
) -> None:
    """Features and weights permuted against m: mean and variance of t over 200 permutations, 5 standard errors."""
    rng = np.random.default_rng(5)
    phi, t = sums.basis(events.rows), np.empty((200, *scores.t.shape))
    for number in range(200):
        order = rng.permutation(len(phi))
        permuted = replace(events, weights=events.weights[order])
        t[number] = ((permuted.weights[:, None] * _profiles(permuted, windows)).T @ phi[order]) ** 2 @ scores.filters
    mean, variance = t.mean(axis=0), t.var(axis=0)
    found = scores.cumulants
    error = np.sqrt(variance / 200)
    # That of a permutation is the variance over all events, and that of a window knows its own.
    alike = np.array([(c * np.diag(scores.covariance)).sum() for c in scores.filters.T])
    assert (np.abs(mean - alike) < 5 * error).all()
    spread_out = np.array([2 * null.weights @ null.weights for null in scores.nulls]) * found.spread
    ratio = variance / spread_out
    # The variance of 200 draws is known to 10 to 15%, its mean over windows and kernels to about 4%.
    assert np.abs(ratio - 1).max() < 0.5
    # Weights that differ leave so few effective events here, 1200 for 250 modes, that the estimate is on the safe side.
    assert (0.75 if np.ptp(events.weights) else 0.88) < ratio.mean() < 1.12


def test_the_exact_p_is_near_the_approximate_one_and_smaller_for_a_larger_t(scores: Scores) -> None:
    local = scores.cumulants.log_p(scores.t)
    for j, k in ((0, 0), (2, 1), (3, 5)):
        assert scores.log_p(j, k) == pytest.approx(local[j, k], abs=0.15 + 0.03 * abs(local[j, k]))
