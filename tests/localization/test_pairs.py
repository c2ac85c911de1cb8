"""Maps of two features: sums, errors, and which pair shows most."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.data.binning import poisson_interval
from nplm.localization.comparison import Comparison
from nplm.localization.pairs import fill_pair, rank_pairs
from nplm.plot.pair import plot_pair


def comparison(rng: np.random.Generator, weights: np.ndarray | None = None) -> Comparison:
    """f is the product of x1 and x3, so it is in no feature by itself."""
    x, y = rng.normal(size=(6000, 4)), rng.normal(size=(900, 4))
    return Comparison(
        Sample(y, weights),
        0.4 * np.tanh(y[:, 1] * y[:, 3]),
        Sample(x, np.full(6000, 0.15)),
        0.4 * np.tanh(x[:, 1] * x[:, 3]),
    )


def test_no_event_is_lost(rng: np.random.Generator) -> None:
    one = comparison(rng)
    pair = fill_pair(one, "x3", "x0")
    assert pair.data.sum() == 900
    assert pair.reference.sum() == pytest.approx(900)
    assert pair.difference.sum() == pytest.approx((one.fitted - one.reference.weights).sum())
    assert (pair.reference_error**2).sum() == pytest.approx(6000 * 0.15**2)
    # The first feature comes first.
    marginal = np.bincount(pair.binnings[0].assign(one.data.events[:, 3]), minlength=pair.binnings[0].count)
    np.testing.assert_array_equal(pair.data.sum(axis=1), marginal)


def test_the_pull_is_the_difference_over_both_errors(rng: np.random.Generator) -> None:
    pair = fill_pair(comparison(rng), "x0", "x1")
    low, high = poisson_interval(pair.data.ravel())
    n, b, error = (v.ravel() for v in (pair.data, pair.reference, pair.reference_error))
    side = np.where(n >= b, n - low, high - n)
    used = ~np.isnan(pair.pull.ravel())
    np.testing.assert_allclose(pair.pull.ravel()[used], (n - b)[used] / np.hypot(side, error)[used])
    np.testing.assert_array_equal(used, (n > 0) | (b > 0))
    # Two samples from one distribution: pulls of about one.
    assert 0.7 < np.sqrt(np.mean(pair.pull[pair.reference > 3] ** 2)) < 1.3


def test_pulls_of_weighted_data_are_of_the_size_of_one(rng: np.random.Generator) -> None:
    pair = fill_pair(comparison(rng, rng.choice([0.5, 1.5], 900)), "x0", "x1")
    assert np.isfinite(pair.pull[pair.reference > 0]).all()
    assert 0.6 < np.sqrt(np.mean(pair.pull[pair.reference > 3] ** 2)) < 1.3


def test_the_pair_that_f_is_made_of_comes_first(rng: np.random.Generator) -> None:
    one = comparison(rng)
    (first, most), (_, second), *others = rank_pairs(one)
    assert first == ("x1", "x3")
    assert most > 3 * second
    assert len(others) == 4
    # In fine bins it is all of f.
    assert most == pytest.approx(one.divergence, rel=0.2)
    assert most < one.divergence


def test_bad_pairs_are_refused(rng: np.random.Generator) -> None:
    one = comparison(rng)
    with pytest.raises(ValueError, match="no feature 'y': choose two of x0, x1, x2, x3"):
        fill_pair(one, "x0", "y")
    with pytest.raises(ValueError, match="not 'x0' twice"):
        fill_pair(one, "x0", "x0")


def test_the_picture_shows_both_maps(rng: np.random.Generator) -> None:
    one = comparison(rng)
    pair = fill_pair(one, "x1", "x3")
    left, right = plot_pair(one, "x1", "x3").axes[:2]
    arrays = [axes.collections[0].get_array() for axes in (left, right)]
    shown = [np.ma.filled(array, np.nan) for array in arrays if array is not None]
    np.testing.assert_array_equal(shown[0], pair.pull.T)
    drawn = ~np.isnan(pair.pull.T)
    np.testing.assert_array_equal(shown[1][drawn], pair.difference.T[drawn])
    assert (left.get_xlabel(), left.get_ylabel()) == ("x1", "x3")
