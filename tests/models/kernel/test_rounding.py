"""Many modes of smooth kernels are differences of large numbers: fits end all the same, in a few steps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.likelihood.log_linear import Blocks, reference_sums
from nplm.likelihood.log_linear_fit import Extended, FiniteReference, minimize
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel


def draw(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.exponential(size=(n, 2)), rng.normal(size=(n, 3))])


@pytest.fixture(scope="module")
def streamed() -> PreparedKernel:
    """The default kernel model of 15,000 events in five dimensions, whose modes are not held."""
    test = NPLMTest(draw(1, 15_000), KernelModel(reference_exact=True), expected_yield=3000)
    assert isinstance(test.prepared, PreparedKernel)
    assert np.abs(test.prepared.modes.transform).max() > 1e5
    return test.prepared


def exact_sums(kernel: PreparedKernel, events: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sum w phi and sum w e^f phi in extended precision."""
    modes, wide = kernel.modes, np.longdouble
    x, centers, width = kernel.scaler(events).astype(wide), modes.centers.astype(wide), wide(modes.width)
    phi = np.exp(-((x[:, None] - centers) ** 2).sum(axis=2) / (2 * width**2)) @ modes.transform.astype(wide)
    return phi.sum(axis=0) / 5, (np.exp(phi @ b.astype(wide)) @ phi) / 5


def test_sums_over_kernels_are_rounded_no_more_than_what_departs_from_the_reference(streamed: PreparedKernel) -> None:
    blocks, modes = streamed.blocks, streamed.modes
    assert blocks.centers is not None
    b = np.random.default_rng(3).normal(size=modes.count) / (1 + modes.penalty)
    at_zero, expected = exact_sums(streamed, draw(1, 15_000), b)
    with jax.enable_x64(True):
        known = blocks._replace(expected=jnp.asarray(at_zero.astype(float)))
        errors = [
            np.abs(np.asarray(reference_sums(of, jnp.asarray(b)[None])[1][0]) - expected).astype(float).max()
            for of in (known, blocks._replace(expected=None))
        ]
    assert errors[0] < errors[1] / 5


@pytest.mark.parametrize("exact", [True, False])
def test_rounding_does_not_keep_a_fit_from_its_end(streamed: PreparedKernel, exact: bool) -> None:
    data = Sample(streamed.scaler(draw(2, 3000)))
    phi = streamed.modes(data.events)
    with jax.enable_x64(True):
        of_data = Blocks(jnp.asarray(phi)[None, None], jnp.ones((1, 1, len(phi))))
        extended = Extended(streamed.blocks, jnp.asarray(phi.sum(axis=0))[None])
        likelihood = extended if exact else FiniteReference(streamed.blocks, of_data, jnp.full(1, 0.2))
        end = minimize(likelihood, jnp.asarray(streamed.modes.penalty), jnp.zeros((1, streamed.modes.count)))
    assert bool(end.converged[0])
    assert int(end.iterations) < 10
