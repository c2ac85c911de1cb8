"""result.json follows its schema, and the schema refuses what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.result import SCHEMA
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel


@pytest.fixture
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(files("nplm").joinpath("schema/result-1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == SCHEMA
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("settings", [{}, {"toys": 0}, {"toys": 10, "failing": 10}, {"toys": 5, "t": 1e9}])
def test_results_follow_the_schema(
    settings: dict[str, Any], run: Callable[..., Any], validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(json.loads(run(**settings).result.to_json()))


def test_numbers_that_are_not_finite_follow_the_schema(
    run: Callable[..., Any], validator: jsonschema.Draft202012Validator
) -> None:
    result = replace(run(toys=5).result, t=np.nan, z=np.inf, z_interval=(1.0, np.inf), remaining=np.nan)
    document = json.loads(result.to_json())
    assert [document["t"], document["z"], document["z_interval"], document["fit"]["remaining"]] == [
        None,
        None,
        [1.0, None],
        None,
    ]
    validator.validate(document)


def test_histogram_with_an_empty_bin_follows_the_schema(
    rng: np.random.Generator, validator: jsonschema.Draft202012Validator
) -> None:
    test = NPLMTest(Sample(rng.uniform(size=1000)), HistogramModel(edges=((0.0, 0.5, 1.0),)), expected_yield=100)
    document = json.loads(test.run(Sample(0.5 * rng.uniform(size=90)), toys=0).to_json())
    assert document["parameters"]["log_ratio"][1] is None
    validator.validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("p_value",), 1.5),
        (("p_interval",), [0.1]),
        (("z",), "2.3"),
        (("surprise",), 1),
        (("schema",), "nplm-result/2"),
        (("n_data",), 0),
        (("features",), ["x", "x"]),
        (("calibration", "kind"), "guess"),
        (("calibration", "surprise"), 1),
        (("calibration", "toys"), -1),
        (("calibration", "ensemble"), 3),
        (("calibration", "ensemble", "surprise"), 1),
        (("calibration", "ensemble", "failed"), None),
        (("calibration", "ensemble", "given", "p_value"), 1.5),
        (("calibration", "ensemble", "fitted", "kind"), "chi2 guessed"),
        (("calibration", "ensemble", "fitted", "tails"), [{"toys": 3}]),
        (("fit", "starts"), 1.5),
        (("standardization", "scale"), [0.0]),
        (("parameters", "slope"), "steep"),
        (("configuration",), None),
    ],
)
def test_a_wrong_document_is_refused(
    path: tuple[str, ...], value: Any, run: Callable[..., Any], validator: jsonschema.Draft202012Validator
) -> None:
    document = json.loads(run(toys=60).result.to_json())
    assert validator.is_valid(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not validator.is_valid(document)


def test_every_field_is_required(run: Callable[..., Any], validator: jsonschema.Draft202012Validator) -> None:
    document = json.loads(run(toys=0).result.to_json())
    for key in document:
        assert not validator.is_valid({k: v for k, v in document.items() if k != key}), key
