"""A result comes back from a file as it went: all numbers, arrays, words and pictures; nothing else is read."""

from __future__ import annotations

import copy
import json
import re
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nplm import (
    FamilyTest,
    GaussianConstraint,
    KernelModel,
    MultipleTest,
    NPLMTest,
    Nuisances,
    Sample,
    load_result,
    validate,
)
from nplm._util.arrays_file import write_npz
from nplm.hypotest import kernel_widths
from nplm.hypotest.saved import SCHEMA, SavedResultError
from nplm.nuisance import Normalization
from nplm.plot import plot_null
from nplm.saved_results import CLASSES


def _same(one: Any, other: Any) -> None:
    """Asserts that two values are the same to the last bit, whatever they are made of."""
    one = one.item() if isinstance(one, np.generic) else one
    assert type(one) is type(other)
    if is_dataclass(one) and not isinstance(one, type):
        for each in fields(one):
            if each.name != "_of":
                _same(getattr(one, each.name), getattr(other, each.name))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            _same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for ours, theirs in zip(one, other, strict=True):
            _same(ours, theirs)
    else:
        assert one == other or (one != one and other != other)


def _samples(rng: np.random.Generator) -> tuple[Sample, Sample]:
    reference = Sample(rng.normal(size=(600, 2)), np.full(600, 0.3), ("x", "phi"), "reference")
    return reference, Sample(rng.normal(size=(190, 2)), features=("x", "phi"), name="data")


def _result(kind: str, rng: np.random.Generator) -> Any:
    reference, data = _samples(rng)
    model = KernelModel(width=1.0, centers=30)
    if kind == "toys":
        return NPLMTest(reference, model).run(data, 60)
    if kind == "bins":
        return NPLMTest(reference, "histogram", coordinates="normal-scores").run(data, 60, calibrate="toys")
    if kind == "importance":
        return NPLMTest(reference, model, circular={"phi": 7.0}).run(data, 800, calibrate="importance")
    if kind == "nuisances":
        nuisances = Nuisances(Normalization("yield"), GaussianConstraint(("yield",), [0.05]))
        return NPLMTest(reference, model, nuisances=nuisances).run(data, 0)
    if kind == "far":
        # An event far from all others, which is named beside the p-value.
        far = Sample(np.vstack([data.events, np.full((8, 2), 50.0)]), features=data.features)
        return NPLMTest(reference, model).run(far, 0)
    if kind == "widths":
        return MultipleTest(kernel_widths(reference, [0.5, 2.0])).run(data, 60)
    if kind == "kernels":
        return validate(reference, data, widths=[1.0], calibrate="asymptotic")
    if kind == "yield":
        nothing = Sample(np.zeros((0, 2)), features=data.features)
        return FamilyTest(reference, nothing, expected_ratio=1.0).run()
    return FamilyTest(reference, data, expected_ratio=1.0).run(resamples=99)


KINDS = ("toys", "bins", "importance", "nuisances", "far", "widths", "kernels", "yield", "family")


# Those that take tens of seconds to make are kept for the longer tests.
_LONG = ("widths", "importance")


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow) if k in _LONG else k for k in KINDS])
def test_a_result_comes_back_as_it_was(kind: str, rng: np.random.Generator, tmp_path: Path) -> None:
    result = _result(kind, rng)
    result.save(tmp_path / "result.npz")
    loaded = load_result(tmp_path / "result.npz")
    _same(result, loaded)
    assert loaded.to_json() == result.to_json()
    assert repr(loaded) == repr(result)
    assert loaded._of is None
    if kind == "toys":
        assert plot_null(loaded).axes


def test_a_copy_does_not_bring_the_samples(rng: np.random.Generator) -> None:
    result = _result("far", rng)
    assert result._of is not None
    assert copy.copy(result)._of is None
    assert replace(result, seed=2)._of is result._of


@pytest.mark.parametrize("made", CLASSES.values())
def test_the_dataclasses_of_its_fields_are_read_too(made: type) -> None:
    for each in fields(made):
        names = [] if each.name == "_of" else re.findall(r"[A-Z]\w+", str(each.type))
        used = [getattr(sys.modules[made.__module__], name, None) for name in names]
        for kind in used:
            # Of a base class there are those that are made of it.
            assert not is_dataclass(kind) or any(issubclass(known, kind) for known in CLASSES.values())


def test_a_dataclass_of_somebody_else_is_not_saved(rng: np.random.Generator, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Mine:
        number: int

    result = replace(_result("far", rng), configuration={"mine": Mine(1)})
    with pytest.raises(TypeError, match="a result with a Mine cannot be saved"):
        result.save(tmp_path / "result.npz")
    assert not list(tmp_path.iterdir())


def _refused(path: Path, message: str) -> None:
    with pytest.raises(SavedResultError, match=message) as caught:
        load_result(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused_in_a_line(rng: np.random.Generator, tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with pytest.raises(FileNotFoundError):
        load_result(path)
    path.write_text(json.dumps({"schema": "nplm-result/1"}))
    _refused(path, r"file\.npz holds no saved result: load_result reads what result.save\(path\) wrote")
    np.savez(path, x=np.ones(3))
    _refused(path, "holds no saved result")
    write_npz(path, {"schema": "nplm-saved-result/2"}, {})
    _refused(path, f"has the schema nplm-saved-result/2, not {SCHEMA}")
    np.savez(path, header=np.array([object()], dtype=object))
    _refused(path, "holds no saved result")


def test_a_changed_file_is_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    _result("far", rng).save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["array-0"] = arrays["array-0"] + 1
    np.savez(path, **arrays)
    _refused(path, "was changed: its contents are not those that were written; save the result anew")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"class": "Popen", "fields": {"args": "true"}}, "'Popen', which this version of nplm does not know"),
        ({"class": "Chi2Null", "fields": {"degrees_of_freedom": 3, "more": 1}}, "Chi2Null has more, which this"),
        ({"class": "Chi2Null", "fields": {}}, "Chi2Null lacks degrees_of_freedom"),
        ({"class": "Chi2Null", "fields": {"degrees_of_freedom": 3}}, "holds a Chi2Null, which is no result"),
        ({"array": "nothing"}, "holds no saved result"),
        ({"system": "ls"}, "holds no saved result"),
        ([1, 2], "holds a list, which is no result"),
    ],
)
def test_nothing_but_results_is_made(document: Any, message: str, tmp_path: Path) -> None:
    write_npz(tmp_path / "file.npz", {"schema": SCHEMA, "result": document}, {})
    _refused(tmp_path / "file.npz", message)
