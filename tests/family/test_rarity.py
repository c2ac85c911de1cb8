"""Kernels of all features in which rare events count more: weights, modes by the plain definition, ties and size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from experiments.scored.samples import background, distance, rare
from nplm import FamilyTest, Sample
from nplm.family import FamilySettings
from nplm.family.rarity import POWER, Rarity, leaves_by_rarity
from nplm.family.settings import RARITY
from nplm.family.statistic import Family
from nplm.scored import ScoredTest
from nplm.two_sample.pooled import Pool

SETTINGS = FamilySettings(classes=("all",))


def _pair(rng: np.random.Generator, n_a: int = 700, n_b: int = 500) -> tuple[Sample, Sample, Rarity]:
    a, b = (Sample(rng.normal(size=(n, 3))) for n in (n_a, n_b))
    return a, b, Rarity(*((each.events**2).sum(axis=1) for each in (a, b)))


def test_weights_are_the_share_that_is_as_rare_to_the_power_of_a_quarter() -> None:
    a, b = Sample(np.arange(6.0)[:, None], np.array([1.0, 1, 1, 1, 2, 2])), Sample(np.arange(2.0)[:, None])
    rarity = Rarity(np.array([5.0, 1, 2, 2, 9, 3]), np.array([2.0, 4.0]))
    pool = Pool.of(a, b)
    m, score = np.abs(pool.masses), np.concatenate([rarity.score_a, rarity.score_b])[pool.order]
    plain = np.array([(m[score > s].sum() + m[score == s].sum() / 2) / m.sum() for s in score])
    # 36 / 8^2 of A is one effective event of it: 12 / 64.
    least = 12 / 64
    assert plain.min() < least < np.sort(plain)[2]
    np.testing.assert_allclose(rarity.weights(pool), np.maximum(plain, least) ** -0.25, rtol=1e-12)
    with pytest.raises(ValueError, match="one value, 3, at all events"):
        Rarity(np.full(6, 3.0), np.full(2, 3.0)).weights(pool)


def test_the_square_of_the_weights_has_a_mean_of_two() -> None:
    """E (1 - F)^(-1/2) = 2, and E (1 - F)^(-1) = log n + .6 + log 4 at ranks less a half."""
    rng = np.random.default_rng(1)
    a, b, rarity = _pair(rng, 4000, 4000)
    w = rarity.weights(Pool.of(a, b))
    assert (w**2).mean() == pytest.approx(2, rel=0.02)
    assert (w**4).mean() < np.log(8000) + np.log(4) + 0.6
    assert POWER == 0.25


def test_modes_are_kernels_times_the_weights_and_orthonormal() -> None:
    rng = np.random.default_rng(2)
    a, b, rarity = _pair(rng, 300, 200)
    family = Family.of(pool := Pool.of(a, b), SETTINGS, rarity=rarity)
    own = [part for part in family.parts if part.members[0].kind == RARITY]
    assert [len(part.members) for part in own] == [3, 3, 3, 3]
    w, z, m = rarity.weights(pool), family.scores, pool.masses
    for part in own:
        phi = part.phi_of(slice(None))
        np.testing.assert_allclose((phi * family.spread.second[:, None]).T @ phi, np.eye(part.modes), atol=1e-8)
        np.testing.assert_allclose(m @ phi, 0, atol=1e-8 * np.abs(phi).max() * len(m))
        # Kernels of this width at every event span what those at the centres do, once the weight is divided out.
        kernels = np.exp(-((z[:, None] - z[None]) ** 2).sum(axis=2) / (2 * part.members[0].scale ** 2))
        largest = np.abs(phi[:, :3]).max()
        for weight, spanned in ((w, True), (np.ones(len(w)), False)):
            columns = np.column_stack([weight[:, None] * kernels, np.ones(len(z))])
            rest = phi[:, :3] - columns @ np.linalg.lstsq(columns, phi[:, :3], rcond=1e-7)[0]
            assert bool(np.abs(rest).max() < 1e-3 * largest) is spanned
        t = phi.T @ (np.where(pool.in_b, 1 - family.q, -family.q) * m)
        number = next(k for k, (each, _) in enumerate(family.members) if each is part)
        assert family.t(family.observed())[0, number] == pytest.approx(part.members[0].shrinkage @ t**2, rel=1e-8)


def test_only_the_order_of_scores_counts_and_neither_order_of_events_nor_of_samples() -> None:
    rng = np.random.default_rng(3)
    a, b, rarity = _pair(rng)

    def t(a: Sample, b: Sample, rarity: Rarity) -> np.ndarray:
        return FamilyTest(a, b, settings=SETTINGS, rarity=rarity).t

    plain = t(a, b, rarity)
    monotone = Rarity(np.exp(rarity.score_a), np.exp(rarity.score_b))
    np.testing.assert_allclose(t(a, b, monotone), plain, rtol=1e-12)
    order = rng.permutation(len(a))
    shuffled = Sample(a.events[order], a.weights[order])
    np.testing.assert_allclose(t(shuffled, b, Rarity(rarity.score_a[order], rarity.score_b)), plain, rtol=1e-6)
    other = t(a, b, Rarity(-rarity.score_a, -rarity.score_b))
    assert np.abs(other / plain - 1)[:12].max() < 1e-12  # those without weights
    assert np.abs(other / plain - 1)[12:].max() > 0.1


def test_rare_events_are_apart_in_leaves() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(2000, 2))
    weights = (1 - rng.random(2000)) ** -POWER
    leaf = leaves_by_rarity(points, weights, 5)
    rare_ones = weights >= np.quantile(weights, 0.9)
    assert not set(leaf[rare_ones]) & set(leaf[~rare_ones])
    assert np.unique(leaf).tolist() == list(range(16 + 32))
    assert np.bincount(leaf).max() <= 2 * 1800 / 32


def test_a_rare_signal_is_seen_better_with_weights() -> None:
    """Off the surface, 55 of 2000: the smallest local p of kernels with weights, beside those without."""
    score = distance(background(np.random.default_rng(20), 4000), 5)
    gained = []
    for seed in range(4):
        rng = np.random.default_rng([5, seed])
        a, b = Sample(background(rng, 2000)), Sample(np.concatenate([background(rng, 1945), rare(rng, 55)]))
        test = FamilyTest(a, b, settings=SETTINGS, rarity=Rarity(score(a.events), score(b.events)))
        log_p = test.family.log_p(test.t[None])[0]
        kinds = np.array([member.kind for _, member in test.family.members])
        gained.append(log_p[kinds == "all"].min() - log_p[kinds == RARITY].min())
    assert min(gained) > 0
    assert np.mean(gained) > 2


def test_size_with_a_reference_of_its_own_in_each_trial() -> None:
    """60 trials; 10% of them would be 6, and the chance of a correct test to leave the range is 1e-3."""
    score = distance(background(np.random.default_rng(21), 1000), 5)
    p = []
    for seed in range(60):
        rng = np.random.default_rng([6, seed])
        a, b = Sample(background(rng, 300), np.full(300, 0.5)), Sample(background(rng, int(rng.poisson(150))))
        test = ScoredTest(a, score, (1,), weighted=True, settings=SETTINGS)
        p.append(test.run(b, resamples=99).p_value)
    low, high = binom.ppf([5e-4, 1 - 5e-4], len(p), 0.1)
    assert low <= (np.array(p) <= 0.1).sum() <= high
    assert 0.3 < (np.array(p) <= 0.5).mean() < 0.7
