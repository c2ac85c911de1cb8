"""YAML files about nuisances: read, and held against their schema, with messages that name the file and the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml
from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.validators import extend

from nplm._util.yaml_text import RepeatedKeyError, load_yaml

# What is wrong is shown up to this length.
_SHOWN = 80


class NuisanceFileError(ValueError):
    """Raised when a file about nuisances cannot be read or makes no sense; the message names the file and the key."""


def read_document(source: Path, schema: str) -> Mapping[str, Any]:
    """The keys and values of a file.

    Arguments:
        source: the file.
        schema: that it must follow, such as "learn-1", see `nplm/schema`.

    Raises:
        NuisanceFileError: if it cannot be read, is not YAML, has a key twice, or does not follow its schema.
    """
    try:
        document = load_yaml(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise NuisanceFileError(f"{source} cannot be read: {error.strerror}") from error
    except RepeatedKeyError as error:
        raise NuisanceFileError(f"{source}: {error}") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise NuisanceFileError(f"{source} is not a YAML file: {' '.join(str(error).split())}") from error
    wrong = next(_validator(schema).iter_errors(document), None)
    if wrong is not None:
        raise NuisanceFileError(f"{source}: {_words(wrong, document)}")
    found: Mapping[str, Any] = document
    return found


def texts(value: str | list[str]) -> tuple[str, ...]:
    """One text or more; a text by itself is a list of one."""
    return (value,) if isinstance(value, str) else tuple(value)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; yes and no are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _checked_number(checker: TypeChecker, value: Any) -> bool:
    return is_number(value)


@cache
def _validator(schema: str) -> Draft202012Validator:
    text = files("nplm").joinpath(f"schema/{schema}.json").read_text(encoding="utf-8")
    numbers = Draft202012Validator.TYPE_CHECKER.redefine("number", _checked_number)
    found: Draft202012Validator = extend(Draft202012Validator, type_checker=numbers)(json.loads(text))  # type: ignore[no-untyped-call]
    return found


def _words(error: ValidationError, document: Any) -> str:
    """What is wrong, in the words of the schema: a title says what must be there, a description what is missing."""
    what, schema = _key(error.absolute_path, document), cast("Mapping[str, Any]", error.schema)
    found: Any = error.instance
    if error.validator == "additionalProperties":
        known = schema["properties"]
        unknown = next(key for key in found if key not in known)
        return f"{what} has an unknown key '{unknown}'; the keys are {', '.join(known)}"
    if error.validator == "required":
        missing = next(key for key in schema["required"] if key not in found)
        of = "" if what == "it" else f" of {what}"
        return f"{missing}{of} is missing; give {schema['properties'][missing]['description']}"
    if error.validator == "dependentRequired":
        return f"relative of {what} is about columns of weights, of which it has none"
    value = "nothing" if found is None else repr(found)
    return f"{what} must be {schema['title']}, not {value if len(value) <= _SHOWN else f'{value[:_SHOWN]}...'}"


def _key(path: Iterable[Any], document: Any) -> str:
    """A place in the document, as nuisances.scale.sigma; the first of a list is number 1."""
    names, here = [], document
    for each in path:
        names.append(str(each + 1) if isinstance(here, list) else str(each))
        here = here[each]
    return ".".join(names) or "it"
