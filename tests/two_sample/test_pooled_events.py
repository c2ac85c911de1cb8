"""The events of a pool are read as those of an array, and are not held beside the samples."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family
from nplm.two_sample.pooled import Pool


def test_rows_and_columns_are_those_of_the_standardized_events(rng: np.random.Generator) -> None:
    a, b = Sample(rng.normal(size=(70, 3))), Sample(rng.normal(1.0, 2.0, size=(40, 3)))
    pool = Pool.of(a, b)
    expected = pool.scaler(np.concatenate([a.events, b.events])[pool.order])
    np.testing.assert_array_equal(pool.events, expected)
    assert (len(pool.rows), pool.rows.shape) == (110, (110, 3))
    mask = expected[:, 0] > 0
    for rows in (slice(None), slice(7, 50), mask, np.array([5, 3, 3]), np.array([], dtype=np.int64)):
        np.testing.assert_array_equal(pool.rows[rows], expected[rows])
        np.testing.assert_array_equal(pool.rows[rows, 1], expected[rows, 1])
    np.testing.assert_array_equal(list(pool.rows.T), expected.T)


@pytest.mark.parametrize("unit", [1.0, 0.1])
def test_a_pool_holds_no_copy_of_its_samples(rng: np.random.Generator, unit: float) -> None:
    a, b = Sample(rng.normal(size=(200_000, 8)), np.full(200_000, unit)), Sample(rng.normal(size=(20_000, 8)))
    tracemalloc.start()
    try:
        pool = Pool.of(a, b)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = len(pool) * 8 * 8
    assert held < 0.4 * size
    assert peak < 3 * size


def test_a_family_holds_one_copy_of_its_samples(rng: np.random.Generator) -> None:
    a, b = Sample(rng.normal(size=(200_000, 8))), Sample(rng.normal(size=(20_000, 8)))
    pool = Pool.of(a, b)
    tracemalloc.start()
    try:
        family = Family.of(pool, FamilySettings(classes=("products",)))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.5 * family.scores.nbytes
