"""Options from a YAML file."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from nplm._util.yaml_text import RepeatedKeyError, load_yaml
from nplm.cli.errors import UsageError
from nplm.cli.options import given


def read_config(path: str, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The options in a YAML file, parsed and checked like those of the command line.

    Arguments:
        path: a file whose keys are long options, written with - or _.
        parser: knows the options and their types.

    Returns:
        Values by field name.

    Raises:
        UsageError: if the file cannot be read, or a key is unknown or repeated, or a value has the wrong type.
    """
    try:
        source = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--config {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--config {path} is not a text in UTF-8") from error
    try:
        document = load_yaml(source)
    except RepeatedKeyError as error:
        raise UsageError(f"--config {path}: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--config {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"--config {path} must hold options such as 'clip: 9', one in a line")
    options = _options(parser)
    seen: dict[str, str] = {}
    for key in map(str, document):
        action = options.get(key.replace("_", "-"))
        if action is None:
            raise UsageError(f"--config {path}: unknown option '{key}'{did_you_mean(key.replace('_', '-'), options)}")
        if action.dest in seen:
            raise UsageError(f"--config {path}: '{key}' repeats '{seen[action.dest]}'; keep one")
        seen[action.dest] = key
    values = {}
    for key, value in document.items():
        name = key.replace("_", "-")
        try:
            values[options[name].dest] = _parse(options[name], name, value)
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"--config {path}: {key}: {error}") from error
    return given(argparse.Namespace(**values))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion to append to an error about an unknown word; empty if no known word is like it."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options of a parser by their long names, without those that make no sense in a file."""
    return {
        name.removeprefix("--"): action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and action.dest not in ("help", "config")
    }


def _parse(action: argparse.Action, name: str, value: Any) -> Any:
    if isinstance(action, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise argparse.ArgumentTypeError(f"it must be true or false, not {_shown(value)}")
        return value != name.startswith("no-")
    if action.nargs == "+" or isinstance(action, argparse._AppendAction):
        items = value if isinstance(value, list) else [value]
        if not items:
            raise argparse.ArgumentTypeError("the list is empty")
        return [_parse_scalar(action, item) for item in items]
    return _parse_scalar(action, value)


def _parse_scalar(action: argparse.Action, value: Any) -> Any:
    # A bool is an int to Python, but 'toys: yes' is a mistake, and YAML reads an unquoted no as false.
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise argparse.ArgumentTypeError(f"it must be a number or a text, not {_shown(value)}; quote texts")
    parsed = action.type(str(value)) if callable(action.type) else value
    if action.choices is not None and parsed not in action.choices:
        raise argparse.ArgumentTypeError(f"it must be {' or '.join(action.choices)}, not '{value}'")
    return parsed


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else f"'{value}'"
