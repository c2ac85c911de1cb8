"""Samples are validated once, and the scaler is fitted on the reference only."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample, concatenate, require_same_features, require_varying
from nplm.data.scaler import Scaler


def test_one_dimensional_events_are_one_feature() -> None:
    sample = Sample([1, 2, 3])
    assert sample.events.shape == (3, 1)
    assert sample.events.dtype == sample.weights.dtype == np.float64
    assert sample.features == ("x0",)
    assert not sample.is_weighted


def test_weights_say_how_large_a_sample_is() -> None:
    sample = Sample(np.zeros((3, 2)), [1.0, 2.0, -1.0], ("a", "b"))
    assert (len(sample), sample.dimension, sample.total_weight) == (3, 2, 2.0)
    assert sample.effective_size == pytest.approx(4 / 6)
    assert sample.is_weighted
    assert sample.has_negative_weights
    assert Sample([1.0, 2.0], [0.0, 0.0]).effective_size == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0], [np.nan]],), r"feature 'x0' of sample is not finite in 1 of 2 rows \(first: row 1, value nan\)"),
        (([[1.0, np.inf]], None, ("a", "b")), "feature 'b' of sample"),
        (([1.0, 2.0], [1.0, np.nan]), "weight of sample is not finite"),
        (([1.0, 2.0], [1.0]), r"weights must have shape \(2,\)"),
        ((np.zeros((2, 2, 2)),), r"must have shape \(n, d\)"),
        ((np.zeros((2, 0)),), "d >= 1"),
        ((np.zeros((2, 2)), None, ("a",)), "1 feature names .* for 2 columns"),
        ((np.zeros((2, 2)), None, ("a", "a")), "distinct"),
        ((["x", "y"],), "array of real numbers"),
        (([[1.0], [1.0, 2.0]],), "array of real numbers"),
        (([1j],), "array of real numbers"),
    ],
)
def test_bad_values_are_refused_by_name(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(*arguments)


@pytest.mark.parametrize(("weights", "message"), [([], "empty"), ([1.0, -1.0], "add up to 0"), ([1.0, -2.0], "to -1")])
def test_a_yield_must_be_positive(weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sample(np.zeros(len(weights)), weights, name="reference").require_yield()


def test_scaling_multiplies_all_weights_by_one_factor() -> None:
    scaled = Sample([1.0, 2.0, 3.0], [1.0, 2.0, -1.0]).scaled_to(10)
    np.testing.assert_allclose(scaled.weights, [5, 10, -5])
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="positive number"):
            scaled.scaled_to(bad)


def test_fingerprint_follows_the_content() -> None:
    sample = Sample([1.0, 2.0])
    assert sample.fingerprint() == Sample([1.0, 2.0], name="another name").fingerprint()
    others = [Sample([1.0, 2.5]), Sample([1.0, 2.0], [1.0, 2.0]), Sample([1.0, 2.0], features=("y",))]
    assert len({s.fingerprint() for s in (sample, *others)}) == 4


def test_samples_add_up() -> None:
    both = concatenate([Sample([1.0], [2.0], name="signal"), Sample([3.0, 4.0], name="background")])
    np.testing.assert_array_equal(both.events[:, 0], [1, 3, 4])
    np.testing.assert_array_equal(both.weights, [2, 1, 1])
    assert both.name == "signal + background"
    with pytest.raises(ValueError, match="at least one"):
        concatenate([])
    with pytest.raises(ValueError, match="b lacks x0; a lacks y"):
        concatenate([Sample([1.0], name="a"), Sample([1.0], features=("y",), name="b")])


def test_the_order_of_features_matters() -> None:
    a, b = (Sample(np.ones((1, 2)), features=names, name="".join(names)) for names in (("u", "v"), ("v", "u")))
    with pytest.raises(ValueError, match="order matters"):
        require_same_features(a, b)
    require_same_features(a, a)


def test_select_takes_rows() -> None:
    sample = Sample([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(sample.select(np.array([True, False, True])).weights, [1, 3])
    np.testing.assert_array_equal(sample.select(np.array([2, 2])).events[:, 0], [3, 3])


def test_scaler_takes_mean_and_standard_deviation_with_the_size_of_the_weights(rng: np.random.Generator) -> None:
    events, weights = rng.normal(3, 2, (500, 2)), rng.normal(0.5, 1, 500)
    scaler = Scaler.fit(Sample(events, weights))
    np.testing.assert_allclose(scaler.location, np.average(events, axis=0, weights=np.abs(weights)))
    variance = np.average((events - scaler.location) ** 2, axis=0, weights=np.abs(weights))
    np.testing.assert_allclose(scaler.scale, np.sqrt(variance))
    np.testing.assert_allclose(scaler(events), (events - scaler.location) / scaler.scale)
    np.testing.assert_array_equal(Scaler.identity(2)(events), events)


def test_a_constant_feature_is_refused_by_name() -> None:
    # A value that only an event of zero weight has does not make the feature vary.
    sample = Sample([[1.0, 5.0], [2.0, 5.0], [3.0, 6.0]], [1.0, 1.0, 0.0], ("a", "b"), "reference")
    with pytest.raises(ValueError, match=r"feature 'b' of reference is constant \(5\)"):
        Scaler.fit(sample)
    require_varying(Sample([1.0, 2.0]))


def test_auxiliary_measurements_stay_with_their_events() -> None:
    measured = Sample([1.0, 2.0, 3.0], name="data").with_auxiliary(np.array([0.5]))
    other = Sample([4.0], name="signal")
    for sample in (measured.select(np.array([0, 2])), measured.scaled_to(6.0), concatenate([other, measured])):
        assert sample.auxiliary is not None
        assert sample.auxiliary.tolist() == [0.5]
    assert other.auxiliary is None
    with pytest.raises(ValueError, match="data and data have auxiliary measurements each"):
        concatenate([measured, measured])


@pytest.mark.parametrize("size", [1e-200, 1e-320, 1e200, 1e305, -1e200])
def test_weights_whose_squares_are_no_numbers_are_refused(size: float) -> None:
    message = "^the weights of mc reach .*, and the largest must lie between 1e-100 and 1e\\+100 .* multiply all by one"
    with pytest.raises(ValueError, match=message):
        Sample(np.arange(5.0), np.full(5, size), name="mc")


def test_weights_that_are_small_beside_others_are_not() -> None:
    assert Sample([1.0, 2.0], [1e-300, 1.0]).effective_size == 1.0
    assert Sample([1.0, 2.0], [1e-99, 1e-99]).effective_size == pytest.approx(2.0)
    assert Sample([1.0, 2.0], [0.0, 0.0]).effective_size == 0.0


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_a_feature_whose_spread_cannot_be_squared_is_refused(factor: float, rng: np.random.Generator) -> None:
    x = np.column_stack([rng.normal(size=50), factor * rng.normal(size=50)])
    with pytest.raises(ValueError, match=r"feature 'pt' of run7 lies between .* multiply it by a constant"):
        require_varying(Sample(x, features=("eta", "pt"), name="run7"))
    require_varying(Sample(x / [1.0, factor], features=("eta", "pt")))


def _jets() -> Sample:
    return Sample([[10.0, 0.5], [40.0, -1.0], [70.0, 3.0]], [1.0, 2.0, 3.0], ("pt", "eta"), "jets")


def test_brackets_give_a_feature_or_events() -> None:
    jets = _jets()
    np.testing.assert_array_equal(jets["eta"], [0.5, -1.0, 3.0])
    for rows in (jets["pt"] > 30, [False, True, True], [1, -1], np.array([1, 2], dtype=np.uint8), slice(1, None)):
        chosen = jets[rows]
        np.testing.assert_array_equal(chosen.events, jets.events[1:])
        np.testing.assert_array_equal(chosen.weights, [2.0, 3.0])
        assert (chosen.features, chosen.name) == (jets.features, "jets")
    assert len(jets[[]]) == 0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("mass", "jets: no feature 'mass'; its features: pt, eta"),
        ([True, False], "jets: a mask of 2 values for 3 events"),
        ([0, 3], "jets: row 3 or 0 of 3 events"),
        (1, r"jets\[\.\.\.\] takes the name of a feature, a list of names, a mask, a slice or a list of rows, not 1"),
        ([1.0, 2.0], "takes the name"),
    ],
)
def test_bad_brackets_are_refused_in_a_line(key: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _jets()[key]  # type: ignore[call-overload]


def test_a_list_of_names_chooses_features_in_that_order() -> None:
    jets = _jets().with_auxiliary(np.array([1.0])).as_expectation(0.5)
    for names in (["eta", "pt"], ("eta", "pt")):
        chosen = jets[names]
        assert (chosen.name, chosen.features, chosen.stands_for) == ("jets", ("eta", "pt"), 0.5)
        np.testing.assert_array_equal(chosen.events, jets.events[:, [1, 0]])
        np.testing.assert_array_equal(chosen.weights, jets.weights)
        assert chosen.auxiliary is not None
    assert jets[["eta"]].events.shape == (3, 1)
    with pytest.raises(ValueError, match=r"jets: no feature 'mass'; its features: pt, eta"):
        jets[["pt", "mass"]]
    with pytest.raises(ValueError, match="must be distinct"):
        jets[["pt", "pt"]]


def test_a_sample_is_printed_in_one_line() -> None:
    assert repr(_jets()) == "Sample 'jets': 3 events, yield 6, features pt, eta"
    assert str(Sample(np.zeros((2070, 1)), name="data.npz")) == "Sample 'data.npz': 2,070 events, feature x0"
    scaled = Sample(np.zeros((2070, 2)), features=("mll", "eta"), name="data.npz").scaled_to(2000)
    assert repr(scaled) == "Sample 'data.npz': 2,070 events, yield 2,000, features mll, eta"
    wide = repr(Sample(np.zeros((1, 30)), name="a\nb"))
    assert wide.startswith(r"Sample 'a\nb': 1 event, features x0, x1, ")
    assert wide.endswith("x19, ... (30 in all)")


def test_a_sample_is_no_sequence_of_events() -> None:
    # NumPy would ask for sample[0], sample[1], ... and lose the weights.
    with pytest.raises(TypeError):
        iter(_jets())  # type: ignore[call-overload]
    with pytest.raises((TypeError, ValueError)):
        np.asarray(_jets(), dtype=np.float64)


def test_a_cut_selects_events_by_their_features() -> None:
    assert _jets().where("pt > 30 and abs(eta) < 2.4").weights.tolist() == [2.0]
    with pytest.raises(ValueError, match=r"the cut 'mass > 1' is refused: .*mass"):
        _jets().where("mass > 1")


def test_samples_add_up_as_processes_do() -> None:
    other = Sample([[1.0, 20.0]], [0.5], ("eta", "pt"), "more")
    total = _jets() + other
    assert (total.name, total.total_weight, total.features) == ("jets + more", 6.5, ("pt", "eta"))
    assert total.events[-1].tolist() == [20.0, 1.0]
    with pytest.raises(ValueError, match="jets and sample have different features"):
        _jets() + Sample([1.0])
    with pytest.raises(TypeError):
        _jets() + 1  # type: ignore[operator]


@pytest.mark.parametrize("factor", [2, 2.0, np.float64(2), np.int64(2)])
def test_a_number_multiplies_the_weights(factor: float) -> None:
    jets = _jets().with_auxiliary(np.array([1.0]))
    for scaled in (jets * factor, factor * jets):
        assert scaled.weights.tolist() == [2.0, 4.0, 6.0]
        assert scaled.auxiliary is not None
        np.testing.assert_array_equal(scaled.events, jets.events)
    assert (factor * jets.as_expectation(0.5)).stands_for == 1.0


def test_what_multiplies_weights_is_a_positive_number() -> None:
    for bad in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match="jets: weights are multiplied by a positive number"):
            _jets() * bad
    with pytest.raises(TypeError):
        _jets() * np.ones(3)  # type: ignore[operator]
