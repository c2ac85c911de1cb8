"""Points nu, and sets of weights, in the YAML file of `nplm learn`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.config.documents import NuisanceFileError, mapping, number, require_known, text, texts
from nplm.learning.from_set import SET_KINDS, SetKind

# What no name of a nuisance holds, as files are called after it.
_NOT_IN_NAMES = "/\\:"
_OF_PAIR = ("nu", "file", "weights", "relative")
_OF_SET = ("set", "weights", "relative", "level", "loss", "inputs")
Nu = dict[str, float]
# Some elements of arrays, as Python counts them.
_RANGE = re.compile(r"(\w[\w.]*)\[(\d{1,6}):(\d{1,6})\]")


@dataclass(frozen=True)
class WeightSet:
    """A set of weights, as of parton densities.

    Arguments:
        name: of its nuisances.
        kind: of the set.
        columns: of the members; one of arrays stands for all their elements.
        relative, level, loss, inputs: see `learn_from_set`.
    """

    name: str
    kind: SetKind
    columns: tuple[str, ...]
    relative: bool | None
    level: float
    loss: float
    inputs: tuple[str, ...] | None

    @classmethod
    def of(cls, source: Path, name: str, entry: Mapping[str, Any]) -> WeightSet:
        """The set that an entry of nuisances describes.

        Raises:
            NuisanceFileError: if it makes no sense.
        """
        require_known(source, entry, _OF_SET, f"set '{name}'")
        if entry["set"] not in SET_KINDS:
            raise NuisanceFileError(f"{source}: set of '{name}' must be {', '.join(SET_KINDS)}, not {entry['set']}")
        given = entry.get("weights")
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not listed or not all(isinstance(c, str) for c in listed):
            raise NuisanceFileError(
                f"{source}: weights of the set '{name}' must be a list of two or more columns, or a column of arrays,"
                f" whole or as NAME[1:101], not {given}"
            )
        columns = [member for column in listed for member in _members(column)]
        if not columns or (len(columns) == 1 and columns[0].endswith("]")):
            raise NuisanceFileError(f"{source}: weights of the set '{name}' must be two or more, not {given}")
        inputs = entry.get("inputs")
        return cls(
            name,
            entry["set"],
            tuple(columns),
            relative_of(source, entry, name),
            number(source, entry.get("level", 0.0), f"level of '{name}'"),
            number(source, entry.get("loss", 0.01), f"loss of '{name}'"),
            None if inputs is None else texts(source, inputs, f"inputs of '{name}'"),
        )


def _members(column: str) -> list[str]:
    """The columns that one stands for: NAME[1:4] for NAME[1], NAME[2] and NAME[3]; any other for itself."""
    found = _RANGE.fullmatch(column.strip())
    if found is None:
        return [column]
    return [f"{found[1]}[{k}]" for k in range(int(found[2]), int(found[3]))]


@dataclass(frozen=True)
class Varied:
    """A point nu, and the file or the column of weights there, which may be relative to those at nu = 0."""

    nu: Nu
    source: str
    column: bool
    relative: bool | None = None


def require_names(source: Path, nuisances: Mapping[Any, Any]) -> None:
    """Refuses names of nuisances that no file can be called after, or that directions of a set have too.

    Raises:
        NuisanceFileError: naming the first.
    """
    sets = [name for name, entry in nuisances.items() if isinstance(entry, Mapping) and "set" in entry]
    for name in nuisances:
        if not isinstance(name, str) or not name:
            raise NuisanceFileError(f"{source}: a nuisance has a text as its name, not {name!r}; quote it")
        if name.startswith(".") or any(c in _NOT_IN_NAMES or not c.isprintable() for c in name):
            raise NuisanceFileError(
                f"{source}: files are called after the nuisance {name!r}, so that its name must not begin with a dot or"
                " hold a slash or a colon; rename it"
            )
        if of_set := [each for each in sets if is_direction(name, each)]:
            raise NuisanceFileError(f"{source}: '{name}' is also a direction of the set '{of_set[0]}'; rename one")


def is_direction(name: str, of: str) -> bool:
    """Whether a name is one that a nuisance of a set may get, such as pdf_3."""
    root, _, number = name.rpartition("_")
    return root == of and number.isdecimal()


def relative_of(source: Path, entry: Mapping[str, Any], name: str) -> bool | None:
    """Whether columns of weights are declared to be ratios; None where nothing is said.

    Raises:
        NuisanceFileError: if it is said of files, or is neither yes nor no.
    """
    relative = entry.get("relative")
    if relative is not None and (not isinstance(relative, bool) or "weights" not in entry):
        raise NuisanceFileError(
            f"{source}: relative of '{name}' says yes or no of its columns of weights, not {relative}"
        )
    return relative


def groups_of_names(names: tuple[str, ...], pairs: tuple[Varied, ...]) -> tuple[tuple[str, ...], ...]:
    """Nuisances that are learned together because they are in a pair."""
    groups = [{name} for name in names]
    for pair in pairs:
        together = [group for group in groups if group & set(pair.nu)]
        groups = [group for group in groups if group not in together] + [set().union(*together)]
    ordered = [tuple(name for name in names if name in group) for group in groups]
    return tuple(sorted(ordered, key=lambda group: names.index(group[0])))


def pairs_of(source: Path, given: Any, names: tuple[str, ...]) -> tuple[Varied, ...]:
    """The points that move two nuisances.

    Raises:
        NuisanceFileError: for a pair that makes no sense.
    """
    if not isinstance(given, list):
        raise NuisanceFileError(f"{source}: pairs must be a list, each with nu and a file or weights")
    pairs = []
    for entry in given:
        values = mapping(source, entry, "a pair")
        require_known(source, values, _OF_PAIR, "a pair")
        nu = {
            name: number(source, value, f"nu of '{name}' in a pair")
            for name, value in mapping(source, values.get("nu"), "nu of a pair").items()
        }
        if len(nu) != 2 or any(name not in names for name in nu):
            raise NuisanceFileError(f"{source}: nu of a pair must be two of {', '.join(names)}, not {', '.join(nu)}")
        where = [key for key in ("file", "weights") if key in values]
        if len(where) != 1:
            raise NuisanceFileError(f"{source}: the pair {', '.join(nu)} needs either a file or weights")
        relative = relative_of(source, values, "a pair")
        pairs.append(
            Varied(nu, text(source, values[where[0]], f"{where[0]} of a pair"), where[0] == "weights", relative)
        )
    return tuple(pairs)
