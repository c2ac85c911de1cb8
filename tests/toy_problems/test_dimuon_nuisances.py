"""Dimuons with nuisances: the exact ratio, acceptance included, against events drawn at nu."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

from nplm.data.sample import Sample
from nplm.nuisance.ratios.base import log_ratio
from nplm.toys.samplers import PoolSampler
from toys.dimuon import invariant_mass
from toys.dimuon_density import MuonDensity
from toys.dimuon_nuisances import BARREL, MAX_PT, NUISANCES, SCALED_DIMUON, ScaledDimuon, endcap_muons, measured

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)


@pytest.mark.parametrize("scales", [(0.02, 0.0), (0.0, 0.02), (0.02, -0.01)], ids=str)
def test_the_mean_ratio_is_the_ratio_of_accepted_events(scales: tuple[float, float], rng: np.random.Generator) -> None:
    """The same generated events measured at both nu: only those that cross a cut count in the error."""
    n = 300_000
    generated = SCALED_DIMUON.process.sample(rng, n)
    before, after = (SCALED_DIMUON.accepts(measured(generated, *s)).astype(float) for s in ((0.0, 0.0), scales))
    accepted = measured(generated, 0.0, 0.0)[before > 0]
    r = np.zeros(n)
    r[before > 0] = np.exp(SCALED_DIMUON.exact_log_ratio(accepted, np.array(scales)))
    error = REACH * (after - r).std() / n**0.5
    assert after.mean() == pytest.approx(r.mean(), abs=error)
    # Both Jacobian and motion of the dimuon count: without the former it would be off by 2% or more.
    factors = np.where(np.abs(accepted[:, 2:4]) < BARREL, *scales).sum(axis=1)
    assert abs((r[before > 0] * np.exp(factors)).sum() / n - after.mean()) > error


def test_the_density_does_not_know_which_muon_leads(rng: np.random.Generator) -> None:
    density, events = MuonDensity(SCALED_DIMUON.process), SCALED_DIMUON.draw(rng, 1000)
    swapped = events[:, [1, 0, 3, 2, 4]]
    np.testing.assert_allclose(density(swapped), density(events), atol=1e-10)
    mirrored = events * [1.0, 1.0, -1.0, -1.0, 1.0]
    np.testing.assert_allclose(density(mirrored), density(events), atol=1e-10)
    below = events * [0.5, 0.5, 1.0, 1.0, 1.0]
    assert np.all(np.isneginf(density(below)[invariant_mass(below) < 95.0]))


def test_all_nuisances_together_are_exact(rng: np.random.Generator) -> None:
    events = SCALED_DIMUON.draw(rng, 5000)
    ratio = SCALED_DIMUON.exact_ratio()
    assert ratio.nuisances == NUISANCES
    for barrel, endcap in ((0.0, 0.0), (0.01, -0.02), (-0.025, 0.025)):
        exact = SCALED_DIMUON.exact_log_ratio(events, np.array([barrel, endcap]))
        found = log_ratio(ratio, events, [barrel, endcap, -0.1, 0.3])
        np.testing.assert_allclose(found, exact - 0.1 * endcap_muons(events) + 0.3, atol=1e-4)


def test_reweighted_events_are_those_drawn_at_nu(rng: np.random.Generator) -> None:
    """Kolmogorov and Smirnov in each feature and in the mass."""
    nu = {"barrel": 0.015, "endcap": -0.01, "efficiency": -0.2, "norm": 0.1}
    pool, drawn = SCALED_DIMUON.draw(rng, 60_000), SCALED_DIMUON.draw(rng, 5000, nu)
    weights = np.exp(log_ratio(SCALED_DIMUON.exact_ratio(), pool, nu))
    plain, moved = (
        PoolSampler(Sample(pool, w), 5000.0)(jax.random.key(1)).events for w in (np.ones(len(pool)), weights)
    )

    def p_values(toy: np.ndarray) -> np.ndarray:
        columns = list(zip(toy.T, drawn.T, strict=True))
        columns += [(f(toy), f(drawn)) for f in (invariant_mass, endcap_muons)]
        return np.array([ks_2samp(a, b).pvalue for a, b in columns])

    assert p_values(moved).min() > SIZE
    assert p_values(plain).min() < SIZE


def test_draws_pass_the_cuts_and_have_the_yield_of_nu(rng: np.random.Generator) -> None:
    nu = {"barrel": 0.02, "efficiency": 0.1}
    events = SCALED_DIMUON.draw(rng, 3000, nu)
    assert SCALED_DIMUON.accepts(events).all()
    assert np.all(events[:, 0] >= events[:, 1])
    assert events[:, 0].max() < MAX_PT
    expected = SCALED_DIMUON.yield_at(nu)
    assert expected / SCALED_DIMUON.expected_yield > 1.1
    assert len(SCALED_DIMUON.draw_data(rng, nu=nu)) == pytest.approx(expected, abs=REACH * expected**0.5)
    reference = SCALED_DIMUON.draw_reference(rng, 500, 300.0, nu)
    assert reference.total_weight == pytest.approx(300.0 * expected / 20_000.0)
    assert reference.features == SCALED_DIMUON.features
    assert SCALED_DIMUON.draw_reference(rng, 500).total_weight == pytest.approx(20_000.0)


def test_more_efficiency_means_more_endcap_muons(rng: np.random.Generator) -> None:
    n, shares = 20_000, []
    for efficiency in (-0.5, 0.0, 0.5):
        muons = endcap_muons(SCALED_DIMUON.draw(rng, n, {"efficiency": efficiency}))
        shares.append(np.bincount(muons.astype(int), minlength=3) / n)
    for moved, efficiency in ((shares[0], -0.5), (shares[2], 0.5)):
        expected = shares[1] * np.exp(efficiency * np.arange(3))
        expected /= expected.sum()
        np.testing.assert_allclose(moved, expected, atol=2 * REACH * 0.5 / n**0.5)
    assert shares[2][2] > 1.3 * shares[0][2]


def test_it_is_picklable_and_refuses_what_it_does_not_know(rng: np.random.Generator) -> None:
    again = pickle.loads(pickle.dumps(SCALED_DIMUON))
    assert again == SCALED_DIMUON
    assert again.exact_ratio().document() == SCALED_DIMUON.exact_ratio().document()
    with pytest.raises(ValueError, match="barrel and endcap must be within the reach"):
        SCALED_DIMUON.draw(rng, 10, {"endcap": 0.1})
    with pytest.raises(ValueError, match=r"reach must be positive and at most 0\.1, not 0\.2"):
        ScaledDimuon(reach=0.2)
    with pytest.raises(ValueError, match="unknown nuisance scale"):
        SCALED_DIMUON.draw(rng, 10, {"scale": 0.1})
