"""What the values of options must look like; each function refuses with what argparse expects."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass
from pathlib import Path

from nplm._util.seed_range import LARGEST_SEED
from nplm._util.whole_numbers import require_few

# Units of cross-sections, in picobarns.
PICOBARNS = {"fb": 1e-3, "pb": 1.0, "nb": 1e3, "ub": 1e6, "mb": 1e9, "b": 1e12}
BEFORE_CUT = "@before-cut"


@dataclass(frozen=True)
class ReferenceFile:
    """A file of the reference and, if its weights are to be scaled, the yield expected from it.

    Arguments:
        path: the file, or a pattern of files.
        expected_yield: of all of them; a cross-section if there is a unit.
        before_cut: whether it is that of all events, before the cut.
        unit: of a cross-section.
    """

    path: str
    expected_yield: float | None
    before_cut: bool = False
    unit: str = ""

    def __str__(self) -> str:
        if self.expected_yield is None:
            return self.path
        return f"{self.path}={self.expected_yield!r}{self.unit}{BEFORE_CUT * self.before_cut}"


def reference_file(word: str) -> ReferenceFile:
    """FILE, FILE=YIELD, FILE=YIELD@before-cut or FILE=12.3pb, if no file has the whole word as its name."""
    path, equals, expected = word.rpartition("=")
    bare = expected.removesuffix(BEFORE_CUT)
    unit = next((unit for unit in sorted(PICOBARNS, key=len, reverse=True) if bare.endswith(unit)), "")
    number = bare.removesuffix(unit)
    try:
        value = float(number)
    except ValueError:
        return ReferenceFile(text(word), None)
    if not equals or Path(word).exists():
        return ReferenceFile(text(word), None)
    what = "cross-section" if unit else "expected yield"
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"the {what} of {path} must be a positive number, not {number}")
    if unit and bare != expected:
        raise argparse.ArgumentTypeError(f"the cross-section of {path} is before any cut: leave out {BEFORE_CUT}")
    return ReferenceFile(text(path), value, bare != expected, unit)


@dataclass(frozen=True)
class Luminosity:
    """An integrated luminosity: 140/fb."""

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value!r}/{self.unit}"

    def events(self, cross_section: float, unit: str) -> float:
        """How many events a cross-section makes."""
        return self.value * cross_section * PICOBARNS[unit] / PICOBARNS[self.unit]


def luminosity(word: str) -> Luminosity:
    """140/fb, or 140fb-1."""
    match = re.fullmatch(r"\s*([0-9.eE+-]+?)\s*(?:/\s*([munpf]?b)|([munpf]?b)\s*\^?-1)\s*", word)
    value = _float(match[1]) if match else math.nan
    if match is None or not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"it must be a number and a unit, such as 140/fb, not '{word}'")
    return Luminosity(value, match[2] or match[3])


@dataclass(frozen=True)
class NuisanceValue:
    """A nuisance and a value of it."""

    name: str
    value: float

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}"


def nuisance_value(word: str) -> NuisanceValue:
    """NAME=VALUE."""
    name, equals, value = word.rpartition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"it must be NAME=VALUE, such as scale=0.15, not '{word}'")
    if not math.isfinite(_float(value)):
        raise argparse.ArgumentTypeError(f"the value of '{name}' must be a number, not '{value}'")
    return NuisanceValue(name.strip(), float(value))


def named_values(word: str) -> dict[str, float]:
    """NAME=VALUE, or several with commas between them: a point."""
    found = [nuisance_value(part) for part in word.split(",")]
    names = [each.name for each in found]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise argparse.ArgumentTypeError(f"'{repeated[0]}' has two values in '{word}'")
    return {each.name: each.value for each in found}


@dataclass(frozen=True)
class CircularFeature:
    """A feature that is an angle and, if it is not to be guessed, its period."""

    name: str
    period: float | None

    def __str__(self) -> str:
        return self.name if self.period is None else f"{self.name}={self.period!r}"


@dataclass(frozen=True)
class Label:
    """What pictures write at the axis of a feature."""

    feature: str
    text: str

    def __str__(self) -> str:
        return f"{self.feature}={self.text}"


def feature_label(word: str) -> Label:
    """NAME=TEXT; the text may hold more signs of equality."""
    name, equals, label = (part.strip() for part in word.partition("="))
    if not (name and equals and label):
        raise argparse.ArgumentTypeError(f"it must be NAME=TEXT, such as 'mll=m(ll) [GeV]', not '{word}'")
    return Label(name, label)


def circular_features(word: str) -> tuple[CircularFeature, ...]:
    """NAME or NAME=PERIOD, or several with commas between them."""
    found = []
    for part in feature_names(word):
        name, equals, period = part.partition("=")
        if not name.strip():
            raise argparse.ArgumentTypeError(f"it must be NAME or NAME=PERIOD, such as phi=6.2832, not '{part}'")
        found.append(CircularFeature(name.strip(), positive_number(period) if equals else None))
    return tuple(found)


def feature_names(word: str) -> tuple[str, ...]:
    """One name or expression, or several with commas between them; those within brackets or backticks belong to it."""
    names = tuple(name.strip() for name in _split(word))
    if not all(names):
        raise argparse.ArgumentTypeError(f"'{word}' has an empty name between its commas")
    return names


def _split(word: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for letter in word:
        if letter == quote:
            quote = ""
        elif not quote and (letter == "`" or (depth > 0 and letter in "'\"")):
            quote = letter
        if not quote:
            depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth <= 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def text(word: str) -> str:
    """Any text but the empty one."""
    if not word.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return word


def output_path(word: str) -> Path:
    """A folder."""
    return Path(text(word))


def layers(word: str) -> tuple[int, ...]:
    """Neurons of the hidden layers: 4, or 5x5."""
    if not re.fullmatch(r"[0-9]+(x[0-9]+)*", word) or 0 in (neurons := tuple(map(int, word.split("x")))):
        raise argparse.ArgumentTypeError(f"'{word}' is not like 4 or 5x5: positive numbers of neurons, joined by x")
    return neurons


def number(word: str) -> float:
    """Any finite number."""
    value = _float(word)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"it must be a number, not '{word}'")
    return value


def positive_number(word: str) -> float:
    """A finite number above zero."""
    value = _float(word)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"it must be a positive number, not '{word}'")
    return value


def positive_numbers(word: str) -> tuple[float, ...]:
    """Finite numbers above zero, with commas between them."""
    return tuple(positive_number(part.strip()) for part in word.split(","))


def sizes(word: str) -> tuple[int, ...]:
    """Numbers of events, with commas between them."""
    return tuple(_whole(part.strip(), 2) for part in word.split(","))


def classes(word: str) -> tuple[str, ...]:
    """Classes of tests of a family, with commas between them."""
    from nplm.family.settings import CLASSES

    names = tuple(part.strip() for part in word.split(","))
    for name in names:
        if name not in CLASSES:
            raise argparse.ArgumentTypeError(f"there is no class of tests '{name}': choose from {', '.join(CLASSES)}")
    return names


def shard(word: str) -> tuple[int, int]:
    """I/N: the I-th of N shards."""
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", word)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"it must be I/N with I from 1 to N, such as 3/8, not '{word}'")
    return int(match[1]), int(match[2])


def count(word: str) -> int:
    """A whole number, 0 or more."""
    return _whole(word, 0)


def positive_count(word: str) -> int:
    """A whole number, 1 or more."""
    return _whole(word, 1)


def number_of_toys(word: str) -> int:
    """A number of toys that one run can list, 0 or more."""
    return _few(_whole(word, 0))


def toys_of_a_plan(word: str) -> int:
    """The same, 1 or more."""
    return _few(_whole(word, 1))


def _few(toys: int) -> int:
    try:
        return require_few(toys)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def tuning_toys(word: str) -> int:
    """A number of toys that can be compared with a chi2."""
    return _whole(word, 50)


def z_threshold(word: str) -> float:
    """A Z-score that a p-value in double precision can have."""
    value = _float(word)
    if not abs(value) < 37:
        raise argparse.ArgumentTypeError(f"it must be a number below 37, not '{word}'")
    return value


def seed(word: str) -> int:
    """A whole number that may be a seed."""
    return _whole(word, 0, LARGEST_SEED)


def _float(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _whole(word: str, least: int, largest: float = math.inf) -> int:
    wanted = f"a whole number, {least} or more" if largest == math.inf else f"a whole number from {least} to {largest}"
    try:
        value = int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be {wanted}, not '{word}'") from None
    if not least <= value <= largest:
        raise argparse.ArgumentTypeError(f"it must be {wanted}, not {word}")
    return value
