"""Polynomials in m, and features without what they describe."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.hunt.trend import polynomials, without_trend


@pytest.mark.parametrize("signs", [1.0, -1.0])
def test_polynomials_are_orthonormal_and_each_of_its_degree(rng: np.random.Generator, signs: float) -> None:
    m = 2 + rng.exponential(size=500)
    weights = rng.lognormal(size=500) * np.where(rng.random(500) < 0.2, signs, 1.0)
    p = polynomials(m, weights, 10)
    np.testing.assert_allclose((np.abs(weights)[:, None] * p).T @ p, np.eye(11), atol=1e-9)
    # The third differences of a polynomial of degree 2 vanish, those of one of degree 3 do not.
    grid = np.linspace(2, 5, 50)
    for degree, vanishes in ((2, True), (3, False)):
        fitted = np.polynomial.Polynomial.fit(m, p[:, degree], degree)(grid)
        assert bool(np.abs(np.diff(fitted, 3)).max() < 1e-9 * np.abs(fitted).max()) is vanishes
        np.testing.assert_allclose(np.polynomial.Polynomial.fit(m, p[:, degree], degree)(m), p[:, degree], atol=1e-8)


def test_a_cubic_and_a_parabolic_width_are_taken_out(rng: np.random.Generator) -> None:
    m = rng.uniform(0, 4, 20_000)
    z = rng.standard_normal(20_000)
    y = 3 * m - m**2 + 0.2 * m**3 + np.sqrt(0.5 + 0.3 * m**2) * z
    left = without_trend(y[:, None], m, np.ones(len(m)))[:, 0]
    # What is left is z within the errors of ten fitted numbers, about sqrt(10 / 20,000).
    assert np.corrcoef(left, z)[0, 1] > 0.999
    assert np.std(left - z) < 0.05


def test_a_feature_that_m_tells_exactly_is_not_divided_by_zero() -> None:
    m = np.linspace(0, 1, 1000)
    left = without_trend((2 * m)[:, None], m, np.ones(1000))
    assert np.abs(left).max() < 1e-9


def test_values_that_many_events_have_stay_as_they_are(rng: np.random.Generator) -> None:
    m = rng.uniform(0, 1, 2000)
    counts = rng.poisson(2 + m).astype(float)
    both = np.column_stack([counts, rng.normal(size=2000)])
    left = without_trend(both, m, np.ones(2000))
    np.testing.assert_array_equal(left[:, 0], counts)
    assert len(np.unique(left[:, 1])) == 2000
