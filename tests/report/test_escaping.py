"""Pages of every kind show names that look like tags as they are: of features, files, samples, labels, in cautions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm import (
    FamilyTest,
    HistogramModel,
    KernelModel,
    Monitor,
    MultipleTest,
    NPLMTest,
    Sample,
    validate,
)
from nplm.channels import (
    RegionTable,
    Templates,
    best_combination,
    combine_results,
    examine_regions,
    explain_excesses,
)
from nplm.family import FamilySettings, validate_matrix
from nplm.hunt import bump_hunt
from nplm.hypotest import kernel_widths
from nplm.measure import Measurement
from nplm.monitor.page import write_page
from nplm.monitor.verdict import Verdict
from nplm.nuisance import Normalization
from nplm.report.channels import write_combination, write_combined, write_explained, write_regions
from nplm.report.closure_report import closure_page
from nplm.report.hunt import write_hunt
from nplm.report.measure import write_measure
from nplm.report.multiple import write_multiple_run
from nplm.report.pictures import Picture
from nplm.report.two_sample import write_two_sample
from nplm.report.two_sample_many import write_matrix, write_sweep
from nplm.report.write_run import write_run
from nplm.sensitivity import closure
from nplm.two_sample import n_sweep
from tests.hypotest.slope_model import SlopeModel
from tests.report.html_page import Page

NAME = "</style><script>alert('x')</script> a&b \"q\" <i>{{ 1 }}"
FEATURE, REFERENCE, DATA, CAUTION, COMMAND = (f"{NAME} {what}" for what in ("of x", "ref", "data", "odd", "command"))
ONE = FamilySettings(classes=("one",))


def _samples(shift: float = 2.0) -> tuple[Sample, Sample]:
    rng = np.random.default_rng(1)
    reference = Sample(rng.exponential(size=(2000, 2)), np.full(2000, 0.1), (FEATURE, "y"), REFERENCE)
    return reference, Sample(shift * rng.exponential(size=(200, 2)), features=(FEATURE, "y"), name=DATA)


def _noted(result: Any) -> Any:
    return replace(result, notes=(CAUTION,), configuration={**result.configuration, "command": COMMAND, "file": DATA})


def one_model(folder: Path) -> Path:
    reference, data = _samples()
    test = NPLMTest(reference, SlopeModel(60.0))
    return write_run(folder, test, data, _noted(test.run(data, 20)), leave_one_out=False)


def several_tests(folder: Path) -> Path:
    reference, data = _samples()
    test = MultipleTest(kernel_widths(reference, [0.5, 2.0], KernelModel(centers=20)))
    result = replace(_noted(test.run(data)), names=(f"{NAME} 1", f"{NAME} 2"))
    return write_multiple_run(folder, test, data, result, leave_one_out=False)


def family(folder: Path) -> Path:
    a, b = _samples()
    result = _noted(FamilyTest(a, b, settings=ONE).run(resamples=99))
    return write_two_sample(folder, a, b, result, result.to_dict(), None)


def two_samples(folder: Path) -> Path:
    a, b = _samples()
    result = _noted(validate(a, b, family=["one"], resamples=99))
    return write_two_sample(folder, a, b, result, result.to_dict(), n_sweep(a, b, [40], repeats=2))


def matrix(folder: Path) -> Path:
    a, b = _samples()
    result = validate_matrix({REFERENCE: a, DATA: b}, family=["one"], resamples=99)
    result = replace(result, results={pair: _noted(each) for pair, each in result.results.items()})
    return write_matrix(folder, result, {"configuration": {"command": COMMAND}})


def sweep(folder: Path) -> Path:
    return write_sweep(folder, replace(n_sweep(*_samples(), [40], repeats=2), notes=(CAUTION,)))


def of_closure(folder: Path) -> Path:
    reference, signal = _samples()
    found = closure(NPLMTest(reference, HistogramModel(4)), signal, [100.0], 20, ideal=None)
    page = folder / "report.html"
    picture = Picture(Path(__file__), f"{NAME} title", f"{NAME} caption")
    page.write_text(closure_page(found, picture, f"{REFERENCE}, {DATA}", COMMAND), encoding="utf-8")
    return page


def of_monitor(folder: Path) -> Path:
    reference, _ = _samples()
    monitor = Monitor(reference, KernelModel(width=1.0, centers=20), window=200)
    alarm = {"status": "alarm", "alarms": ("shape",), "message": CAUTION, "p_shape": 1e-9, "report": f'a"{NAME}'}
    verdicts = [Verdict(row=row, time="2026-01-01", source=DATA, **alarm) for row in range(2)]
    return write_page(folder, monitor, verdicts, 5.0)


def of_hunt(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    m = np.concatenate([rng.uniform(0, 10, 1500), rng.normal(5, 0.3, 300)])
    sample = Sample(np.column_stack([m, rng.normal(size=(1800, 1))]), features=(FEATURE, f"{NAME} y"), name=DATA)
    result = bump_hunt(sample, FEATURE, 0.5, draws=100)
    content = {**result.to_dict(), "configuration": {"command": COMMAND, "file": DATA}}
    return write_hunt(folder, sample, result, content)


def of_measure(folder: Path) -> Path:
    reference, data = _samples()
    measurement = Measurement(reference, Normalization(f"{NAME} norm"))
    result = replace(measurement.run(data, resamples=99), notes=(CAUTION,))
    content = {**result.to_dict(), "configuration": {"command": COMMAND}}
    return write_measure(folder, result, measurement.fitted_reference(result), data, content)


def _regions() -> RegionTable:
    names = (f"{NAME} 1", f"{NAME} 2")
    counts = (np.array(values) for values in ([20.0, 6.0], [8.0, 5.0], [1.0, 1.0]))
    return RegionTable(names, (REFERENCE, DATA), *counts, name=FEATURE)


def of_regions(folder: Path) -> Path:
    result = examine_regions(_regions(), draws=20)
    return write_regions(folder, result, {**result.to_dict(), "configuration": {"command": COMMAND}})


def of_combination(folder: Path) -> Path:
    result = combine_results({REFERENCE: 0.01, DATA: 0.3})
    return write_combined(folder, result, {**result.to_dict(), "configuration": {"command": COMMAND}})


def of_graph(folder: Path) -> Path:
    result = best_combination(_regions(), "analysis")
    return write_combination(folder, result, {**result.to_dict(), "configuration": {"command": COMMAND}})


def of_explanation(folder: Path) -> Path:
    result = explain_excesses(
        _regions(), Templates((FEATURE,), np.ones((1, 2))), ["analysis"], walkers=1, steps=2, fakes=2
    )
    return write_explained(folder, result, {**result.to_dict(), "configuration": {"command": COMMAND}})


# What each shows of it.
PAGES: dict[Callable[[Path], Path], tuple[str, ...]] = {
    one_model: (FEATURE, REFERENCE, DATA, CAUTION, COMMAND, f"Feature {FEATURE}"),
    several_tests: (FEATURE, REFERENCE, DATA, CAUTION, COMMAND, f"Pictures of the leading test: {NAME} "),
    family: (FEATURE, REFERENCE, DATA, CAUTION, COMMAND, f"Feature {FEATURE}"),
    two_samples: (FEATURE, f"A: {REFERENCE}", f"B: {DATA}", CAUTION, COMMAND),
    matrix: (f"{REFERENCE} - {DATA}", CAUTION, COMMAND),
    sweep: (f"A: {REFERENCE}", f"B: {DATA}", CAUTION),
    of_hunt: (FEATURE, f"Spectrum of {FEATURE}", f"excess at {FEATURE}", f"{NAME} y", DATA, COMMAND),
    of_regions: (f"{REFERENCE}: {NAME} 1", f"{FEATURE}: 2 regions", f"excess in {NAME} 1 of {REFERENCE}", COMMAND),
    of_combination: (REFERENCE, DATA, f"the channel {REFERENCE} leads", COMMAND),
    of_graph: (FEATURE, REFERENCE, DATA, COMMAND),
    of_explanation: (FEATURE, f"{DATA}: {NAME} 2", COMMAND),
    of_closure: (REFERENCE, DATA, COMMAND, f"{NAME} title", f"{NAME} caption"),
    of_measure: (FEATURE, f"{NAME} norm", f"Feature {FEATURE}", DATA, CAUTION, COMMAND),
    of_monitor: (FEATURE, REFERENCE, DATA, CAUTION),
}


@pytest.mark.parametrize("write", PAGES, ids=lambda write: write.__name__)
def test_names_are_text(write: Callable[[Path], Path], tmp_path: Path) -> None:
    text = write(tmp_path).read_text(encoding="utf-8")
    page = Page(text)
    assert "<script" not in text.lower()
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "i"}
    assert [tag for tag, _ in page.tags].count("style") == 1
    # Escaped once: a second time would show.
    assert "&amp;amp;" not in text
    assert "&amp;lt;" not in text
    for words in PAGES[write]:
        assert words in page.text, words
    sources = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on")}
        assert "href" not in attributes or attributes["href"] == f'a"{NAME}'
