"""Set-up A with nuisances: draws at nu, the exact ratio, and yields."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
from scipy.stats import expon, kstest, norm

from nplm.data.sample import Sample
from nplm.nuisance.ratios.base import log_ratio
from nplm.toys.samplers import PoolSampler
from toys import exponential
from toys.exponential_nuisances import draw_data, draw_reference, exact_ratio, scale_ratio

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)


@pytest.mark.parametrize("scale", [-0.3, 0.15])
def test_the_ratio_is_that_of_densities_times_yields(scale: float) -> None:
    x = np.linspace(0.0, 20.0, 100)
    exact = expon.logpdf(x, scale=np.exp(scale)) - expon.logpdf(x)
    np.testing.assert_allclose(log_ratio(scale_ratio(), x[:, None], [scale]), exact, atol=1e-13)
    found = log_ratio(exact_ratio(), x[:, None], {"scale": scale, "norm": 0.2})
    np.testing.assert_allclose(found, exact + 0.2, atol=1e-13)
    again = pickle.loads(pickle.dumps(exact_ratio()))
    assert again.document() == exact_ratio().document()


def test_draws_at_nu_follow_the_moved_exponential(rng: np.random.Generator) -> None:
    nu = {"scale": 0.15, "norm": -0.3}
    data = draw_data(rng, 20_000.0, nu=nu)
    assert kstest(data.events[:, 0], expon(scale=np.exp(0.15)).cdf).pvalue > SIZE
    assert kstest(data.events[:, 0], expon.cdf).pvalue < SIZE
    mean = 20_000.0 * np.exp(-0.3)
    assert len(data) == pytest.approx(mean, abs=REACH * np.sqrt(mean))
    reference = draw_reference(rng, 5000, 300.0, nu)
    assert reference.total_weight == pytest.approx(300.0 * np.exp(-0.3))
    assert kstest(reference.events[:, 0], expon(scale=np.exp(0.15)).cdf).pvalue > SIZE


def test_signals_do_not_move(rng: np.random.Generator) -> None:
    data = draw_data(rng, 10.0, exponential.TAIL, 5000.0, {"scale": 0.5})
    assert kstest(data.events[data.events[:, 0] > 5.5, 0], norm(6.4, 0.16).cdf).pvalue > SIZE


def test_at_zero_it_is_the_problem_without_nuisances() -> None:
    ours, plain = (module_draw(np.random.default_rng(3)) for module_draw in (draw_data, exponential.draw_data))
    assert ours.fingerprint() == plain.fingerprint()


def test_a_reweighted_pool_gives_what_is_drawn_at_nu(rng: np.random.Generator) -> None:
    nu = {"scale": 0.15, "norm": 0.1}
    pool = draw_reference(rng, 400_000, 20_000.0)
    weights = pool.weights * np.exp(log_ratio(exact_ratio(), pool.events, nu))
    # E_0[r] is the ratio of the yields.
    assert weights.sum() == pytest.approx(
        20_000.0 * np.exp(0.1), rel=REACH * weights.std() / weights.mean() / len(pool) ** 0.5
    )
    reweighted = Sample(pool.events, weights, pool.features)
    toy = PoolSampler(reweighted, reweighted.total_weight)(jax.random.key(1))
    # The same events may be drawn repeatedly: their share is a twentieth.
    assert kstest(toy.events[:, 0], expon(scale=np.exp(0.15)).cdf).pvalue > SIZE
    assert kstest(toy.events[:, 0], expon.cdf).pvalue < SIZE


def test_unknown_nuisances_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="unknown nuisance shape: there are scale, norm"):
        draw_data(rng, nu={"shape": 1.0})
