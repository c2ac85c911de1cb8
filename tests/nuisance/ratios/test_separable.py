"""Log-ratios in separable form: densities, yields, derivatives, and sums by name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy.integrate import quad
from scipy.stats import expon

from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.separable import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.values import nu_of


def exponential_c(nu: Array) -> Array:
    return jnp.stack([-nu[0], -jnp.expm1(-nu[0])])


SCALE = SeparableLogRatio("scale", exponential_c, lambda events: events[:, 0], "an exponential whose scale moves")
BOTH = SumOfLogRatios([SCALE, Normalization("norm")])
X = np.linspace(0.0, 30.0, 200)[:, None]


@pytest.mark.parametrize("nu", [-0.6, -0.15, 0.0, 0.15, 0.6])
def test_the_ratio_is_that_of_the_densities_and_integrates_to_the_yield(nu: float) -> None:
    """Identity: log r = -nu - x (e^-nu - 1), of Exp(e^nu) to Exp(1)."""
    scale = np.exp(nu)
    exact = expon.logpdf(X[:, 0], scale=scale) - expon.logpdf(X[:, 0])
    np.testing.assert_allclose(log_ratio(SCALE, X, [nu]), exact, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(log_ratio(BOTH, X, {"norm": 0.3, "scale": nu}), exact + 0.3, rtol=1e-13, atol=1e-13)

    def density(x: float) -> float:
        return float(np.exp(-x + log_ratio(BOTH, np.array([[x]]), [nu, 0.3])[0]))

    assert quad(density, 0, 200, limit=200)[0] == pytest.approx(np.exp(0.3), rel=1e-8)


def test_derivatives_at_zero_are_d1_and_d2_also_compiled() -> None:
    """d1 = x - 1 and d2 = -x."""
    with jax.enable_x64(True):
        zero = jnp.zeros(2)
        first = np.asarray(jax.jit(jax.jacfwd(BOTH.coefficients))(zero))
        second = np.asarray(jax.jit(jax.jacfwd(jax.grad(lambda nu: BOTH.coefficients(nu)[1])))(zero))
        many = np.asarray(jax.vmap(BOTH.coefficients)(jnp.array([[0.0, 0.1], [0.2, 0.0]])))
    rows = np.column_stack([np.ones(len(X)), BOTH.basis(X)])
    np.testing.assert_allclose(rows @ first, np.column_stack([X[:, 0] - 1, np.ones(len(X))]), atol=1e-14)
    np.testing.assert_allclose(second, [[-1.0, 0.0], [0.0, 0.0]], atol=1e-14)
    np.testing.assert_allclose(many, [[0.1, 0.0], [-0.2, -np.expm1(-0.2)]], atol=1e-15)


def test_a_nuisance_of_two_parts_moves_both_and_order_is_that_of_appearance() -> None:
    correlated = SeparableLogRatio(("norm", "scale"), lambda nu: jnp.stack([0.0 * nu[0], nu[0] * nu[1]]), lambda x: x)
    total = SumOfLogRatios([Normalization("other", unit=2.0), correlated, SCALE, Normalization("norm")])
    assert total.nuisances == ("other", "norm", "scale")
    assert total.size == 2
    nu = {"other": 0.5, "norm": -0.4, "scale": 0.2}
    expected = 1.0 - 0.4 * 0.2 * X[:, 0] + log_ratio(SCALE, X, [0.2]) - 0.4
    np.testing.assert_allclose(log_ratio(total, X, nu), expected, rtol=1e-13)
    document = total.document()
    assert [part["kind"] for part in document["parts"]] == ["normalization", "separable", "separable", "normalization"]


def test_documents_tell_functions_apart() -> None:
    other = SeparableLogRatio("scale", lambda nu: jnp.stack([nu[0], nu[0]]), lambda events: events[:, 0])
    same = SeparableLogRatio("scale", exponential_c, lambda events: events[:, 0], SCALE.description)
    assert SCALE.document() == same.document()
    assert SCALE.document()["coefficients"] != other.document()["coefficients"]


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"c of scale must be 0 at nu = 0.*not \[1.0\]"):
        SeparableLogRatio("scale", lambda nu: jnp.exp(nu))
    with pytest.raises(ValueError, match="c of scale has 2 values: give g"):
        SeparableLogRatio("scale", exponential_c)
    with pytest.raises(ValueError, match="distinct, but a is given more than once"):
        SeparableLogRatio(("a", "b", "a"), lambda nu: nu)
    with pytest.raises(ValueError, match="unit of the normalization lumi"):
        Normalization("lumi", unit=0.0)
    with pytest.raises(ValueError, match="one log-ratio or more"):
        SumOfLogRatios([])
    wide = SeparableLogRatio("scale", exponential_c, lambda events: np.column_stack([events, events]))
    with pytest.raises(ValueError, match=r"g of scale has shape \(200, 2\).*c has 1"):
        wide.basis(X)
    with (
        np.errstate(divide="ignore"),
        pytest.raises(ValueError, match=r"g of scale is not finite at the event \[0.0\]"),
    ):
        SeparableLogRatio("scale", exponential_c, lambda events: np.log(events)).basis(X)
    with pytest.raises(ValueError, match="unknown nuisance lumi: there are scale, norm"):
        nu_of(BOTH.nuisances, {"lumi": 1.0})
    with pytest.raises(ValueError, match=r"nu must have shape \(2,\) for scale, norm, not \(3,\)"):
        nu_of(BOTH.nuisances, [0.0, 0.0, 1.0])
