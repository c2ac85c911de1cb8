"""The page of a matrix: a verdict that its picture bears out, and words for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nplm import Sample, write_report
from nplm.family import validate_matrix
from nplm.plot.two_sample_many import plot_two_sample_matrix
from nplm.two_sample.matrix import TwoSampleMatrix


def _matrix(rng: np.random.Generator, shift: float) -> TwoSampleMatrix:
    samples = {
        name: Sample(rng.normal(by, 1, size=(300, 1)), features=["x"], name=name)
        for name, by in (("A14", 0.0), ("CP5", 0.0), ("Monash", shift))
    }
    return validate_matrix(samples, family=["one", "intervals"], resamples=99)


def test_the_page_begins_with_a_verdict_and_its_picture(rng: np.random.Generator, tmp_path: Path) -> None:
    matrix = _matrix(rng, 1.0)
    page = write_report(matrix, tmp_path / "run").read_text()
    order = ["<strong>2 of 3 pairs differ</strong>", "events of ", "Which samples differ", "All pairs", "mark strong"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    # A and B are the letters of a pair, and here are three samples.
    assert "of B where" not in page
    assert "from A<" not in page
    assert " from A." not in repr(matrix)
    assert "circular</th><td>none<" in page


def test_samples_that_agree_are_said_to(rng: np.random.Generator, tmp_path: Path) -> None:
    matrix = _matrix(rng, 0.0)
    page = write_report(matrix, tmp_path / "run").read_text()
    assert 'class="verdict agreement"><strong>All samples agree</strong> None of 3 pairs differ' in page
    assert "-0.0" not in [text.get_text() for text in plot_two_sample_matrix(matrix).axes[0].texts]
