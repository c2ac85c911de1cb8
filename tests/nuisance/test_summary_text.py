"""The nuisances of a result as rows of tables, and as a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nplm.nuisance.summary_text import MOST_IN_MATRIX, correlation_rows, decomposition, nuisance_rows
from tests.nuisance.summaries import summary


def test_rows_hold_constraint_fits_pull_and_impact() -> None:
    assert nuisance_rows(summary(1)) == [
        ("nuisance", "constraint", "fitted without f", "fitted with f", "pull", "impact on t"),
        ("n0", "0.25 +- 0.5", "1 +- 0.2", "0.75", "+1.50", "+2.50"),
    ]
    assert nuisance_rows(summary(1, None))[1] == ("n0", "0.25 +- 0.5", "1 +- 0.2", "0.75", "+1.50")
    unknown = replace(summary(1, np.nan), measured=np.array([np.nan]))
    assert nuisance_rows(unknown)[1] == ("n0", "no value, +- 0.5", "1 +- 0.2", "0.75", "none", "not known")


def test_correlations_are_a_matrix_or_the_largest_of_it() -> None:
    assert correlation_rows(summary(1)) == []
    assert correlation_rows(summary(2)) == [
        ("correlation", "n0", "n1"),
        ("n0", "+1.00", "-0.80"),
        ("n1", "-0.80", "+1.00"),
    ]
    many = correlation_rows(summary(MOST_IN_MATRIX + 1))
    assert many[1] == ("n0", "n1", "-0.80")
    assert many[2][2] == "+0.10"


def test_t_is_taken_apart() -> None:
    assert decomposition(summary(2)) == "tau 10.00 - Delta 3.00 (n0, n1 profiled)"
    assert decomposition(summary(20)).endswith("(20 nuisances profiled)")
