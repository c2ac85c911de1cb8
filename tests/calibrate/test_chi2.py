"""The chi2 null and its check against toys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma

from nplm.calibrate.chi2 import Chi2Null


@pytest.mark.parametrize(("t", "dof"), [(3.0, 2), (11.6, 13), (60.0, 13)])
def test_p_value_is_the_integral_of_the_density(t: float, dof: int) -> None:
    p, _ = quad(lambda x: x ** (dof / 2 - 1) * np.exp(-x / 2) / (2 ** (dof / 2) * gamma(dof / 2)), t, np.inf)
    assert Chi2Null(dof).pvalue(t) == pytest.approx(p, rel=1e-6)
    assert Chi2Null(dof).interval(t) == (Chi2Null(dof).pvalue(t), Chi2Null(dof).pvalue(t))


def test_tail_does_not_saturate() -> None:
    assert 0 < Chi2Null(13).pvalue(1000.0) < 1e-190


def test_check_tells_degrees_of_freedom_apart(rng: np.random.Generator) -> None:
    toys = rng.chisquare(13, 1000)
    with_failures = np.concatenate([toys, np.full(50, np.nan)])
    # A test of size 1e-3: a right chi2 passes, one of two degrees of freedom more does not.
    assert Chi2Null(13).compatibility(with_failures) > 1e-3
    assert Chi2Null(13).compatibility(with_failures) == Chi2Null(13).compatibility(toys)
    assert Chi2Null(15).compatibility(toys) < 1e-3


def test_description_names_the_degrees_of_freedom() -> None:
    assert Chi2Null(13).describe() == "chi2 with 13 degrees of freedom"
