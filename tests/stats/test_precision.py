"""How many toys a precision needs: exact answers, and a simulation of the error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nplm.stats.empirical import EmpiricalNull
from nplm.stats.precision import error_of_z, largest_z, toys_for_p, toys_for_z, toys_to_reach
from nplm.stats.significance import z_score


@pytest.mark.parametrize(
    ("p", "error", "toys"), [(0.5, 0.1, 100), (0.01, 0.1, 9900), (0.2, 0.5, 16), (0.00135, 0.1, 73975)]
)
def test_toys_for_a_p_value(p: float, error: float, toys: int) -> None:
    assert toys_for_p(p, error) == toys
    assert np.sqrt((1 - p) / (p * toys)) == pytest.approx(error, rel=1e-4)


def test_toys_for_a_z_score() -> None:
    # At Z = 0: p = 1/2 and phi = 1/sqrt(2 pi), so n = 2 pi / 4 / dZ^2.
    assert toys_for_z(0.0, 0.01) == int(np.ceil(np.pi / 2 * 1e4))
    for z, error in ((1.0, 0.05), (3.0, 0.1), (5.0, 0.2)):
        assert error_of_z(z, toys_for_z(z, error)) == pytest.approx(error, rel=1e-2)
        assert error_of_z(z, toys_for_z(z, error)) <= error
        # A relative error e of p is one of e p / phi of Z.
        p = norm.sf(z)
        assert toys_for_z(z, error) == pytest.approx(toys_for_p(p, error * norm.pdf(z) / p), abs=1)


def test_z_of_so_many_toys_scatters_by_its_error(rng: np.random.Generator) -> None:
    """4000 ensembles of the toys that Z = 2 +- 0.05 needs: their standard deviation is known to 1.1%."""
    toys = toys_for_z(2.0, 0.05)
    z = norm.isf((1 + rng.binomial(toys, norm.sf(2.0), 4000)) / (1 + toys))
    assert z.std() == pytest.approx(0.05, rel=0.05)


def test_toys_that_reach_a_z_score() -> None:
    assert toys_to_reach(z_score(1 / 100)) == 99
    assert toys_to_reach(2.0) == 43
    assert toys_to_reach(3.0) == 740
    assert toys_to_reach(5.0) == 3488555
    for z in (1.0, 2.0, 3.0):
        needed = toys_to_reach(z)
        assert needed is not None
        assert largest_z(needed) >= z > largest_z(needed - 1)
        assert EmpiricalNull(np.zeros(needed)).z(1.0) == largest_z(needed)


def test_failing_toys_cost_more_toys_or_put_z_out_of_reach() -> None:
    p = norm.sf(2.0)
    needed = toys_to_reach(2.0, failing=0.01)
    assert needed is not None
    assert (1 + 0.01 * needed) / (1 + needed) <= p < (1 + 0.01 * (needed - 1)) / needed
    assert toys_to_reach(2.0, failing=p) is None
    assert toys_to_reach(2.0, failing=0.5) is None


def test_nonsense_is_refused() -> None:
    for p, error in ((0.0, 0.1), (1.0, 0.1), (np.nan, 0.1)):
        with pytest.raises(ValueError, match="p must lie between 0 and 1"):
            toys_for_p(p, error)
    with pytest.raises(ValueError, match="relative_error must be positive"):
        toys_for_p(0.1, 0.0)
    with pytest.raises(ValueError, match="error must be positive"):
        toys_for_z(2.0, -1.0)
    with pytest.raises(ValueError, match="choose one below 37"):
        toys_to_reach(40.0)
