"""The comparison of two samples in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm import FamilyTest, Sample
from nplm.family import FamilySettings
from nplm.family.words import words_of_test
from nplm.two_sample.result_text import plain_words, two_sample_line, two_sample_verdict

ONE = FamilySettings(classes=("intervals",))


def _samples(n: int) -> tuple[Sample, Sample]:
    rng = np.random.default_rng(3)
    data = np.concatenate([rng.normal(size=n - 60), rng.normal(0.5, 0.02, 60)])
    return Sample(rng.normal(size=9000), np.full(9000, 0.1), ("x",), "mc"), Sample(data, features=("x",), name="obs")


@pytest.mark.parametrize(
    ("words", "features", "plain"),
    [
        (
            "in met alone, at a scale of 2 standard deviations of the ranks (1e+02 in met), most of it between met ="
            " 42.42 and 92.3: 954 effective events of B where 705.4 are expected from A",
            ("met",),
            "in met alone, mainly between met = 42.42 and 92.3: 954 events of the data where 705.4 are expected",
        ),
        (
            "in one interval at n = -1: 5 events of B where 1 are expected from A",
            ("n",),
            "in one interval at n = -1: 5 events of the data where 1 are expected",
        ),
        (
            "in a and b together, at a scale of 1.5 standard deviations of the ranks",
            ("a", "b"),
            "in a and b together",
        ),
    ],
)
def test_words_for_those_who_do_not_know_the_family(rng: np.random.Generator, words, features, plain) -> None:
    a, b = (Sample(rng.normal(size=(300, 2)), features=["pt", "eta"]) for _ in range(2))
    result = FamilyTest(a, b, settings=FamilySettings(classes=("products",))).run(resamples=99)
    of_test = words_of_test(words, whole=True)
    result = replace(result, leading_words=of_test, leading_features=features)
    assert plain_words(result) == plain
    assert "standard deviations" not in plain_words(replace(result, leading_words=words, of_test=False))


def test_a_p_value_that_the_yield_has_a_part_in_is_no_count_of_permutations() -> None:
    reference, data = _samples(1000)
    shapes = FamilyTest(reference, data, settings=ONE).run(resamples=99)
    assert two_sample_line(shapes).endswith(("(asymptotic)", "(permutation)", "lower limit of Z)"))
    both = FamilyTest(reference, data, settings=ONE, expected_ratio=1.0, exact_yield=True).run(resamples=99)
    assert " and yield" in two_sample_line(both)
    # Of the shape what is expected in the interval, scaled, beside the yields as they are.
    assert "are expected, scaled to the yield of the data" in both.leading_words
    few = FamilyTest(reference, Sample(data.events[:300], features=("x",)), settings=ONE, expected_ratio=1.0)
    result = few.run(resamples=99)
    assert two_sample_line(result).endswith("(yield)")
    assert ", yield)" in two_sample_verdict(result).sentence
