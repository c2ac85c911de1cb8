"""Coordinates: ranks as normal quantiles, points on a circle, and what they must not depend on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib import resources
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import norm, rankdata

from nplm import HistogramModel, KernelModel, NPLMTest, Sample
from nplm.data import NormalScores, Scaler, coordinates_of
from nplm.data.coordinates import COORDINATES, CoordinateKind, coordinates_in, same_coordinates
from nplm.data.normal_scores import KNOTS
from nplm.data.periods import Circular, periods_of
from nplm.toys import Campaign, PoolSampler

KERNEL = KernelModel(width=1.0, centers=40, penalty=1e-4)
# Strictly increasing on the whole line, and far from affine.
INCREASING: list[Callable[[np.ndarray], np.ndarray]] = [np.exp, np.arcsinh, lambda x: 1e3 * x + x**3]


def spiky(rng: np.random.Generator, n: int) -> np.ndarray:
    """A third at zero, the others continuous around it."""
    x = rng.standard_t(3, size=n)
    x[rng.random(n) < 0.33] = 0.0
    return x


def test_scores_are_normal_quantiles_of_mid_ranks(rng: np.random.Generator) -> None:
    x = rng.poisson(3.0, size=500).astype(float)
    z = norm.ppf((rankdata(x) - 0.5) / 500)
    np.testing.assert_allclose(NormalScores.fit(Sample(x))(x[:, None])[:, 0], (z - z.mean()) / z.std(), rtol=1e-10)


def test_a_weight_counts_as_so_many_events(rng: np.random.Generator) -> None:
    x, count = rng.normal(size=200), rng.integers(0, 4, size=200)
    weighted = NormalScores.fit(Sample(x, count))
    repeated = NormalScores.fit(Sample(np.repeat(x, count)))
    np.testing.assert_allclose(weighted(x[:, None]), repeated(x[:, None]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("increasing", INCREASING)
def test_an_increasing_change_of_a_feature_leaves_the_reference_as_it_is(
    increasing: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> None:
    sample = Sample(np.column_stack([spiky(rng, 3000), rng.exponential(size=3000)]), rng.normal(1, 1, size=3000))
    changed = Sample(increasing(sample.events), sample.weights)
    ours, theirs = (NormalScores.fit(s)(s.events) for s in (sample, changed))
    np.testing.assert_array_equal(ours, theirs)
    # A scaler does not do this.
    scaled, other = (Scaler.fit(s)(s.events) for s in (sample, changed))
    assert abs(scaled - other).max() > 0.1


def test_a_decreasing_change_turns_the_coordinate_round(rng: np.random.Generator) -> None:
    x = spiky(rng, 2000)
    up, down = (NormalScores.fit(Sample(s * x))(s * x[:, None]) for s in (1.0, -1.0))
    np.testing.assert_allclose(up, -down, rtol=1e-9, atol=1e-11)


def test_writing_the_reference_differently_changes_nothing(rng: np.random.Generator) -> None:
    sample = Sample(spiky(rng, 1000), rng.uniform(-0.2, 1.0, size=1000))
    scores = NormalScores.fit(sample)
    order = rng.permutation(1000)
    far = Sample(np.append(sample.events, [[99.0]], axis=0), np.append(sample.weights, 0.0))
    halves = Sample(np.repeat(sample.events, 2, axis=0), np.repeat(sample.weights / 2, 2))
    for other in (halves, sample.select(order), far):
        np.testing.assert_allclose(NormalScores.fit(other)(sample.events), scores(sample.events), rtol=1e-9, atol=1e-12)
    fewer = sample.select(np.arange(900))
    assert abs(NormalScores.fit(fewer)(sample.events) - scores(sample.events)).max() > 1e-3


def test_scores_rise_between_events_and_end_with_the_reference(rng: np.random.Generator) -> None:
    # Signed weights too: each event counts with its size.
    scores = NormalScores.fit(Sample(spiky(rng, 800), rng.normal(size=800)))
    x = np.linspace(-60, 60, 40_001)[:, None]
    z = scores(x)[:, 0]
    low, high = scores.values[0][[0, -1]]
    inside = (x[:, 0] > low) & (x[:, 0] < high)
    assert (np.diff(z[inside]) > 0).all()
    assert set(z[x[:, 0] <= low]) == {scores.scores[0][0]}
    assert set(z[x[:, 0] >= high]) == {scores.scores[0][-1]}
    np.testing.assert_allclose(scores.inverse(scores(x[inside])), x[inside], rtol=1e-9, atol=1e-9)


def test_a_spike_is_one_value_at_its_middle(rng: np.random.Generator) -> None:
    x = np.concatenate([np.zeros(600), rng.uniform(1, 2, size=400)])
    z = NormalScores.fit(Sample(x))(x[:, None])[:, 0]
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std() == pytest.approx(1, rel=1e-12)
    # Before they are rescaled: Phi^-1(0.3) at the spike, Phi^-1(0.6 + 0.4 (k - 1/2) / 400) at event k beside it.
    unscaled = norm.ppf([0.3, 0.6 + 0.4 * 0.5 / 400, 1 - 0.4 * 0.5 / 400])
    ours = np.array([z[0], z[600:].min(), z[600:].max()])
    assert np.diff(ours)[0] / np.diff(ours)[1] == pytest.approx(np.diff(unscaled)[0] / np.diff(unscaled)[1], rel=1e-9)


def test_a_flag_is_standardised(rng: np.random.Generator) -> None:
    flag = Sample((rng.random(1000) < 0.1).astype(float), rng.uniform(size=1000))
    np.testing.assert_allclose(NormalScores.fit(flag)(flag.events), Scaler.fit(flag)(flag.events), rtol=1e-9)


def test_many_values_share_few_knots(rng: np.random.Generator) -> None:
    x = rng.standard_cauchy(size=300_000)
    x[:1500] = 1e3 * np.arange(3).repeat(500)  # ties of 1/600 of the weight: less than heavy, more than a step
    x[1500:3000] = -7.0
    x[3000] = 1e9
    scores = NormalScores.fit(Sample(x))
    values = scores.values[0]
    assert 2048 < len(values) <= KNOTS
    assert values[[0, -1]].tolist() == [x.min(), 1e9]
    assert np.isin([0.0, 1e3, 2e3, -7.0], values).all()
    distinct = np.unique(x)
    at = np.searchsorted(distinct, -7.0)
    assert np.isin(distinct[at - 1 : at + 2], values).all()
    exact = norm.ppf((rankdata(x) - 0.5) / len(x))
    ours = scores(x[:, None])[:, 0]
    # Ties hardly change the deviation here, so that ranks can be compared.
    assert abs(norm.cdf(ours) - norm.cdf((exact - exact.mean()) / exact.std())).max() < 1 / 1024
    changed = NormalScores.fit(Sample(np.arcsinh(x)))
    np.testing.assert_array_equal(changed.values[0], np.arcsinh(values))
    np.testing.assert_allclose(changed.scores[0], scores.scores[0], atol=2e-3)


def test_the_largest_events_keep_apart_whatever_their_weight() -> None:
    scores = NormalScores.fit(Sample(np.arange(4.0), [1.0, 1.0, 1e-19, 1e-19]))
    assert np.isfinite(scores.scores[0]).all()
    assert (np.diff(scores.scores[0]) > 0).all()


def test_a_constant_feature_is_refused() -> None:
    with pytest.raises(ValueError, match=r"feature 'b' of sample is constant"):
        NormalScores.fit(Sample([[1.0, 2.0], [2.0, 2.0]], features=("a", "b")))


def test_a_circle_has_no_cut(rng: np.random.Generator) -> None:
    phi = rng.uniform(-np.pi, np.pi, size=4000)
    sample = Sample(np.column_stack([rng.exponential(size=4000), phi]), features=("pt", "phi"))
    circle = coordinates_of("normal-scores", sample, ["phi"])
    assert circle.dimension == 3
    assert [circle.columns(j) for j in (0, 1)] == [[0], [1, 2]]
    points = circle(sample.events)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose([points[:, 0].var(), points[:, 1:].var(axis=0).mean()], 1, rtol=1e-9)
    here, beyond = circle(np.array([[1.0, np.pi - 1e-3], [1.0, -np.pi + 1e-3]]))
    assert np.linalg.norm(here - beyond) < 3e-3
    cut = coordinates_of("standardized", sample)
    assert np.linalg.norm(np.diff(cut(np.array([[1.0, np.pi - 1e-3], [1.0, -np.pi + 1e-3]])), axis=0)) > 3


def test_distances_do_not_depend_on_where_an_angle_is_counted_from(rng: np.random.Generator) -> None:
    phi = (180 + 60 * rng.normal(size=500)) % 360
    phi[:2] = 0.0, 359.9
    turned = (phi + 77.0) % 360
    turned[:2] = (phi[:2] + 77.0) % 360
    distances = [
        pdist(coordinates_of("raw", Sample(x, features=["phi"]), {"phi": 360})(x[:, None])) for x in (phi, turned)
    ]
    np.testing.assert_allclose(*distances, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("low", "period"), [(0.0, 2 * np.pi), (-np.pi, 2 * np.pi), (0.0, 360.0), (-180.0, 360.0)])
def test_a_period_is_guessed_from_the_range(low: float, period: float, rng: np.random.Generator) -> None:
    sample = Sample(rng.uniform(low, low + period, size=300), features=["phi"])
    given = coordinates_of("raw", sample, {"phi": period})
    assert same_coordinates(coordinates_of("raw", sample, ["phi"]), given)
    assert not same_coordinates(coordinates_of("raw", sample, {"phi": 2 * period}), given)


def test_a_period_is_guessed_from_all_samples_but_not_from_what_does_not_count() -> None:
    halves = [Sample([low + 0.5, low + 178.0], features=["phi"]) for low in (0.0, 180.0)]
    assert periods_of(halves, ["phi"]) == {"phi": 360.0}
    for half in halves:
        with pytest.raises(ValueError, match="the period of 'phi' cannot be guessed"):
            periods_of([half], ["phi"])
    beside = Sample([0.0, 6.2, -999.0], [1.0, 1.0, 0.0], features=["phi"])
    assert periods_of([beside], ["phi"]) == {"phi": 2 * np.pi}


@pytest.mark.parametrize(
    ("circular", "message"),
    [
        (["hour"], r"the period of 'hour' cannot be guessed: it is between 0\.\d+ and 23\.9\d*, .*hour=6.2832"),
        (["phi"], "there is no feature 'phi' to be circular: run 7 has hour, x"),
        ({"hour": 0.0}, "the period of 'hour' must be a positive number, not 0"),
        ({"x": 1.0}, "feature 'x' of run 7 is at one angle of the period 1"),
        ("hour", r"names of features, such as \('hour',\)"),
    ],
)
def test_bad_circles_are_refused(circular: Circular, message: str, rng: np.random.Generator) -> None:
    events = np.column_stack([rng.uniform(0, 24, size=2000), rng.integers(0, 3, size=2000)])
    with pytest.raises(ValueError, match=message):
        coordinates_of("raw", Sample(events, features=("hour", "x"), name="run 7"), circular)


def test_unknown_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match="there are no coordinates 'ranks': choose normal-scores, standardized, raw"):
        coordinates_of("ranks", Sample([1.0, 2.0]))  # type: ignore[arg-type]


@pytest.mark.parametrize("circular", [(), ("b",), ("a", "b", "c")])
@pytest.mark.parametrize("kind", COORDINATES)
def test_coordinates_are_known_from_their_arrays(
    kind: CoordinateKind, circular: tuple[str, ...], rng: np.random.Generator
) -> None:
    sample = Sample(rng.uniform(0, 2 * np.pi, size=(500, 3)), features=("a", "b", "c"))
    ours = coordinates_of(kind, sample, circular)
    again = coordinates_in(ours.arrays())
    np.testing.assert_array_equal(again(sample.events), ours(sample.events))
    assert same_coordinates(again, ours)
    less = coordinates_of(kind, sample.select(np.arange(499)), circular)
    assert same_coordinates(less, ours) == (kind == "raw" and not circular)


@pytest.mark.parametrize("circular", [(), ("b",)])
@pytest.mark.parametrize("kind", COORDINATES)
def test_a_feature_that_is_left_out_has_no_part(
    kind: CoordinateKind, circular: tuple[str, ...], rng: np.random.Generator
) -> None:
    sample = Sample(rng.uniform(0, 360, size=(300, 3)), features=("a", "b", "c"))
    ours = coordinates_of(kind, sample, circular)
    for j in range(3):
        gone = ours.columns(j)
        others = [c for c in range(ours.dimension) if c not in gone]
        points = ours.without(j)(sample.events)
        np.testing.assert_array_equal(points[:, gone], 0)
        np.testing.assert_array_equal(points[:, others], ours(sample.events)[:, others])


def test_settings_are_told_apart_and_old_stores_go_on() -> None:
    reference = Sample(np.column_stack([np.linspace(0, 1, 400), np.linspace(0, 360, 400)]), features=("x", "phi"))
    plain, raw = NPLMTest(reference, KERNEL), NPLMTest(reference, KERNEL, coordinates="raw")
    assert plain.configuration()["standardize"] is True
    assert raw.configuration()["standardize"] is False
    for test in (plain, raw):
        assert not {"coordinates", "circular"} & set(test.configuration())
    tests = [
        *(plain, raw, NPLMTest(reference, KERNEL, coordinates="normal-scores")),
        *(NPLMTest(reference, KERNEL, circular={"phi": period}) for period in (360, 720)),
        NPLMTest(reference, KERNEL, coordinates="normal-scores", circular=["phi"]),
    ]
    plans = [Campaign(test, PoolSampler(reference, 100.0)).plan().hash for test in tests]
    assert len(set(plans)) == len(tests)
    for test in tests:
        assert pickle.loads(pickle.dumps(test)).configuration() == test.configuration()
        assert test.with_model(HistogramModel(4)).coordinate_kind == test.coordinate_kind


@pytest.mark.parametrize("kind", COORDINATES)
@pytest.mark.parametrize("circular", [(), ("phi",), ("x", "phi")])
def test_results_with_coordinates_follow_the_schema(
    circular: tuple[str, ...], kind: CoordinateKind, rng: np.random.Generator
) -> None:
    schema = json.loads((resources.files("nplm") / "schema" / "result-1.json").read_text(encoding="utf-8"))
    reference = Sample(rng.uniform(0, 360, size=(6000, 2)), np.full(6000, 0.1), ("x", "phi"))
    test = NPLMTest(reference, KERNEL, coordinates=kind, circular=circular)
    result = test.run(reference.select(slice(0, 600)), toys=0)
    document = json.loads(result.to_json())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document)
    written: Any = document["standardization"]
    assert len(json.dumps(written)) < 3000
    written["kind"] = "guessed"
    assert not validator.is_valid(document)
