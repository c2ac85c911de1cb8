"""Whether a null holds, by how many toys it rejects."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.sensitivity.null_check import null_check
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.weighted_chi2 import WeightedChi2Null


def test_with_few_counted_toys_the_size_itself_is_uncertain() -> None:
    # Of n + 1 exchangeable toys each is the largest equally often.
    null = EmpiricalNull(np.arange(19.0))
    assert null_check(null, np.full(20, -1.0)).p_value == pytest.approx(2 * 19 / 39)
    assert not null_check(null, np.full(20, 99.0)).accepted


def test_failed_toys_count_as_rejected() -> None:
    check = null_check(WeightedChi2Null(np.ones(2)), np.array([np.nan, 0.1, 100.0, 1.0] * 5))
    assert (check.rejected, check.failed, check.size) == (10, 5, 0.5)
    assert not check.accepted
