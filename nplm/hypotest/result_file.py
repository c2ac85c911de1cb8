"""Results in files: JSON values and plain arrays, never pickled."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm._util.arrays_file import ChangedError, read_npz, write_npz

if TYPE_CHECKING:
    from nplm.hypotest.multiple_result import MultipleResult
    from nplm.hypotest.result import Result
    from nplm.two_sample.matrix import TwoSampleMatrix
    from nplm.two_sample.result import TwoSampleResult
    from nplm.two_sample.sweep import TwoSampleSweep

SCHEMA = "nplm-saved-result/1"
# What stands for a value that JSON has no word for; each is the only key of its mapping.
_FLOAT, _TUPLE, _MAPPING, _ARRAY, _TEXTS, _COORDINATES = "float", "tuple", "mapping", "array", "texts", "coordinates"
_CLASS, _FIELDS = "class", "fields"


class SavedResultError(ValueError):
    """Raised when a file holds no result that can be read."""


class SavedResult:
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

    def __getstate__(self) -> dict[str, Any]:
        # Else a result that comes from another process would bring all samples with it.
        return {name: None if name == "_of" else value for name, value in vars(self).items()}


def load_result(path: str | Path) -> Result | TwoSampleResult | MultipleResult | TwoSampleMatrix | TwoSampleSweep:
    """The result that `result.save(path)` wrote; it does not know its samples, which `write` has to be given.

    Raises:
        SavedResultError: (a ValueError) if the file holds something else, was changed, or is of a later version.
        OSError: if the file cannot be read.
    """
    try:
        header, arrays = read_npz(path, SCHEMA)
        if header["schema"] != SCHEMA:
            raise SavedResultError(f"{path} has the schema {header['schema']}, not {SCHEMA}")
        result = _decoded(header["result"], arrays)
    except SavedResultError:
        raise
    except ChangedError as error:
        raise SavedResultError(f"{error}; save the result anew") from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise SavedResultError(
            f"{path} holds no saved result: load_result reads what result.save(path) wrote, and no result.json"
        ) from error
    if not isinstance(result, SavedResult):
        raise SavedResultError(f"{path} holds a {type(result).__name__}, which is no result")
    return result  # type: ignore[return-value]


@cache
def _classes() -> Mapping[str, type]:
    """The dataclasses that a result is made of, by name; nothing else is made from a file."""
    from nplm.calibration.record import Calibration
    from nplm.data.support import Outside
    from nplm.hypotest.multiple_result import MultipleResult
    from nplm.hypotest.result import Result
    from nplm.hypotest.yields import OwnRate, Shape
    from nplm.nuisance.fit_summary import NuisanceSummary
    from nplm.stats.chi2 import Chi2Null, FittedChi2Null
    from nplm.stats.combination import Combination
    from nplm.stats.ensemble_summary import EnsembleSummary
    from nplm.stats.global_pvalue import GlobalP
    from nplm.stats.goodness_of_fit import Chi2Compatibility, Tail
    from nplm.stats.goodness_of_fit_weighted_chi2 import MixtureCompatibility
    from nplm.stats.weighted_chi2 import FittedMixtureNull, MixtureNull
    from nplm.toys.table import ToyTable
    from nplm.two_sample.calibration import TwoSampleCalibration
    from nplm.two_sample.matrix import TwoSampleMatrix
    from nplm.two_sample.rate import Rate
    from nplm.two_sample.result import TwoSampleResult
    from nplm.two_sample.sweep import Crossing, TwoSampleSweep

    results = (Result, TwoSampleResult, MultipleResult, Calibration, TwoSampleCalibration, EnsembleSummary, ToyTable)
    laws = (Chi2Null, FittedChi2Null, MixtureNull, FittedMixtureNull, Combination, GlobalP)
    checks = (Chi2Compatibility, MixtureCompatibility, Tail)
    others = (NuisanceSummary, Outside, Rate, OwnRate, Shape)
    many = (TwoSampleMatrix, TwoSampleSweep, Crossing)
    known = (*results, *laws, *checks, *others, *many)
    return {each.__name__: each for each in known}


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
    if type(value).__name__ in _classes() and dataclasses.is_dataclass(value):
        kept = [each.name for each in dataclasses.fields(value) if each.init and each.name != "_of"]
        return {_CLASS: type(value).__name__, _FIELDS: {name: _encoded(getattr(value, name), arrays) for name in kept}}
    if hasattr(value, "arrays") and hasattr(value, "inverse"):
        return {_COORDINATES: {name: _encoded(np.asarray(each), arrays) for name, each in value.arrays().items()}}
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


def _decoded(document: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value that `_encoded` made these JSON values of.

    Raises:
        KeyError, TypeError, ValueError, SavedResultError: if they are others.
    """
    if isinstance(document, list):
        return [_decoded(each, arrays) for each in document]
    if not isinstance(document, dict):
        return document
    if document.keys() == {_CLASS, _FIELDS}:
        return _made(document[_CLASS], {k: _decoded(v, arrays) for k, v in document[_FIELDS].items()})
    ((kind, content),) = document.items()
    return _KINDS[kind](content, arrays)


def _made(name: str, values: Mapping[str, Any]) -> Any:
    """A dataclass, all of whose fields are there but those that have a default, as those of later versions have."""
    if name not in _classes():
        raise SavedResultError(f"a saved result holds a {name!r:.60}, which this version of nplm does not know")
    made = _classes()[name]
    fields = {each.name: each for each in dataclasses.fields(made) if each.init}
    if unknown := sorted(values.keys() - fields.keys()):
        raise SavedResultError(f"a saved {name} has {', '.join(unknown)}, which this version of nplm does not know")
    for each in fields.values():
        without_default = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        if without_default and each.name not in values:
            raise SavedResultError(f"a saved {name} lacks {each.name}")
    return made(**values)


def _coordinates(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    from nplm.data.coordinates import coordinates_in

    return coordinates_in({name: _decoded(each, arrays) for name, each in content.items()})


_KINDS: Mapping[str, Callable[[Any, Mapping[str, np.ndarray]], Any]] = {
    _FLOAT: lambda content, arrays: float(content),
    _TUPLE: lambda content, arrays: tuple(_decoded(each, arrays) for each in content),
    _MAPPING: lambda content, arrays: {_decoded(key, arrays): _decoded(each, arrays) for key, each in content},
    _ARRAY: lambda content, arrays: arrays[content],
    _TEXTS: lambda content, arrays: np.array(content, dtype=object),
    _COORDINATES: _coordinates,
}
