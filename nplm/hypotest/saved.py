"""Results in files: JSON values and plain arrays, never pickled. `nplm.saved_results` has what reads them."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nplm._util.arrays_file import write_npz
from nplm.data.coordinates import coordinates_in

SCHEMA = "nplm-saved-result/1"
# What stands for a value that JSON has no word for; each is the only key of its mapping.
_FLOAT, _TUPLE, _MAPPING, _ARRAY, _TEXTS, _COORDINATES = "float", "tuple", "mapping", "array", "texts", "coordinates"
_CLASS, _FIELDS = "class", "fields"


class SavedResultError(ValueError):
    """Raised when a file holds no result that can be read."""


class SavedResult(ABC):
    """What results have in common: they are written into a file, and a copy forgets the samples that they are of."""

    def save(self, path: str | Path) -> None:
        """Writes the result into a file, whole or not at all, for `load_result`; by custom its name ends with .npz.

        All of it is kept: numbers, log-ratios, parameters and toys, but not the samples.

        Raises:
            ValueError: if the folder does not exist.
            OSError: if the file cannot be written.
        """
        arrays: dict[str, np.ndarray] = {}
        document = _encoded(self, arrays)
        write_npz(Path(path), {"schema": SCHEMA, "result": document}, arrays)

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __getstate__(self) -> dict[str, Any]:
        # Else a result that comes from another process would bring all samples with it.
        return {name: None if name == "_of" else value for name, value in vars(self).items()}


def _encoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A value as JSON values; arrays are added to those that there are, under the name that stands for them."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, np.generic):
        return _encoded(value.item(), arrays)
    if isinstance(value, float):
        return value if np.isfinite(value) else {_FLOAT: str(value)}
    if isinstance(value, tuple):
        return {_TUPLE: [_encoded(each, arrays) for each in value]}
    if isinstance(value, list):
        return [_encoded(each, arrays) for each in value]
    if isinstance(value, Mapping):
        return {_MAPPING: [[_key(key), _encoded(each, arrays)] for key, each in value.items()]}
    if hasattr(value, "arrays") and hasattr(value, "inverse"):
        return {_COORDINATES: {name: _encoded(np.asarray(each), arrays) for name, each in value.arrays().items()}}
    # A dataclass of somebody else would not be known to those who read the file.
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith("nplm."):
        kept = [each.name for each in dataclasses.fields(value) if each.init and each.name != "_of"]
        return {_CLASS: type(value).__name__, _FIELDS: {name: _encoded(getattr(value, name), arrays) for name in kept}}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind in "OUT":
            return {_TEXTS: [str(each) for each in array.tolist()]}
        name = f"array-{len(arrays)}"
        arrays[name] = array
        return {_ARRAY: name}
    raise TypeError(f"a result with a {type(value).__name__} cannot be saved")


def _key(key: Any) -> Any:
    """A key of a mapping as JSON values: a text, or several of them."""
    return {_TUPLE: [str(each) for each in key]} if isinstance(key, tuple) else str(key)


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Makes the value again that JSON values and arrays stand for.

    Arguments:
        classes: the dataclasses that it may make, by their names in files; nothing else is made from a file.
        arrays: of the file, by name.
        renamed: for each class by its name in files, the present names of fields that had others before.
    """

    classes: Mapping[str, type]
    arrays: Mapping[str, np.ndarray]
    renamed: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def decoded(self, document: Any) -> Any:
        """The value that was written as these JSON values.

        Raises:
            KeyError, TypeError, ValueError, SavedResultError: if they are others.
        """
        if isinstance(document, list):
            return [self.decoded(each) for each in document]
        if not isinstance(document, dict):
            return document
        if document.keys() == {_CLASS, _FIELDS}:
            return self._made(document[_CLASS], self._values(document[_FIELDS]))
        ((kind, content),) = document.items()
        makers: Mapping[str, Callable[[Any], Any]] = {
            _FLOAT: float,
            _TUPLE: lambda values: tuple(map(self.decoded, values)),
            _MAPPING: lambda pairs: {self.decoded(key): self.decoded(value) for key, value in pairs},
            _ARRAY: self.arrays.__getitem__,
            _TEXTS: lambda texts: np.array(texts, dtype=object),
            _COORDINATES: lambda values: coordinates_in(self._values(values)),
        }
        return makers[kind](content)

    def _values(self, content: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.decoded(each) for name, each in content.items()}

    def _made(self, name: str, values: Mapping[str, Any]) -> Any:
        """A dataclass, all of whose fields are there but those that have a default, as those of later versions have."""
        if name not in self.classes:
            raise SavedResultError(f"a saved result holds a {name!r:.60}, which this version of nplm does not know")
        made, renamed = self.classes[name], self.renamed.get(name, {})
        values = {renamed.get(field, field): value for field, value in values.items()}
        fields = {each.name: each for each in dataclasses.fields(made) if each.init}
        if unknown := sorted(values.keys() - fields.keys()):
            raise SavedResultError(f"a saved {name} has {', '.join(unknown)}, which this version of nplm does not know")
        for each in fields.values():
            without_default = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            if without_default and each.name not in values:
                raise SavedResultError(f"a saved {name} lacks {each.name}")
        return made(**values)
