"""What `nplm learn` is told by a YAML file: which samples or weight columns to learn log-ratios from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.io import in_order, read_reference, read_sample
from nplm.nuisance.learn_from_samples import learn_from_samples
from nplm.nuisance.learn_from_weights import learn_from_weights
from nplm.nuisance.learned_ratio import LearnedLogRatio
from nplm.nuisance.ratio_settings import RatioSettings
from nplm.nuisance.relative_weights import absolute, looks_relative
from nplm.nuisance.yaml_file import NuisanceFileError, mapping, number, read_document, require_known
from nplm.sample import Sample

_KEYS = (
    "central",
    "features",
    "weights",
    "where",
    "tree",
    "expected_yield",
    "yields",
    "nuisances",
    "pairs",
    "settings",
)
_OF_NUISANCE = ("sigma", "files", "weights", "relative", "inputs", "yield_effect")
_OF_PAIR = ("nu", "file", "weights", "relative")
Nu = dict[str, float]


@dataclass(frozen=True)
class _Varied:
    """A point nu, and the file or the column of weights there, which may be relative to those at nu = 0."""

    nu: Nu
    source: str
    column: bool
    relative: bool | None = None


@dataclass(frozen=True)
class LearnFile:
    """Nuisances with the samples, or the weights of events, that show what they do.

        central: reference.npz            # or several files, which add up; paths are relative to this file
        features: [mll, pt]               # default: all columns but the weights
        weights: w                        # column of weights, in the varied files too
        expected_yield: 20000             # scales the weights of central, and all others by the same factor
        where: mll > 60
        yields: keep                      # or factor-out: effects on the yield are left out of the ratio
        nuisances:
          scale:
            sigma: 0.01
            files: {-0.01: down.npz, 0.01: up.npz}        # by the value of nu, the unit that sigma is in
            inputs: [mll]                 # features that matter; default: all
          muR:
            sigma: 1
            weights: {-1: w_down, 1: w_up}                # columns of weights in central, or of their ratios to
            relative: yes                                 # its own; without this it is told by sums and signs
        pairs:                            # cross terms, on request
          - {nu: {scale: 0.01, width: 0.02}, file: both.npz}
        settings: {members: 5, hidden: [10]}              # see RatioSettings

    Arguments:
        path: the file.
        document: what it holds.
        sigma: of each nuisance.
        groups: nuisances that are learned together because they are in a pair.
    """

    path: Path
    document: Mapping[str, Any]
    sigma: Mapping[str, float]
    groups: tuple[tuple[str, ...], ...]
    varied: tuple[_Varied, ...]
    settings: RatioSettings

    @classmethod
    def read(cls, path: str | Path) -> LearnFile:
        """Reads and checks the file, but none of the samples.

        Raises:
            NuisanceFileError: if it cannot be read, or a key is missing, unknown, or makes no sense.
        """
        source = Path(path)
        document = read_document(source, _KEYS)
        nuisances = mapping(source, document.get("nuisances"), "nuisances")
        if not nuisances:
            raise NuisanceFileError(
                f"{source}: nuisances is missing or empty; name each with its sigma and its variations"
            )
        if not document.get("central"):
            raise NuisanceFileError(f"{source}: central is missing; give the file of events at nu = 0")
        sigma: dict[str, float] = {}
        varied: list[_Varied] = []
        for name, values in nuisances.items():
            entry = mapping(source, values, f"nuisance '{name}'")
            require_known(source, entry, _OF_NUISANCE, f"nuisance '{name}'")
            sigma[name] = number(source, entry.get("sigma"), f"sigma of '{name}'")
            if not sigma[name] > 0:
                raise NuisanceFileError(f"{source}: sigma of '{name}' must be positive, not {sigma[name]:g}")
            given = [key for key in ("files", "weights") if key in entry]
            if len(given) != 1:
                raise NuisanceFileError(
                    f"{source}: nuisance '{name}' needs either files or weights, by the value of nu"
                )
            points = mapping(source, entry[given[0]], f"{given[0]} of '{name}'")
            for nu, where in points.items():
                value = number(source, nu, f"a value of nu of '{name}'")
                varied.append(_Varied({name: value}, str(where), given[0] == "weights", _relative(source, entry, name)))
        pairs = _pairs(source, document.get("pairs", []), tuple(sigma))
        return cls(
            source, document, sigma, _groups(tuple(sigma), pairs), (*varied, *pairs), _settings(source, document)
        )

    def learn(self, note: Callable[[str], None]) -> list[LearnedLogRatio]:
        """Reads the samples and learns a log-ratio for each group of nuisances, validated on held-out events.

        Arguments:
            note: told what is being done, and what deserves attention.

        Raises:
            ValueError: if samples cannot be read, or cannot serve.
        """
        central, scale = self._central()
        learned = []
        for group in self.groups:
            mine = [v for v in self.varied if set(v.nu) <= set(group)]
            if len({v.column for v in mine}) > 1:
                raise NuisanceFileError(
                    f"{self.path}: {', '.join(group)} are learned together, and so from files only or from weights only"
                )
            for name in group:
                largest = max(abs(v.nu[name]) for v in mine if name in v.nu)
                if largest < self.sigma[name]:
                    note(f"'{name}' is varied by {largest:g} at most, less than its sigma of {self.sigma[name]:g}")
            note(f"learning {', '.join(group)} from {len(mine)} {'columns of weights' if mine[0].column else 'files'}")
            entries = {name: self.document["nuisances"][name] for name in group}
            options: dict[str, Any] = {
                "inputs": {name: tuple(entry["inputs"]) for name, entry in entries.items() if "inputs" in entry},
                "yields": self.document.get("yields", "keep"),
                "yield_effect": {n: entry["yield_effect"] for n, entry in entries.items() if "yield_effect" in entry},
                "settings": self.settings,
            }
            for name in group:
                if len({v.nu[name] for v in mine if set(v.nu) == {name}}) == 1:
                    note(f"'{name}' is varied to one side only: its log-ratio is linear in nu")
            if mine[0].column:
                weights = [(v.nu, self._weights(v, central, scale, note)) for v in mine]
                learned.append(learn_from_weights(central, weights, relative=False, **options))
            else:
                samples = [(v.nu, self._varied(v, central, scale)) for v in mine]
                learned.append(learn_from_samples(central, samples, **options))
        return learned

    def _central(self) -> tuple[Sample, float]:
        """The sample at nu = 0, and the factor that its weights were multiplied by."""
        files = self._files()
        raw = read_reference(files, [None] * len(files), weights=self.document.get("weights"), **self._access())
        expected = self.document.get("expected_yield")
        if expected is None:
            return raw, 1.0
        scaled = raw.scaled_to(number(self.path, expected, "expected_yield"))
        return scaled, scaled.total_weight / raw.total_weight

    def _varied(self, varied: _Varied, central: Sample, scale: float) -> Sample:
        path = self.path.parent / varied.source
        weights = self.document.get("weights")
        sample = in_order(read_sample(path, weights=weights, **self._access()), central.features)
        return replace(sample, weights=sample.weights * scale)

    def _weights(
        self, varied: _Varied, central: Sample, scale: float, note: Callable[[str], None]
    ) -> Float64[np.ndarray, " n"]:
        """The weights of the central events at a point, from a column of them or of their ratios."""
        files = self._files()
        # Features are named, as the other columns of weights are none.
        access = {**self._access(), "features": central.features}
        given = read_reference(files, [None] * len(files), weights=varied.source, **access).weights
        raw = replace(central, weights=central.weights / scale)
        declared = varied.relative
        if declared is None and looks_relative(raw.weights, given):
            note(f"'{varied.source}' holds ratios to the weights, by its sum and signs; relative: no denies it")
        return absolute(raw, given, declared) * scale

    def _files(self) -> list[Path]:
        central = self.document["central"]
        return [self.path.parent / name for name in (central if isinstance(central, list) else [central])]

    def _access(self) -> dict[str, Any]:
        columns = {v.source for v in self.varied if v.column}
        if columns and "features" not in self.document:
            raise NuisanceFileError(
                f"{self.path}: name the features, as {', '.join(sorted(columns))} would be taken for some"
            )
        return {key: self.document.get(key) for key in ("features", "where", "tree")}


def _relative(source: Path, entry: Mapping[str, Any], name: str) -> bool | None:
    relative = entry.get("relative")
    if relative is not None and (not isinstance(relative, bool) or "weights" not in entry):
        raise NuisanceFileError(
            f"{source}: relative of '{name}' says yes or no of its columns of weights, not {relative}"
        )
    return relative


def _groups(names: tuple[str, ...], pairs: tuple[_Varied, ...]) -> tuple[tuple[str, ...], ...]:
    groups = [{name} for name in names]
    for pair in pairs:
        together = [group for group in groups if group & set(pair.nu)]
        groups = [group for group in groups if group not in together] + [set().union(*together)]
    ordered = [tuple(name for name in names if name in group) for group in groups]
    return tuple(sorted(ordered, key=lambda group: names.index(group[0])))


def _pairs(source: Path, given: Any, names: tuple[str, ...]) -> tuple[_Varied, ...]:
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
        relative = _relative(source, values, "a pair")
        pairs.append(_Varied(nu, str(values[where[0]]), where[0] == "weights", relative))
    return tuple(pairs)


def _settings(source: Path, document: Mapping[str, Any]) -> RatioSettings:
    values = dict(mapping(source, document.get("settings", {}), "settings"))
    require_known(source, values, tuple(field.name for field in fields(RatioSettings)), "settings")
    if isinstance(hidden := values.get("hidden"), (int, list)):
        values["hidden"] = tuple(hidden) if isinstance(hidden, list) else (hidden,)
    try:
        return RatioSettings(**values)
    except (TypeError, ValueError) as error:
        raise NuisanceFileError(f"{source}: settings: {error}") from error
