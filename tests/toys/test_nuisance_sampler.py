"""Toys at a point of the nuisances: events as if drawn there, measurements around it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import expon, kstest, norm

from nplm.nuisance.constraints.base import Constraints
from nplm.nuisance.constraints.control_region import PoissonControlRegion
from nplm.nuisance.constraints.gaussian import GaussianConstraint
from nplm.nuisance.nuisances import Nuisances
from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
from nplm.toys.samplers import PoolSampler
from toys.exponential_nuisances import draw_reference, exact_ratio

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)
# In another order than the log-ratio's, scale and norm.
NUISANCES = Nuisances(
    exact_ratio(), Constraints([PoissonControlRegion("norm", 100, 100.0), GaussianConstraint("scale", 0.15)])
)
NU = np.array([0.2, -0.3])


def sampler(rng: np.random.Generator, nu: np.ndarray, expected: float) -> NuisanceSampler:
    reference = draw_reference(rng, 300_000, 20_000.0)
    return sampler_at(PoolSampler(reference, expected), NUISANCES, nu)


def test_events_of_a_reweighted_pool_are_those_of_nu(rng: np.random.Generator) -> None:
    toy = sampler(rng, NU, 10_000.0)(jax.random.key(3))
    assert kstest(toy.events[:, 0], expon(scale=np.exp(0.2)).cdf).pvalue > SIZE
    mean = 10_000.0 * np.exp(-0.3)
    assert len(toy) == pytest.approx(mean, abs=REACH * np.sqrt(mean))
    # Negative control: the pool as it is.
    plain = sampler(rng, np.zeros(2), 10_000.0)(jax.random.key(3))
    assert kstest(plain.events[:, 0], expon(scale=np.exp(0.2)).cdf).pvalue < SIZE


def test_measurements_come_with_the_events_around_the_truth(rng: np.random.Generator) -> None:
    draw, n = sampler(rng, NU, 10.0), 1000
    toys = [draw(jax.random.fold_in(jax.random.key(5), i)) for i in range(n)]
    counts, scales = np.array([toy.auxiliary for toy in toys]).T
    expected = 100.0 * np.exp(-0.3)
    assert counts.mean() == pytest.approx(expected, abs=REACH * np.sqrt(expected / n))
    assert kstest(scales, norm(0.2, 0.15).cdf).pvalue > SIZE
    assert kstest(scales, norm(0.0, 0.15).cdf).pvalue < SIZE
    # They fluctuate on their own, and are the same for the same key.
    assert abs(np.corrcoef(scales, [len(toy) for toy in toys])[0, 1]) < REACH / np.sqrt(n)
    again = draw(jax.random.fold_in(jax.random.key(5), 7))
    np.testing.assert_array_equal(again.auxiliary, toys[7].auxiliary)
    assert again.fingerprint() == toys[7].fingerprint()


def test_a_nuisance_that_one_side_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing constrains norm"):
        Nuisances(exact_ratio(), GaussianConstraint("scale", 0.15))
    with pytest.raises(ValueError, match=r"lumi is constrained, but no log-ratio depends on it.*scale, norm"):
        Nuisances(exact_ratio(), GaussianConstraint(("scale", "norm", "lumi"), 0.15))
