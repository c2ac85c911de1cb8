"""Words for data where the reference has nothing, for repeated events and for yields that nobody scaled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtri_exp

from nplm import GaussianConstraint, HistogramModel, KernelModel, NPLMTest, Nuisances, Sample
from nplm.data import support
from nplm.data.support import Support, require_toys_of_such_yields, support_remarks, yields_apart
from nplm.hypotest.verdict import verdict
from nplm.nuisance import Normalization

Draw = Callable[[np.random.Generator, int], np.ndarray]


def sample(events: np.ndarray, name: str, weights: np.ndarray | None = None) -> Sample:
    return Sample(events, weights, features=("pt", "eta")[: 1 if np.ndim(events) == 1 else 2], name=name)


def drawn(rng: np.random.Generator, n: int, name: str) -> Sample:
    return sample(np.column_stack([rng.exponential(50, size=n), rng.uniform(-2.5, 2.5, size=n)]), name)


def with_values(base: Sample, column: int, values: np.ndarray) -> Sample:
    """The first events of a sample with other values of one feature."""
    events = base.events.copy()
    events[: len(values), column] = values
    return sample(events, base.name)


@pytest.fixture
def reference(rng: np.random.Generator) -> Sample:
    return drawn(rng, 20_000, "the reference")


@pytest.fixture
def data(rng: np.random.Generator) -> Sample:
    return drawn(rng, 2000, "the data")


def test_a_default_value_is_named(reference: Sample, data: Sample) -> None:
    odd = with_values(data, 0, np.full(61, -999.0))
    assert support_remarks(reference, odd) == (
        "61 events at pt = -999, where the reference has none: a default value?",
    )
    # The reference may have them too.
    assert support_remarks(with_values(reference, 0, np.full(600, -999.0)), odd) == ()


def test_a_default_value_inside_the_range_is_named(reference: Sample, data: Sample) -> None:
    odd = with_values(data, 1, np.zeros(40))
    assert support_remarks(reference, odd) == ("40 events at eta = 0, where the reference has none: a default value?",)


def test_events_beyond_the_range_are_counted(reference: Sample, data: Sample, rng: np.random.Generator) -> None:
    low, high = reference.events[:, 1].min(), reference.events[:, 1].max()
    odd = with_values(data, 1, rng.uniform(2.6, 3, size=12))
    assert support_remarks(reference, odd) == (
        f"12 events have eta beyond the range of the reference [{low:g}, {high:g}], up to {odd.events[:, 1].max():g}",
    )
    # As few as the null has now and then are not worth a word.
    assert support_remarks(reference, with_values(data, 1, np.array([2.6]))) == ()


def test_events_in_a_gap_are_counted(data: Sample, rng: np.random.Generator) -> None:
    cut = sample(rng.choice([-1, 1], size=20_000) * rng.uniform(1, 2, size=20_000), "the reference")
    odd = sample(np.append(cut.events[:1500, 0], rng.uniform(-0.5, 0.5, size=17)), "the data")
    (remark,) = support_remarks(cut, odd)
    assert remark.startswith("17 events have pt between -1.000")
    assert remark.endswith(", where the reference has none")


def test_another_rounding_is_one_remark(reference: Sample, data: Sample) -> None:
    rounded = sample(np.column_stack([data.events[:, 0].round(), data.events[:, 1]]), "the data")
    (remark,) = support_remarks(reference, rounded)
    assert "crowd between neighbouring values of pt in the data" in remark
    assert "rounded or cut in another way" in remark


def _flags(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.column_stack([rng.poisson(3, size=n), rng.integers(0, 2, size=n)])


def _rounded(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=(n, 2)).round(1)


def _tails(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_cauchy(size=(n, 2))


@pytest.mark.parametrize("draw", [_flags, _rounded, _tails])
@pytest.mark.parametrize("sizes", [(2000, 200), (300, 300), (200, 2000)])
def test_samples_of_one_distribution_are_hardly_ever_remarked_on(
    draw: Draw, sizes: tuple[int, int], rng: np.random.Generator
) -> None:
    """At most 3 of 200 null pairs: 0.2 are expected of each kind of remark, and more have a probability of 1e-4."""
    remarked = 0
    for _ in range(200):
        a, b = (sample(draw(rng, n), name) for n, name in zip(sizes, ("a", "b"), strict=True))
        remarked += bool(support_remarks(a, b))
    assert remarked <= 3


def test_a_weighted_reference_is_worth_fewer_events(rng: np.random.Generator) -> None:
    """Few heavy events of many: data may lie beyond them more often, and are not remarked on for that."""
    x = np.append(rng.uniform(0, 1, size=20), rng.uniform(0, 0.5, size=5000))
    heavy = np.append(np.full(20, 100.0), np.full(5000, 0.01))
    odd = sample(np.append(rng.uniform(0, 1, size=200), [1.01, 1.02, 1.03]), "the data")
    assert support_remarks(sample(x, "a", heavy), odd) == ()
    assert support_remarks(sample(x, "a"), odd) != ()


@pytest.mark.parametrize("which", ["reference", "data"])
def test_a_file_that_was_read_twice_is_named(which: str, reference: Sample, data: Sample) -> None:
    samples = {"reference": reference, "data": data}
    once = samples[which]
    samples[which] = sample(np.concatenate([once.events, once.events[:300]]), once.name)
    (remark,) = support_remarks(samples["reference"], samples["data"])
    assert remark == (
        f"300 of the {len(once) + 300} events of {once.name} repeat another one in all features, up to 2 times:"
        " was a file read twice?"
    )


def test_toys_drawn_from_the_reference_do_not_count_as_repeated(reference: Sample, rng: np.random.Generator) -> None:
    toy = sample(reference.events[rng.integers(0, 20_000, size=5000)], "the data")
    assert support_remarks(reference, toy) == ()


def test_events_without_weight_do_not_count(reference: Sample, data: Sample) -> None:
    odd = with_values(data, 0, np.full(61, -999.0))
    weights = np.ones(len(data))
    weights[:61] = 0
    assert support_remarks(reference, sample(odd.events, "the data", weights)) == ()


@pytest.mark.parametrize(("expected", "apart"), [(99.0, True), (101.0, False), (9900.0, False), (10_100.0, True)])
def test_yields_that_nobody_scaled_are_named(expected: float, apart: bool) -> None:
    words = yields_apart(expected, 1000.0)
    assert (words is not None) == apart
    if words is not None:
        assert f"expects {expected:g} events, but the data have 1000" in words
        assert "FILE=YIELD or --expected-yield" in words
        assert "--shape-only" in words


def test_yields_come_first_among_the_cautions(reference: Sample, data: Sample) -> None:
    odd = with_values(data, 0, np.full(61, -999.0)).select(np.arange(1000))
    notes = NPLMTest(reference, HistogramModel(4)).run(odd, 0).notes
    assert notes[0].startswith("the reference expects 20000 events, but the data have 1000")
    assert notes[1].startswith("61 events at pt = -999")
    shape = NPLMTest(reference, HistogramModel(4), shape_only=True).run(odd, 0).notes
    assert shape[0].startswith("61 events at pt = -999")


def test_events_where_the_reference_has_none_are_counted_on_their_own(reference: Sample, data: Sample) -> None:
    """t of wide kernels does not know 3% of the data at -999; their count does, and the verdict says so."""
    moved = with_values(data, 0, np.full(61, -999.0))
    test = NPLMTest(reference.scaled_to(2000), KernelModel(width=2.0, centers=40))
    found, none = test.run(moved, 0), test.run(data, 0)
    assert found.p_value > 1e-3
    assert [(out.feature, out.events) for out in found.outside] == [("pt", 61)]
    share = 2000 / 22_000
    assert found.outside[0].log_p_value == pytest.approx(np.log(2 * 20_001) + 61 * np.log(share))
    assert found.outside[0].z == pytest.approx(-ndtri_exp(found.outside[0].log_p_value))
    assert verdict(found).level == "strong"
    assert "-999" in verdict(found).sentence
    assert none.outside == ()
    assert verdict(none).level != "strong"


@pytest.mark.parametrize("light", ["none", "reference", "data"])
def test_the_chance_of_events_beyond_is_at_most_the_stated(
    light: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 400 pairs of 60 + 60 events with no difference 20% are found at a chance of 20%, at most; where either sample
    has weights that vary with x, the limit that knows the numbers of events only is met far too often.
    """
    monkeypatch.setattr(support, "_CHANCE", 0.2)
    found = {True: 0, False: 0}
    for _ in range(400):
        x = rng.uniform(0, 1, size=(2, 60))
        # Drawn with density 2x in the place of 1, and weighted by the inverse.
        drawn_twice = {"none": [], "reference": [0], "data": [1]}[light]
        weights = np.ones((2, 60))
        for i in drawn_twice:
            x[i] = 0.02 + 0.98 * np.sqrt(x[i])
            weights[i] = 1 / x[i]
        for known in (True, False):
            a, b = (sample(v, name, w if known else None) for v, name, w in zip(x, ("a", "b"), weights, strict=True))
            found[known] += bool(Support.of(a).outside(b))
    most = 0.2 + 3 * np.sqrt(0.2 * 0.8 / 400)
    assert found[True] / 400 <= most
    if light == "none":
        assert found[True] == found[False] > 0
    else:
        assert found[False] / 400 > most


def test_with_nuisances_events_beyond_are_a_caution_only(reference: Sample, data: Sample) -> None:
    moved, rate = with_values(data, 0, np.full(61, -999.0)), Normalization("rate")
    nuisances = Nuisances(rate, GaussianConstraint("rate", 0.1))
    result = NPLMTest(reference.scaled_to(2000), HistogramModel(5), nuisances=nuisances).run(moved, 0)
    assert result.outside == ()
    assert any("-999" in note for note in result.notes)


def test_one_event_far_out_is_said_to_make_the_scale(rng: np.random.Generator) -> None:
    values = rng.exponential(size=(5001, 1))
    plain, far = Sample(values), Sample(np.where(np.arange(5001)[:, None] == 0, 1e5, values))
    data = Sample(rng.exponential(size=(500, 1)))
    for coordinates, reference, said in (
        ("standardized", far, True),
        ("standardized", plain, False),
        ("normal-scores", far, False),
    ):
        test = NPLMTest(reference.scaled_to(500), KernelModel(width=1.0, centers=5), coordinates=coordinates)  # type: ignore[arg-type]
        assert any("normal-scores" in note and "100000" in note for note in test.run(data, 0).notes) == said


def test_toys_of_millions_of_events_for_a_few_of_the_data_are_refused(rng: np.random.Generator) -> None:
    require_toys_of_such_yields(5e6, 1e4)
    require_toys_of_such_yields(9e5, 1.0)
    require_toys_of_such_yields(5e6, 4e7)
    with pytest.raises(ValueError, match=r"expects 5e\+06 events, but the data have 100.*--shape-only.*not drawn"):
        require_toys_of_such_yields(5e6, 100.0)
    reference = Sample(rng.exponential(size=500), np.full(500, 1e4), ("x",), "reference")
    data = Sample(rng.exponential(size=100), None, ("x",), "data")
    test = NPLMTest(reference, HistogramModel(bins=3))
    with pytest.raises(ValueError, match="toys of so many events are not drawn"):
        test.run(data, 10)
    assert any("t tells these apart" in note for note in test.run(data, 0).notes)
