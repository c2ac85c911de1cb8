"""The test after a score: rare signals, what it keeps, files of its results, and size."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from experiments.scored.samples import background, distance
from nplm import FamilyTest, Sample, load_result
from nplm.family import FamilySettings
from nplm.scored import ScoredTest
from nplm.scored.values import scored
from nplm.two_sample.result_text import two_sample_rows

SETTINGS = FamilySettings(classes=("products", "all"))
FEATURES = ("a", "b", "u", "v", "ab")


def _sample(rng: np.random.Generator, n: int, weight: float = 1.0, name: str = "data") -> Sample:
    return Sample(background(rng, n), np.full(n, weight), FEATURES, name)


def test_a_rare_signal_is_found_where_everything_is_not_and_is_told_and_kept(tmp_path: Path) -> None:
    """Features of the signal are those of the reference, so that everything agrees; its score is in the rarest 1%."""
    rng = np.random.default_rng(5)
    events = [_sample(rng, n).events for n in (4000, 2000, 50, 2000)]
    rarity = [rng.random(4000), rng.random(2000), 0.992 + 0.008 * rng.random(50), rng.random(2000)]
    columns = [np.column_stack(each) for each in zip(events, rarity, strict=True)]
    names = (*FEATURES, "rarity")
    reference = Sample(columns[0], np.full(4000, 0.5), names, "mc")
    data = Sample(np.concatenate(columns[1:3]), None, names, "data")
    training = Sample(columns[3], None, names, "training")
    test = ScoredTest(reference, "rarity", trained_on=training, settings=SETTINGS, expected_ratio=1.0)
    told: list[str] = []
    result = test.run(data, resamples=299, notify=told.append)
    everything = FamilyTest(
        reference[list(FEATURES)], data[list(FEATURES)], settings=SETTINGS, expected_ratio=1.0
    ).run()
    assert everything.shape is not None
    assert result.shape is not None
    # 70 events where 20 are expected, sqrt(20 x 1.5) their deviation.
    assert everything.shape.p_value > 0.01
    assert result.shape.p_value < 1e-6
    assert result.leading_words == "in the number of events among the rarest 1% by the score"
    values, own = data["rarity"], reference["rarity"]
    # Plain numbers, by the definition.
    for each, share in zip(result.kept[1:], (0.1, 0.01), strict=True):
        assert each.threshold == np.sort(own)[::-1][round(share * 4000) - 1]
        assert each.sizes == (round(share * 4000) - 1, int((values > each.threshold).sum()))
        assert each.rate is not None
        assert each.rate.expected == pytest.approx(each.sizes[0] / 2)
    text = repr(result)
    assert f"rarest 1%  {result.kept[2].sizes[1]} observed / 19.5 expected" in text
    assert told == list(result.notes)
    # A result with what it keeps follows the schema, and is read from its file as it was.
    schema = json.loads(files("nplm").joinpath("schema/two-sample-1.json").read_text())
    document = json.loads(result.to_json())
    Draft202012Validator(schema).validate(document)
    assert document["configuration"]["keep"] == [1.0, 0.1, 0.01]
    assert not Draft202012Validator(schema).is_valid({**document, "kept": [{"share": 2}]})
    result.save(tmp_path / "result.npz")
    again = load_result(tmp_path / "result.npz")
    assert again.kept == result.kept
    assert repr(again) == text


def test_one_share_alone_is_a_test_of_what_is_kept() -> None:
    rng = np.random.default_rng(6)
    score = distance(background(rng, 4000), 5)
    reference, data = _sample(rng, 4000, weight=0.5, name="mc"), _sample(rng, 2000)
    test = ScoredTest(reference, score, (0.2, 0.05), settings=SETTINGS, expected_ratio=1.0)
    result, a, b, kept = test.run_and_select(data, resamples=99)
    assert a.name == "the rarest 20% by the score, mc"
    np.testing.assert_array_equal(b.events, data.events[score(data.events) > test.thresholds[0]])
    assert (len(a), len(b), int(kept.sum())) == (799, len(b), len(b)) == (*result.sizes, len(b))
    alone = FamilyTest(a, b, settings=SETTINGS, expected_ratio=1.0).run(resamples=99)
    assert result.rate == alone.rate == result.kept[0].rate
    assert {name for name in alone.names if "penalty" not in name} < set(result.names)


def test_a_column_that_is_the_score_is_no_feature() -> None:
    rng = np.random.default_rng(7)
    score = distance(background(rng, 4000), 5)
    reference, data = _sample(rng, 2000, name="mc"), _sample(rng, 1000)
    with_column = [
        Sample(np.column_stack([sample.events, score(sample.events)]), None, (*FEATURES, "rarity"), sample.name)
        for sample in (reference, data)
    ]
    settings = FamilySettings(classes=("products",))
    of_column = ScoredTest(with_column[0], "rarity", (1, 0.1), settings=settings).run(with_column[1], resamples=99)
    of_function = ScoredTest(reference, score, (1, 0.1), settings=settings).run(data, resamples=99)
    assert of_column.features == FEATURES
    assert of_column.p_value == of_function.p_value
    assert of_column.kept == of_function.kept
    # Shapes are compared: the expected number is that of the data's yield, and everything is as expected.
    assert of_column.kept[0].rate is None
    assert of_column.kept[1].rate is not None
    assert of_column.kept[1].rate.expected == pytest.approx(199 / 2000 * 1000)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ("rarity", "mc has no column 'rarity' for the score: its columns are a, b, u, v, ab"),
        (lambda x: np.where(x[:, 0] > 2, np.nan, 1.0), "the score is not finite at .* events of mc, first in row"),
        (lambda x: x[:, :2], r"one number for each of the 500 events of mc, not an array of shape \(500, 2\)"),
        (lambda x: np.zeros(len(x)), "the score has one value, 0, at all events of mc"),
        (lambda x: np.round(x[:, 0]), "events of mc have the score 1 at which 10% would be kept"),
    ],
)
def test_bad_scores_are_refused(score: object, words: str) -> None:
    reference = _sample(np.random.default_rng(8), 500, name="mc")
    with pytest.raises(ValueError, match=words):
        ScoredTest(reference, score, (1, 0.1))  # type: ignore[arg-type]


def test_a_score_may_not_change_the_events() -> None:
    sample = _sample(np.random.default_rng(9), 50)
    before = sample.events.copy()

    def greedy(x: np.ndarray) -> np.ndarray:
        x *= 0
        return np.arange(float(len(x)))[:, None]

    _, values = scored(sample, greedy)
    assert values.shape == (50,)
    np.testing.assert_array_equal(sample.events, before)


@pytest.mark.slow
def test_joint_size_with_forty_kept_events() -> None:
    """300 trials of weighted references: a size of 5% is 1.3 to 8.8% (3 sigma), and more of the smallest p-value."""
    rng = np.random.default_rng(10)
    score = distance(background(rng, 4000), 5)
    fired, naive = 0, 0
    for trial in range(300):
        rng = np.random.default_rng([11, trial])
        test = ScoredTest(_sample(rng, 1600, weight=0.5), score, (1, 0.2, 0.05), settings=SETTINGS, expected_ratio=1.0)
        result = test.run(_sample(rng, int(rng.poisson(800))), resamples=199)
        fired += result.p_value <= 0.05
        naive += result.local_p.min() <= 0.05
    assert 0.013 <= fired / 300 <= 0.088
    assert naive / 300 > 0.15


def test_names_of_tests_are_wrapped_so_that_their_table_fits_a_terminal() -> None:
    """Names of two long features in a subset are longer than a line; nothing of them is lost."""
    rng = np.random.default_rng(9)
    names = ("transverse_momentum_of_the_leading_lepton", "isolation_of_the_leading_lepton")
    a, b = (Sample(rng.normal(size=(n, 2)), None, names) for n in (900, 800))
    b.events[:, 0] += 0.3
    test = ScoredTest(a, lambda x: (x**2).sum(axis=1), (1, 0.3), settings=FamilySettings(classes=("products",)))
    result = test.run(b, resamples=99)
    lines = repr(result).splitlines()
    assert max(map(len, lines)) <= 100
    # Numbers stand after the first of its lines.
    names_of_rows = [row[0] for row in two_sample_rows(result)]
    assert max(len(name) for name in names_of_rows) > 66
    for name in names_of_rows:
        assert re.search(r"[\s\d.e-]*?".join(map(re.escape, name.split())), " ".join(lines)), name
