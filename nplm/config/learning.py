"""What `nplm learn` is told by a YAML file: which samples or weight columns to learn log-ratios from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.numbers import require_squares
from nplm.config.documents import NuisanceFileError, is_number, read_document, texts
from nplm.config.learning_points import Varied, WeightSet, groups_of_names, pairs_of, require_names
from nplm.config.operators import Operators
from nplm.data.sample import Sample, in_order
from nplm.io.columns import read_columns
from nplm.io.processes import read_reference
from nplm.io.read import read_sample
from nplm.learning.from_samples import learn_from_samples
from nplm.learning.from_set import learn_from_set
from nplm.learning.from_weights import learn_from_weights
from nplm.learning.learned_polynomial import LearnedPolynomialRatio
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.local_score import LocalScore
from nplm.learning.morphed_sample import MorphedSample
from nplm.learning.relative_weights import absolute, looks_relative
from nplm.learning.settings import RatioSettings

_LARGEST_NU = 1e100


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
          pdf:
            set: hessian                  # pairs of members; or symmetric hessian, or replicas
            weights: [pdf_1, pdf_2, pdf_3, pdf_4]         # columns, without the central member; LHEPdfWeight[1:101] of
                                                          # arrays, or their name for all elements
            level: 0.9                    # confidence level of its errors; without this one standard deviation
            loss: 0.01                    # share of the information that may be left out: fewer nuisances
        operators:                        # of effective theories: parameters of interest
          eft:
            points: [{}, {c: 1}, {c: -1}]                 # the basis
            weights: [w_0, w_1, w_2]      # columns, one for each point; or one of arrays, whole or NAME[0:3]
            reach: {c: 0.4}               # largest |c| that matters; default: five standard deviations
            form: positive                # or polynomial; degree: 2, relative, inputs, members and centers as well
        pairs:                            # cross terms, on request
          - {nu: {scale: 0.01, width: 0.02}, file: both.npz}
        settings: {members: 5, hidden: [10]}              # see RatioSettings

    Arguments:
        path: the file.
        document: what it holds.
        sigma: of each nuisance but those of sets, whose sigma is 1.
        sets: of weights.
        operators: of effective theories.
        groups: nuisances that are learned together because they are in a pair.
    """

    path: Path
    document: Mapping[str, Any]
    sigma: Mapping[str, float]
    sets: tuple[WeightSet, ...]
    operators: tuple[Operators, ...]
    groups: tuple[tuple[str, ...], ...]
    varied: tuple[Varied, ...]
    settings: RatioSettings

    @classmethod
    def read(cls, path: str | Path) -> LearnFile:
        """Reads and checks the file, but none of the samples.

        Raises:
            NuisanceFileError: if it cannot be read, or a key is missing, unknown, or makes no sense.
        """
        source = Path(path)
        document = read_document(source, "learn-1")
        nuisances, operators = document.get("nuisances", {}), document.get("operators", {})
        if not nuisances and not operators:
            raise NuisanceFileError(
                f"{source}: nuisances is missing; give each with its sigma and its variations, or give operators"
            )
        require_names(source, {**nuisances, **operators})
        if both := [name for name in operators if name in nuisances]:
            raise NuisanceFileError(f"{source}: '{both[0]}' is a nuisance and a name in operators; rename one")
        settings = _settings(source, document)
        sigma: dict[str, float] = {}
        varied: list[Varied] = []
        sets: list[WeightSet] = []
        for name, entry in nuisances.items():
            if "set" in entry:
                sets.append(WeightSet.of(source, name, entry))
                continue
            sigma[name] = float(entry["sigma"])
            column = "weights" in entry
            for nu, where in entry["weights" if column else "files"].items():
                if not is_number(nu):
                    raise NuisanceFileError(f"{source}: a value of nu of '{name}' must be a number, not {nu!r}")
                if not (nu == 0 or 1 / _LARGEST_NU <= abs(nu) <= _LARGEST_NU):
                    raise NuisanceFileError(f"{source}: {nu:g} is no value of '{name}' that can be squared; scale it")
                varied.append(Varied({name: float(nu)}, where, column, entry.get("relative")))
        pairs = pairs_of(source, document.get("pairs", []), tuple(sigma))
        groups = groups_of_names(tuple(sigma), pairs)
        of_operators = tuple(Operators.of(source, name, entry, settings) for name, entry in operators.items())
        return cls(source, document, sigma, tuple(sets), of_operators, groups, (*varied, *pairs), settings)

    def sigma_of(self, name: str) -> float:
        """Size of a nuisance: as it was given, or 1 for one of a set."""
        return self.sigma.get(name, 1.0)

    def learn(self, note: Callable[[str], None]) -> list[LearnedLogRatio]:
        """Reads the samples and learns a log-ratio for each group of nuisances, validated on held-out events.

        Arguments:
            note: told what is being done, and what deserves attention.

        Raises:
            ValueError: if samples cannot be read, or cannot serve.
        """
        if not self.groups and not self.sets:
            return []
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
                "inputs": {name: texts(entry["inputs"]) for name, entry in entries.items() if "inputs" in entry},
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
        return learned + [self._set(each, central, scale, note) for each in self.sets]

    def learn_operators(
        self, note: Callable[[str], None]
    ) -> list[tuple[Operators, LearnedPolynomialRatio, LocalScore, MorphedSample]]:
        """The log-ratio of each group of operators, validated on held-out events, with the local score and the events.

        Raises:
            ValueError: if samples cannot be read, or cannot serve.
        """
        if not self.operators:
            return []
        central, scale = self._central()
        found = []
        for each in self.operators:
            columns, values = self._columns(each.columns)
            if len(columns) != len(each.morphing.points):
                raise NuisanceFileError(
                    f"{self.path}: operators.{each.name}: '{each.columns[0]}' has {len(columns)} elements, but there"
                    f" are {len(each.morphing.points)} points"
                )
            note(f"learning {each.name}: {each.morphing.describe()}")
            raw = replace(central, weights=central.weights / scale)
            if each.relative is None and looks_relative(raw.weights, values):
                note(f"weights of {each.name} are ratios to the events' own, by sums and signs; relative: no denies it")
            weights = scale * absolute(raw, values, each.relative)
            found.append((each, *each.learn(self.path, central, weights)))
        return found

    def _columns(self, given: tuple[str, ...]) -> tuple[tuple[str, ...], Float64[np.ndarray, "n m"]]:
        """Columns of the central events, all elements of one of arrays, with their values."""
        files = self._files()
        columns = given if len(given) > 1 else self._elements(files[0], given[0])
        access = {**self._access(), "features": columns}
        return columns, read_reference(
            files, [None] * len(files), weights=self.document.get("weights"), **access
        ).events

    def _set(self, given: WeightSet, central: Sample, scale: float, note: Callable[[str], None]) -> LearnedLogRatio:
        files = self._files()
        columns, members = self._columns(given.columns)
        note(f"learning {given.name} from a set of {len(columns)} columns of weights")
        for column, member in zip(columns, members.T, strict=True):
            require_squares(member, f"column '{column}' of {', '.join(map(str, files))}")
        raw = replace(central, weights=central.weights / scale)
        try:
            learned = learn_from_set(
                central,
                scale * absolute(raw, members, given.relative),
                given.name,
                given.kind,
                relative=False,
                level=given.level,
                loss=given.loss,
                inputs=given.inputs,
                yields=self.document.get("yields", "keep"),
                settings=self.settings,
            )
        except ValueError as error:
            raise NuisanceFileError(f"{self.path}: set '{given.name}': {error}") from error
        note(f"{given.name}: {learned.describe()}")
        return learned.ratio

    def _elements(self, file: Path, column: str) -> tuple[str, ...]:
        """The elements of a column of arrays, each as a column."""
        length = f"n = len({column})"
        lengths = read_columns(file, [length], tree=self.document.get("tree"))[length]
        return tuple(f"{column}[{k}]" for k in range(int(lengths.max(initial=0))))

    def _central(self) -> tuple[Sample, float]:
        """The sample at nu = 0, and the factor that its weights were multiplied by."""
        files = self._files()
        raw = read_reference(files, [None] * len(files), weights=self.document.get("weights"), **self._access())
        expected = self.document.get("expected_yield")
        if expected is None:
            return raw, 1.0
        scaled = raw.scaled_to(float(expected))
        return scaled, scaled.total_weight / raw.total_weight

    def _varied(self, varied: Varied, central: Sample, scale: float) -> Sample:
        path = self.path.parent / varied.source
        weights = self.document.get("weights")
        sample = in_order(read_sample(path, weights=weights, **self._access()), central.features)
        return replace(sample, weights=sample.weights * scale)

    def _weights(
        self, varied: Varied, central: Sample, scale: float, note: Callable[[str], None]
    ) -> Float64[np.ndarray, " n"]:
        """The weights of the central events at a point, from a column of them or of their ratios."""
        files = self._files()
        given = read_reference(files, [None] * len(files), weights=varied.source, **self._access()).weights
        raw = replace(central, weights=central.weights / scale)
        declared = varied.relative
        if declared is None and looks_relative(raw.weights, given):
            note(f"'{varied.source}' holds ratios to the weights, by its sum and signs; relative: no denies it")
        return absolute(raw, given, declared) * scale

    def _files(self) -> list[Path]:
        return [self.path.parent / name for name in texts(self.document["central"])]

    def _access(self) -> dict[str, Any]:
        columns = {v.source for v in self.varied if v.column}
        columns |= {column for each in self.sets for column in each.columns}
        columns |= {column for each in self.operators for column in each.columns}
        if columns and "features" not in self.document:
            raise NuisanceFileError(
                f"{self.path}: name the features, as {', '.join(sorted(columns))} would be taken for some"
            )
        return {key: self.document.get(key) for key in ("features", "where", "tree")}


def _settings(source: Path, document: Mapping[str, Any]) -> RatioSettings:
    values = dict(document.get("settings", {}))
    if "hidden" in values:
        hidden = values["hidden"]
        values["hidden"] = tuple(hidden) if isinstance(hidden, list) else (hidden,)
    try:
        return RatioSettings(**values)
    except ValueError as error:
        raise NuisanceFileError(f"{source}: settings: {error}") from error
