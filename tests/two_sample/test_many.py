"""Many comparisons: corrections for their number, and the number of events that it takes."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy.stats import norm

from nplm.family import validate_matrix
from nplm.plot import plot_two_sample_matrix
from nplm.stats.multiple_comparisons import adjusted_p
from nplm.two_sample import n_sweep
from nplm.two_sample.matrix import SCHEMA, TwoSampleMatrix
from nplm.two_sample.matrix_text import matrix_rows, matrix_text
from nplm.two_sample.sweep import SCHEMA as SWEEP_SCHEMA
from nplm.two_sample.sweep import Crossing, TwoSampleSweep, _crossing
from tests.two_sample.samples import gaussians, signed

SETTINGS = {"widths": [0.8, 2.5], "penalties": [1e-2, 1e-3], "centers": 40}


def validator(name: str, identity: str) -> Draft202012Validator:
    schema = json.loads(files("nplm").joinpath(f"schema/{name}").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == identity
    return Draft202012Validator(schema)


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


def test_corrections_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(adjusted_p(p, "bonferroni"), [0.04, 0.16, 0.12, 1.0])
    np.testing.assert_allclose(adjusted_p(p, "holm"), [0.04, 0.09, 0.09, 0.5])
    np.testing.assert_allclose(adjusted_p(p, "false-discovery"), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_matrix_finds_the_sample_that_differs(rng) -> None:
    samples = {
        "one": gaussians(rng, 300),
        "two": gaussians(rng, 200),
        "shifted": gaussians(rng, 250, shift=0.8),
        "signed": signed(rng, 400),
    }
    matrix = validate_matrix(samples, resamples=999, draws=2000, **SETTINGS)
    assert len(matrix.results) == 6
    z = matrix.z
    np.testing.assert_array_equal(z, z.T)
    assert np.isnan(np.diag(z)).all()
    different = matrix.names.index("shifted")
    others = [i for i in range(4) if i != different]
    assert (z[different, others] > 2).all()
    assert np.nanmax(z[np.ix_(others, others)]) < 2
    assert "shifted" in matrix.leading
    assert json.loads(matrix.to_json())["correction"] == "holm"
    assert "3 of 6 pairs differ" in repr(matrix)
    with pytest.raises(ValueError, match="two samples or more, not 1"):
        validate_matrix({"one": samples["one"]})
    with pytest.raises(ValueError, match="no correction 'none'"):
        validate_matrix(samples, correction="none")


def test_p_of_one_has_a_z_below_zero(rng) -> None:
    """Where the number of pairs takes p to 1, its Z is below zero, and what was a lower limit limits nothing."""
    samples = {"a": gaussians(rng, 60), "b": gaussians(rng, 60), "c": gaussians(rng, 60, shift=3.0)}
    matrix = validate_matrix(samples, resamples=49, **SETTINGS)
    assert matrix.results["a", "c"].calibration.limit
    assert not matrix.results["a", "b"].calibration.limit
    one = np.where(np.eye(3) == 1, np.nan, 1.0)
    matrix = TwoSampleMatrix(matrix.names, matrix.results, "holm", matrix.p, one)
    cells = {row[0]: row[2:4] for row in matrix_rows(matrix)}
    assert cells["a - b"] == ("1", "< 0")
    assert cells["a - c"] == ("1", "no limit")
    drawn = [text.get_text() for text in plot_two_sample_matrix(matrix).axes[0].texts]
    assert sorted(set(drawn)) == ["< 0", "no limit"]
    assert "inf" not in matrix_text(matrix)
    document = json.loads(matrix.to_json())
    assert {(pair["adjusted_p"], pair["adjusted_z"]) for pair in document["comparisons"]} == {(1.0, None)}
    validator("two-sample-matrix-1.json", SCHEMA).validate(document)


def test_a_wrong_matrix_is_refused(rng) -> None:
    checker = validator("two-sample-matrix-1.json", SCHEMA)
    samples = {"a": gaussians(rng, 60), "b": gaussians(rng, 60)}
    document = json.loads(validate_matrix(samples, resamples=9, **SETTINGS).to_json())
    checker.validate(document)
    checker.validate({**document, "configuration": {}})
    for path, value in (
        (("surprise",), 1),
        (("names",), ["a", "a"]),
        (("correction",), "none"),
        (("comparisons", 0, "adjusted_p"), 1.5),
        (("comparisons", 0, "adjusted_z"), "-inf"),
        (("comparisons", 0, "pair"), ["a"]),
        (("comparisons", 0, "result", "schema"), "nplm-result/1"),
    ):
        assert not checker.is_valid(changed(document, path, value)), path
    for key in document:
        assert not checker.is_valid({k: v for k, v in document.items() if k != key}), key


def test_a_wrong_sweep_is_refused() -> None:
    checker = validator("two-sample-sweep-1.json", SWEEP_SCHEMA)
    crossings = (Crossing(1.0, None, "below"), Crossing(3.0, 250.0, "interpolated"), Crossing(5.0, None, "unknown"))
    sweep = TwoSampleSweep((100, 400), np.array([[1.0, 2.0], [3.0, np.nan]]), crossings, ("A", "B"), (900, 800), ())
    document = json.loads(sweep.to_json())
    assert document["sizes"][0] == pytest.approx({"events": 100, "median_z": 1.5, "low_z": 1.16, "high_z": 1.84})
    assert document["sizes"][1]["high_z"] is None
    checker.validate(document)
    for path, value in (
        (("schema",), SCHEMA),
        (("available",), [900]),
        (("repeats",), 0),
        (("sizes",), []),
        (("sizes", 0, "events"), 1),
        (("sizes", 0, "median_z"), "1.5"),
        (("crossings", 1, "events"), None),
        (("crossings", 0, "events"), 250.0),
        (("crossings", 0, "kind"), "guessed"),
    ):
        assert not checker.is_valid(changed(document, path, value)), path
    for key in document:
        assert not checker.is_valid({k: v for k, v in document.items() if k != key}), key


def test_z_grows_with_the_number_of_events_and_not_without_a_difference(rng) -> None:
    """Median Z of 40 subsamples; without a difference it stays within 0.8 of zero at every size."""
    a = gaussians(rng, 4000)
    sweep = n_sweep(a, gaussians(rng, 4000, shift=0.25), [200, 400, 800, 1600], draws=5000, **SETTINGS)
    assert (np.diff(sweep.median) > 0).all()
    three, five = sweep.crossings
    assert three.kind == "interpolated"
    assert 200 < three.events < five.events
    # Twice the events give a Z that is larger by the root of two, once it is well above the threshold of the test.
    assert sweep.median[-1] / sweep.median[-2] == pytest.approx(np.sqrt(2), rel=0.35)
    none = n_sweep(a, gaussians(rng, 4000), [200, 800], draws=5000, **SETTINGS)
    assert np.abs(none.median).max() < 0.8
    assert {crossing.kind for crossing in none.crossings} == {"unknown"}
    assert "hardly differ" in repr(none)
    assert len(json.loads(sweep.to_json())["sizes"]) == 4
    for one in (sweep, none):
        validator("two-sample-sweep-1.json", SWEEP_SCHEMA).validate(json.loads(one.to_json()))


def test_subsamples_without_a_difference_have_standard_normal_z(rng) -> None:
    """200 subsamples of a tenth of the events: mean and deviation of Z within four standard errors of 0 and 1."""
    z = n_sweep(gaussians(rng, 5000), signed(rng, 5000), [500], repeats=200, draws=5000, **SETTINGS).z[0]
    assert abs(z.mean()) < 4 / np.sqrt(200) + 0.1
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(400) + 0.05)
    assert norm.sf(z).min() > 1e-5


def test_crossings() -> None:
    sizes, median = (100, 400, 900), np.array([1.0, 2.0, 3.0])
    assert _crossing(sizes, median, 2.5).events == pytest.approx(625)
    assert _crossing(sizes, median, 0.5).kind == "below"
    beyond = _crossing(sizes, median, 6.0)
    assert (beyond.events, beyond.kind) == (3600, "extrapolated")
    assert _crossing(sizes, median / 3, 6.0).kind == "unknown"


def test_sizes_that_make_no_sense_are_refused(rng) -> None:
    a, b = gaussians(rng, 60), gaussians(rng, 50)
    for sizes in ([], [1], [51]):
        with pytest.raises(ValueError, match="between 2 and 50"):
            n_sweep(a, b, sizes)
    with pytest.raises(ValueError, match="1 or more, not 0"):
        n_sweep(a, b, [20], repeats=0)
    with pytest.raises(ValueError, match="compares shapes only"):
        n_sweep(a, b, [20], expected_ratio=1.0)
