"""The schemas of the YAML files say what the code takes, and every one of them has words for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nplm.learning.from_set import SET_KINDS
from nplm.learning.settings import RatioSettings


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("nplm").joinpath(f"schema/{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["nuisances-1", "learn-1"])
def test_they_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_settings_are_those_of_the_code() -> None:
    assert {*schema("learn-1")["properties"]["settings"]["properties"]} == {each.name for each in fields(RatioSettings)}


def test_kinds_of_sets_are_those_of_the_code() -> None:
    assert {*schema("learn-1")["$defs"]["set"]["properties"]["set"]["enum"]} == {*SET_KINDS}


@pytest.mark.parametrize("name", ["nuisances-1", "learn-1"])
def test_what_can_be_wrong_has_words(name: str) -> None:
    untitled = [
        node for node in _nodes(schema(name)) if {"type", "enum", "anyOf"} & node.keys() and "title" not in node
    ]
    assert untitled == []
    missing = [
        (node["required"], key)
        for node in _nodes(schema(name))
        for key in node.get("required", [])
        if "title" not in node.get("properties", {}).get(key, {"title": "of a part of oneOf"}) and "properties" in node
        if "description" not in node["properties"][key]
    ]
    assert missing == []


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """The parts of a schema that may be named in a message: not the alternatives, which are named together."""
    if isinstance(node, dict):
        if "properties" in node or {"type", "enum", "anyOf"} & node.keys():
            yield node
        for key, value in node.items():
            if key == "properties" or key == "$defs":
                for each in value.values():
                    yield from _nodes(each)
            elif key not in ("anyOf", "oneOf", "if", "then", "else"):
                yield from _nodes(value)
    elif isinstance(node, list):
        for each in node:
            yield from _nodes(each)
