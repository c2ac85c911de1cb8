"""Log-ratios event by event: of the separable form, by JAX, and several as one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.nuisance import JaxLogRatio, Normalization, SeparableLogRatio, log_ratio
from nplm.nuisance.ratios.pointwise import Separable, Together, of_columns


def test_the_separable_form_is_the_same_event_by_event() -> None:
    ratio = SeparableLogRatio(("a", "b"), lambda nu: jnp.array([nu[0], nu[0] * nu[1]]), lambda x: x[:, :1])
    each = of_columns(ratio)
    assert isinstance(each, Separable)
    x = np.random.default_rng(1).normal(size=(20, 2))
    with jax.enable_x64(True):
        found = np.asarray(each.log_r(jnp.asarray(each.columns(x)), jnp.array([0.3, -0.2])))
    np.testing.assert_allclose(found, log_ratio(ratio, x, [0.3, -0.2]), atol=1e-14)


def test_several_add_up_and_share_names() -> None:
    first = JaxLogRatio(("a", "b"), lambda x, nu: nu[0] * x[:, 0] + nu[1])
    parts = (first, of_columns(Normalization("c")), JaxLogRatio("b", lambda x, nu: nu[0] ** 2 * x[:, 0]))
    x = np.arange(3.0)[:, None]
    columns = [part.columns(x) for part in parts]
    together = Together(parts, tuple(each.shape[1] for each in columns))
    assert together.nuisances == ("a", "b", "c")
    with jax.enable_x64(True):
        found = together.log_r(jnp.asarray(np.concatenate(columns, axis=1)), jnp.array([0.5, 2.0, 0.1]))
    np.testing.assert_allclose(found, 0.5 * x[:, 0] + 2.0 + 0.1 + 4.0 * x[:, 0])
    # Compilations are shared by sums of the same parts.
    assert together == Together(parts, together.sizes)
    assert hash(together) == hash(Together(parts, together.sizes))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, nu: nu[0] + 1 + x[:, 0], "must be 0 at 0"),
        (lambda x, nu: nu[0] * x, "must return shape"),
        (lambda x, nu: nu[0] * jnp.log(-x[:, 0]), "must be 0 at 0"),
    ],
)
def test_a_function_that_cannot_be_is_refused(function, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JaxLogRatio("a", function).columns(np.ones((4, 1)))


def test_names_are_distinct() -> None:
    with pytest.raises(ValueError, match="distinct"):
        JaxLogRatio(("a", "a"), lambda x, nu: x[:, 0])
