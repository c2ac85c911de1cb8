"""F = f + log r in the place of the network: values, derivatives, and the auxiliary term."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.models.network.events import one_chunk
from nplm.models.network.joint import JointNetwork
from nplm.models.network.loss import expand, network_loss
from nplm.models.network.mlp import Layout, with_ones
from nplm.nuisance.ratios.base import log_ratio
from tests.nuisance.problems import SIGMA, scale_and_normalization

NUISANCES = scale_and_normalization()
JOINT = JointNetwork(Layout((1, 3, 1)), NUISANCES)
EXPAND = jax.jit(expand, static_argnums=0)
MEASURED = np.array([0.2, -0.1])


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture
def point(rng: np.random.Generator) -> np.ndarray:
    """Parameters of the network, then scale and normalization."""
    return np.append(rng.normal(size=10), [0.3, -0.2])


def rows(events: np.ndarray) -> np.ndarray:
    return np.column_stack([events, NUISANCES.ratio.basis(events)])


def test_it_is_the_network_and_the_log_ratio(point: np.ndarray, rng: np.random.Generator) -> None:
    events = rng.exponential(size=(50, 1))
    x = jnp.asarray(with_ones(rows(events)))
    f = JOINT.network.forward(jnp.asarray(point[:10]), jnp.asarray(with_ones(events)))
    expected = np.asarray(f) + log_ratio(NUISANCES.ratio, events, point[10:])
    np.testing.assert_allclose(JOINT.forward(jnp.asarray(point), x), expected, rtol=1e-12, atol=1e-13)
    assert JOINT.parameters == 12


def test_jacobian_is_that_of_forward(point: np.ndarray, rng: np.random.Generator) -> None:
    x, p = jnp.asarray(with_ones(rows(rng.exponential(size=(50, 1))))), jnp.asarray(point)
    value, jacobian = jax.jit(JOINT.value_and_jacobian)(p, x)
    np.testing.assert_allclose(value, JOINT.forward(p, x), rtol=1e-12)
    np.testing.assert_allclose(
        jacobian.T, jax.jit(jax.jacfwd(lambda q: JOINT.forward(q, x)))(p), rtol=1e-12, atol=1e-13
    )


def test_the_expansion_holds_the_auxiliary_likelihood(point: np.ndarray, rng: np.random.Generator) -> None:
    events, data = rng.exponential(size=(300, 1)), rng.exponential(size=(280, 1))
    p, reference = jnp.asarray(point), one_chunk(rows(events), np.ones(300), np.float64)
    free = one_chunk(rows(data), np.ones(280), np.float64)
    constrained = free._replace(auxiliary=jnp.asarray(MEASURED))
    without, found = (EXPAND(JOINT, p, reference, d) for d in (free, constrained))
    nu = point[10:]
    # Half of ((a - nu)^2 - a^2) / sigma^2, its gradient and its second derivatives.
    term = ((MEASURED - nu) ** 2 - MEASURED**2).sum() / (2 * SIGMA**2)
    assert float(found.loss - without.loss) == pytest.approx(term, rel=1e-9)
    np.testing.assert_allclose((found.gradient - without.gradient)[10:], (nu - MEASURED) / SIGMA**2, rtol=1e-9)
    np.testing.assert_allclose(
        found.curvature - without.curvature,
        np.diag(np.append(np.zeros(10), np.full(2, SIGMA**-2))),
        atol=1e-9,
    )
    loss, gradient = jax.jit(jax.value_and_grad(lambda q: network_loss(JOINT, q, reference, constrained)))(p)
    assert float(found.loss) == pytest.approx(float(loss), rel=1e-12)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


def test_single_precision_stays_single(point: np.ndarray, rng: np.random.Generator) -> None:
    """The constants of nuisances are in double precision, which must not spread to the sums over cells."""
    single = [one_chunk(rows(rng.exponential(size=(n, 1))), np.ones(n), np.float32) for n in (300, 280)]
    data = single[1]._replace(auxiliary=jnp.asarray(MEASURED))
    expansion = EXPAND(JOINT, jnp.asarray(point, jnp.float32), single[0], data)
    assert {leaf.dtype for leaf in expansion} == {jnp.dtype(jnp.float32)}
    exact = EXPAND(JOINT, jnp.asarray(point), *(jax.tree.map(lambda a: a.astype(float), d) for d in (single[0], data)))
    assert float(expansion.loss) == pytest.approx(float(exact.loss), rel=1e-4)
