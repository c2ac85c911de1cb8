"""The result of several tests of the same data, frozen: that of each, and the global p-value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.hypotest.multiple_text import multiple_text
from nplm.hypotest.result import Result
from nplm.hypotest.saved import SavedResult
from nplm.stats.combination import Combination
from nplm.stats.global_pvalue import GlobalP
from nplm.stats.goodness_of_fit import Compatibility

if TYPE_CHECKING:
    from nplm.data.sample import Sample
    from nplm.hypotest.multiple import MultipleTest

SCHEMA = "nplm-multiple/1"


@dataclass(frozen=True, eq=False)
class MultipleResult(SavedResult):
    """The answer of `MultipleTest.run`.

    Arguments:
        tests: the result of each test, with its own (local) p-value.
        names: of the tests.
        combination: what made one number of their p-values.
        global_p: the global p-value, and what it stands on.
        check: the tests of the toys against the joint distribution, "asymptotic+toys" only; None for fewer than 50 toys
            with a t in all tests.
        correlation: of the t of the tests under the null, shape (K, K).
        toys: joint toys done.
        toys_requested: joint toys asked for.
        toys_failed: those whose fit failed in one of the tests; they count as exceeding.
        seconds: wall time by stage: prepare, fit, toys, null.
        seed: root of the toys' keys, and seed of the draws.
        versions: of nplm, Python and the packages that compute.
        configuration: settings of the tests and of what combines them.
        notes: cautions that belong beside the numbers.
        complete: False if the toys were interrupted.
    """

    tests: tuple[Result, ...]
    names: tuple[str, ...]
    combination: Combination
    global_p: GlobalP
    check: Compatibility | None
    correlation: Float64[np.ndarray, "k k"]
    toys: int
    toys_requested: int
    toys_failed: int
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    notes: tuple[str, ...]
    complete: bool
    _of: tuple[MultipleTest, Sample] | None = field(default=None, repr=False)

    @property
    def p_value(self) -> float:
        """The global p-value."""
        return self.global_p.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return self.global_p.z

    @property
    def statistic(self) -> float:
        """The combined number T, under the name that a statistic has in results of `scipy.stats`."""
        return self.global_p.statistic

    @property
    def pvalue(self) -> float:
        """p_value, under the name that it has in results of `scipy.stats`."""
        return self.p_value

    @property
    def t(self) -> Float64[np.ndarray, " k"]:
        """t of the data in each test, shape (K,)."""
        return np.array([result.t for result in self.tests])

    @property
    def leading(self) -> int:
        """Which test has the smallest p-value; the largest Z, where p-values are equal."""
        return max(range(len(self.tests)), key=lambda i: (-self.tests[i].p_value, self.tests[i].z))

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-multiple/1; numbers that are not finite become None."""
        found = self.global_p
        document = {
            "schema": SCHEMA,
            "p_value": found.p_value,
            "p_interval": found.p_interval,
            "z": found.z,
            "z_interval": found.z_interval,
            "combination": {
                "name": self.combination.name,
                "temperature": self.combination.temperature,
                "statistic": found.statistic,
            },
            "calibration": {
                "kind": found.kind,
                "null": found.null,
                "draws": found.draws if found.kind == "analytic joint" else 0,
                "exceeding": found.exceeding,
                "tail": found.tail,
                "toys_requested": self.toys_requested,
                "toys": self.toys,
                "toys_failed": self.toys_failed,
                "check": None if self.check is None else self.check.p_value,
                "accepted": None if self.check is None else self.check.accepted,
            },
            "leading": self.names[self.leading],
            "correlation": self.correlation,
            "tests": [
                {"name": name, "result": result.to_dict()} for name, result in zip(self.names, self.tests, strict=True)
            ],
            "seconds": sum(self.seconds.values()),
            "seconds_by_stage": self.seconds,
            "seed": self.seed,
            "versions": self.versions,
            "configuration": self.configuration,
            "notes": self.notes,
            "complete": self.complete,
        }
        plain: dict[str, Any] = json_value(document)
        return plain

    def __repr__(self) -> str:
        return multiple_text(self)
