"""Points nu, and sets of weights, in the YAML file of `nplm learn`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.config.documents import NuisanceFileError, texts
from nplm.learning.from_set import SetKind

# What no name of a nuisance holds, as files are called after it.
_NOT_IN_NAMES = "/\\:"
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
        given = entry["weights"]
        columns = [member for column in texts(given) for member in members_of(column)]
        if not columns or (len(columns) == 1 and columns[0].endswith("]")):
            raise NuisanceFileError(f"{source}: weights of the set '{name}' must be two or more, not {given}")
        inputs = entry.get("inputs")
        return cls(
            name,
            entry["set"],
            tuple(columns),
            entry.get("relative"),
            float(entry.get("level", 0.0)),
            float(entry.get("loss", 0.01)),
            None if inputs is None else texts(inputs),
        )


def members_of(column: str) -> list[str]:
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


def groups_of_names(names: tuple[str, ...], pairs: tuple[Varied, ...]) -> tuple[tuple[str, ...], ...]:
    """Nuisances that are learned together because they are in a pair."""
    groups = [{name} for name in names]
    for pair in pairs:
        together = [group for group in groups if group & set(pair.nu)]
        groups = [group for group in groups if group not in together] + [set().union(*together)]
    ordered = [tuple(name for name in names if name in group) for group in groups]
    return tuple(sorted(ordered, key=lambda group: names.index(group[0])))


def pairs_of(source: Path, given: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> tuple[Varied, ...]:
    """The points that move two nuisances.

    Raises:
        NuisanceFileError: for a pair of others than these names.
    """
    pairs = []
    for entry in given:
        nu = {str(name): float(value) for name, value in entry["nu"].items()}
        if any(name not in names for name in nu):
            raise NuisanceFileError(f"{source}: nu of a pair must be two of {', '.join(names)}, not {', '.join(nu)}")
        column = "weights" in entry
        pairs.append(Varied(nu, entry["weights" if column else "file"], column, entry.get("relative")))
    return tuple(pairs)
