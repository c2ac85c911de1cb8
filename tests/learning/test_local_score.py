"""The local score: near the exact one, and its histogram keeps the information."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nplm.learning import LocalScore, MorphedSample, RegressionSettings, learn_local_score, read_score, write_score
from nplm.nuisance.ratios.base import log_ratio
from toys.interference import PARAMETERS, Interference

PROBLEM = Interference(3)
POINTS = [{}, {"c_even": 1.0}, {"c_even": -1.0}, {"c_odd": 1.0}, {"c_odd": -1.0}, {"c_even": 1.0, "c_odd": 1.0}]
SETTINGS = RegressionSettings(members=2, centers=100)


@cache
def morphed(n: int = 30_000, seed: int = 1) -> MorphedSample:
    sample, weights = PROBLEM.draw_weighted(np.random.default_rng(seed), n, POINTS)
    return MorphedSample.of(sample, weights, POINTS, PARAMETERS)


@cache
def score() -> LocalScore:
    return learn_local_score(morphed(), settings=SETTINGS)


def test_it_is_the_mean_of_the_joint_score() -> None:
    x, _ = PROBLEM.draw(np.random.default_rng(7), 20_000)
    exact, found = PROBLEM.score(x), score().values(x)
    for i in range(2):
        assert np.corrcoef(exact[:, i], found[:, i])[0, 1] ** 2 > 0.94
        assert np.polyfit(exact[:, i], found[:, i], 1)[0] == pytest.approx(1, abs=0.08)
    # From scores that a generator gives, without weights elsewhere, it is the same.
    sample = morphed().sample
    joint = morphed().joint_score()
    same = learn_local_score(sample, {name: joint[:, i] for i, name in enumerate(PARAMETERS)}, settings=SETTINGS)
    np.testing.assert_allclose(same.values(x[:100]), found[:100], atol=1e-8)


def test_its_histogram_keeps_the_information() -> None:
    """On other events; binned in m alone there is much less."""
    histogram = score().histogram(morphed(seed=2))
    exact = PROBLEM.information()
    share = np.diag(histogram.information) / np.diag(exact)
    assert (share > 0.85).all()
    # No more than there is, but for the fluctuations of 60 bins, about 60 / 30,000 x 1000 / 118.
    assert (share < 1.05).all()
    assert histogram.bins.count == 60
    assert (np.bincount(histogram.bins_of(morphed(seed=2).sample.events)) >= 100).all()
    np.testing.assert_allclose(histogram.expected.sum(), PROBLEM.expected_yield)
    sample = morphed(seed=2)
    edges = np.quantile(sample.sample["m"], np.linspace(0, 1, 21))
    edges[[0, -1]] = -100, 100
    step = 1e-3
    up, down = (sample.histogram("m", edges, {"c_even": s * step}).value for s in (1, -1))
    of_m = (((up - down) / (2 * step)) ** 2 / sample.histogram("m", edges, {}).value).sum()
    assert of_m < 0.5 * exact[0, 0]


def test_its_likelihood_is_that_of_bins() -> None:
    """log r is log of the ratio of yields in the bin, by morphing, at any theta."""
    sample = morphed(seed=2)
    histogram = score().histogram(sample, bins=30, reach=0.25)
    x = PROBLEM.draw(np.random.default_rng(3), 500)[0]
    theta = {"c_even": 0.2, "c_odd": -0.15}
    w = sample.weights_at(theta)
    bins = histogram.bins_of(sample.sample.events)
    ratio = np.bincount(bins, w, len(histogram.expected)) / np.bincount(
        bins, sample.sample.weights, len(histogram.expected)
    )
    np.testing.assert_allclose(log_ratio(histogram.ratio, x, theta), np.log(ratio[histogram.bins_of(x)]), atol=1e-3)


def test_scores_as_features_and_in_a_file(tmp_path: Path) -> None:
    observed = score().sample(morphed().sample)
    assert observed.features == ("score_c_even", "score_c_odd")
    np.testing.assert_array_equal(observed.events, score().values(morphed().sample.events))
    write_score(tmp_path / "score.npz", score())
    found = read_score(tmp_path / "score.npz")
    np.testing.assert_array_equal(
        found.values(observed_events := morphed().sample.events[:50]), score().values(observed_events)
    )
    assert found.parameters == PARAMETERS
    assert (found.spread(observed_events) > 0).all()
    (tmp_path / "other.npz").write_text("no")
    with pytest.raises(ValueError, match="holds no local score"):
        read_score(tmp_path / "other.npz")


def test_bad_input_is_refused() -> None:
    sample = morphed().sample
    zeros = np.zeros(len(sample))
    with pytest.raises(ValueError, match="the score of c is 0 for all events"):
        learn_local_score(sample, {"c": zeros})
    with pytest.raises(ValueError, match="score of c must have shape"):
        learn_local_score(sample, {"c": zeros[:5]})
    with pytest.raises(ValueError, match="score of c is nan for event 0"):
        learn_local_score(sample, {"c": zeros + np.nan})
    with pytest.raises(ValueError, match="needs a name"):
        learn_local_score(sample)
    with pytest.raises(ValueError, match="leave out scores"):
        learn_local_score(morphed(), {"c_even": zeros})
    with pytest.raises(ValueError, match="two bins or more, not 1"):
        score().histogram(morphed(seed=2), bins=1)
    with pytest.raises(ValueError, match="has 150 effective events, too few for bins of 100"):
        score().histogram(morphed(seed=2).select(np.arange(150)))
    with pytest.raises(ValueError, match="has the features x0, and the score was learned for m, phi, y"):
        score().sample(type(sample)(np.ones(3)))
    one = MorphedSample.of(sample, morphed().coefficients[:, [0]] * [1, 1.1, 0.9], [{"c": 0}, {"c": 1}, {"c": -1}])
    with pytest.raises(ValueError, match="the score is of c_even, c_odd, and the weights are of c"):
        score().histogram(one)
