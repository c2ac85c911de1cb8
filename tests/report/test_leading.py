"""The first screen of the page of one model: verdict, observed over expected, and what differs as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nplm import HistogramModel, KernelModel, MultipleTest, NPLMTest, Sample
from nplm.plot.two_sample_bins import Process
from nplm.report.multiple import write_multiple_run
from nplm.report.write_run import write_run

_FEATURES = ("pt", "eta")


def _samples(rng: np.random.Generator, bump: int, yields: int = 600) -> tuple[Sample, Sample]:
    """A reference with weights, and data with so many events at pt = 2.5."""
    reference = Sample(rng.normal(size=(6000, 2)), np.full(6000, 0.1), _FEATURES, "reference.npz")
    events = rng.normal(size=(yields, 2))
    events[:bump, 0] = rng.normal(2.5, 0.2, bump)
    return reference, Sample(events, features=_FEATURES, name="data.npz")


def _page(folder: Path, reference: Sample, data: Sample, model: str | KernelModel, **settings) -> str:
    test = NPLMTest(reference, model)
    result = test.run(data, 0)
    return write_run(folder, test, data, result, leave_one_out=False, **settings).read_text(encoding="utf-8")


def test_one_model_shows_what_differs_before_all_numbers(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng, 60)
    processes = [Process("signal", 1000), Process("rest", 5000)]
    page = _page(tmp_path, reference, data, KernelModel(width=0.7, centers=60), processes=processes)
    order = ["Strong discrepancy", "Most of it is in pt, mainly between pt = ", "Yield: <strong>600 observed"]
    order += ["What differs most: pt", "Filled: the files", "<h2>Key numbers</h2>", "Feature by feature", "Pictures"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    # Said once, and not drawn twice.
    assert page.count("600 observed / 600 expected = 1; p = ") == 1
    assert "single intervals" not in page
    assert (tmp_path / "plots/leading.png").is_file()


@pytest.mark.parametrize(("bump", "yields"), [(0, 600), (0, 900)])
def test_an_agreement_and_a_yield_alone_have_no_such_picture(
    rng: np.random.Generator, tmp_path: Path, bump: int, yields: int
) -> None:
    page = _page(tmp_path, *_samples(rng, bump, yields), KernelModel(width=0.7, centers=60))
    assert f"Yield: <strong>{yields} observed" in page
    assert "What differs most" not in page
    assert not (tmp_path / "plots/leading.png").exists()


def test_a_correlation_is_shown_as_a_pair_once(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng, 0)
    events = data.events @ np.array([[1.0, 0.7], [0.0, 0.7]])
    page = _page(tmp_path, reference, Sample(events, features=_FEATURES), KernelModel(width=0.7, centers=60))
    assert page.index("What differs most: features pt and eta") < page.index("<h2>Key numbers</h2>")
    assert page.index("Most of it is in pt and eta together.") < page.index("What differs most")
    assert page.count("<strong>Features pt and eta</strong>") == 0
    json.loads((tmp_path / "localization.json").read_text())


def test_several_models_show_what_the_leading_one_does(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = _samples(rng, 60)
    test = MultipleTest([NPLMTest(reference, KernelModel(width=w, centers=60)) for w in (0.7, 1.5)])
    page = write_multiple_run(tmp_path, test, data, test.run(data, 0), leave_one_out=False).read_text()
    assert page.index("Yield: <strong>600") < page.index("What differs most: pt") < page.index("<h2>Tests</h2>")


def test_bins_do_as_well(rng: np.random.Generator, tmp_path: Path) -> None:
    reference, data = (Sample(s.events[:, :1], s.weights, ["pt"], s.name) for s in _samples(rng, 60))
    test = NPLMTest(reference, HistogramModel(20), shape_only=True)
    page = write_run(tmp_path, test, data, test.run(data, 100)).read_text(encoding="utf-8")
    assert "Yield: " not in page
    assert page.index("What differs most: pt") < page.index("<h2>Key numbers</h2>")
