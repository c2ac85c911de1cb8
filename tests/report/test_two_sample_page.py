"""The page of a comparison: the answer first, then what differs as a picture, and no picture of what is not there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from nplm import FamilyTest, Sample, validate, write_report
from nplm.family.settings import FamilySettings
from nplm.plot.two_sample_bins import Process
from nplm.report.feature_table import feature_table
from nplm.report.two_sample import write_two_sample
from nplm.two_sample.features import FeatureNumbers
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.result_text import two_sample_verdict

_FEATURES = ("pt", "eta")
_FEW = FamilySettings(classes=("one", "intervals"))


def _samples(rng: np.random.Generator, bump: int) -> tuple[Sample, Sample]:
    """A reference with weights, and data with so many events more at pt = 4."""
    reference = Sample(rng.normal(size=(6000, 2)), np.full(6000, 0.1), _FEATURES, "reference.npz")
    events = rng.normal(size=(600, 2))
    events[:bump, 0] = rng.normal(4.0, 0.1, bump)
    return reference, Sample(events, features=_FEATURES, name="data.npz")


def _written(folder: Path, a: Sample, b: Sample, result: TwoSampleResult, **settings) -> str:
    page = write_two_sample(folder, a, b, result, result.to_dict(), None, **settings)
    return page.read_text(encoding="utf-8")


def test_a_test_shows_what_differs_before_all_numbers(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng, 30)
    result = FamilyTest(a, b, settings=_FEW, expected_ratio=1.0).run(resamples=199)
    processes = [Process("signal", 1000), Process("rest", 5000)]
    page = _written(tmp_path, a, b, result, processes=processes)
    assert "Do the data agree with the reference?" in page
    order = ["Strong difference", "600 observed / 600 expected", "What differs most: pt", "<h2>Key numbers</h2>"]
    order += ["Feature by feature", "Feature eta", "Where is it?", "What the p-value stands on"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    sentence = two_sample_verdict(result).sentence
    assert "The data (data.npz) and the reference (reference.npz) show a strong difference" in sentence
    # No scales of ranks, and nobody is called A or B.
    assert "standard deviations" not in sentence
    assert "of the data where" in sentence
    assert (tmp_path / "plots/leading.png").is_file()
    # One feature leads: no map of it with another, and regions in it alone.
    assert not (tmp_path / "plots/pair-01.png").exists()
    assert set(json.loads((tmp_path / "localization.json").read_text())["excess"]["bounds"]) == {"pt"}


def test_an_agreement_shows_no_fit(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng, 0)
    result = validate(a, b, family=["one", "intervals"], resamples=199)
    page = _written(tmp_path, a, b, result)
    assert "Agreement" in page
    assert "Are these samples from one distribution?" in page
    for absent in ("What differs most", "reweighted", "Where is it?"):
        assert absent not in page
    assert "The largest fluctuations" in page
    assert not {"leading.png", "pair-01.png"} & {path.name for path in (tmp_path / "plots").iterdir()}
    # Each feature has its numbers.
    assert page.count("Kolmogorov-Smirnov p = ") == 2


def test_f_is_drawn_against_a_single_feature(rng: np.random.Generator, tmp_path: Path) -> None:
    a = Sample(rng.normal(size=2000), features=["x"])
    b = Sample(rng.normal(0.5, 1, size=500), features=["x"])
    page = _written(tmp_path, a, b, validate(a, b, family=["one"], resamples=199))
    assert "f against x" in page
    assert (tmp_path / "plots/log-ratio.png").is_file()


def test_a_test_calls_its_samples_reference_and_data(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng, 30)
    result = FamilyTest(a, b, settings=_FEW, expected_ratio=1.0).run(resamples=199)
    said = [repr(result), json.dumps(result.to_dict()), _written(tmp_path, a, b, result)]
    for text in said:
        assert not re.search(r"\bof B\b|\bfrom A\b|sample A|B / A|two samples", text.split("base64")[0])
    assert repr(result).startswith("NPLM test: Strong difference")
    assert "data / reference is expected to be 1" in repr(result)
    assert "events of the data where" in result.leading_words
    # Neither of two samples is the reference.
    alike = validate(a, b, family=["one"], resamples=199)
    assert repr(alike).startswith("NPLM, two samples: ")
    assert "sample A   reference.npz" in repr(alike)


def test_the_folder_of_a_test_is_that_of_the_command(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = _samples(rng, 30)
    page = write_report(FamilyTest(a, b, settings=_FEW, expected_ratio=1.0).run(resamples=199), tmp_path / "run")
    assert "Do the data agree with the reference?" in page.read_text()


def test_the_table_of_features_is_coloured_after_the_correction() -> None:
    numbers = [FeatureNumbers("a", 50, 40, 0.004, 0.01, 0.5), FeatureNumbers("b", 90, 40, 1e-5, 0.1, 1e-4)]
    table = feature_table(numbers)
    assert table.index(">b<") < table.index(">a<")
    assert 'class="mark strong">4e-05' in table
    assert "mild" in table
    assert "of 4 tests, two for each of 2 features" in table
    assert "mark" not in feature_table([FeatureNumbers("a", 50, 40, 0.04, 0.01, 0.5)])
