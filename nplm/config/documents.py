"""YAML files about nuisances: keys and values, with messages that name the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nplm._util.yaml_text import RepeatedKeyError, load_yaml


class NuisanceFileError(ValueError):
    """Raised when a file about nuisances cannot be read or makes no sense; the message names the file and the key."""


def read_document(source: Path, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """The keys and values of a file.

    Raises:
        NuisanceFileError: if it cannot be read, is not YAML, or has another key, or one twice.
    """
    try:
        document = load_yaml(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise NuisanceFileError(f"{source} cannot be read: {error.strerror}") from error
    except RepeatedKeyError as error:
        raise NuisanceFileError(f"{source}: {error}") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise NuisanceFileError(f"{source} is not a YAML file: {' '.join(str(error).split())}") from error
    found = mapping(source, document, "it")
    require_known(source, found, keys, "it")
    return found


def mapping(source: Path, value: Any, what: str) -> Mapping[str, Any]:
    """Keys and values.

    Raises:
        NuisanceFileError: if it is something else.
    """
    if not isinstance(value, dict):
        raise NuisanceFileError(
            f"{source}: {what} must hold keys and values, not {'nothing' if value is None else value!r}"
        )
    return value


def require_known(source: Path, values: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    """Refuses keys that mean nothing.

    Raises:
        NuisanceFileError: naming the first.
    """
    if unknown := [key for key in values if key not in known]:
        raise NuisanceFileError(f"{source}: {what} has an unknown key '{unknown[0]}'; the keys are {', '.join(known)}")


def text(source: Path, value: Any, what: str) -> str:
    """A text that is not empty.

    Raises:
        NuisanceFileError: if it is something else.
    """
    if not isinstance(value, str) or not value:
        raise NuisanceFileError(f"{source}: {what} must be a text, not {'nothing' if value is None else repr(value)}")
    return value


def texts(source: Path, value: Any, what: str) -> tuple[str, ...]:
    """One text or more, as a list; a text by itself is a list of one.

    Raises:
        NuisanceFileError: if it is something else, or there is none.
    """
    if not value:
        raise NuisanceFileError(
            f"{source}: {what} must be a list of texts, not {'nothing' if value is None else value}"
        )
    return tuple(text(source, item, f"each of {what}") for item in (value if isinstance(value, list) else [value]))


def number(source: Path, value: Any, what: str) -> float:
    """A finite number.

    Raises:
        NuisanceFileError: if it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise NuisanceFileError(f"{source}: {what} must be a number, not {'nothing' if value is None else repr(value)}")
    return float(value)
