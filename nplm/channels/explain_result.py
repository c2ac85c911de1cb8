"""The answer of a search for templates that explain a table, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.channels.explain_text import explain_notes, explain_text
from nplm.channels.score import Score
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.hypotest.saved import SavedResult
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.significance import z_score

SCHEMA = "nplm-explain/1"


@dataclass(frozen=True, eq=False)
class ExplainResult(SavedResult):
    """The answer of `explain_excesses`.

    Arguments:
        table: the regions.
        templates: the signals that were tried.
        score: K of the best set, its combination of analyses, and the gain of each.
        strengths: of all templates in the best set, with mu^ in them, shape (k,); zero for the others, and for all if
            no signal describes the table better than the background.
        walks: K of the best set of each walker, shape (walkers,).
        sets: the templates of these.
        null: K of the fake tables, shape (fakes,).
        rule: which analyses may be combined, in words.
        seconds: wall time by stage: walks, fake tables; of those that were in the store before, none.
        seed: of all random numbers.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
    """

    table: RegionTable
    templates: Templates
    score: Score
    strengths: Float64[np.ndarray, " k"]
    walks: Float64[np.ndarray, " walkers"]
    sets: tuple[tuple[str, ...], ...]
    null: Float64[np.ndarray, " fakes"]
    rule: str
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def p_value(self) -> float:
        """(1 + #{K_fake >= K}) / (1 + fakes); NaN without fake tables."""
        return EmpiricalNull(self.null).pvalue(self.score.k) if len(self.null) else float("nan")

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.p_value

    @property
    def p_interval(self) -> tuple[float, float] | None:
        """Its 68% interval from the number of fake tables; None without."""
        return EmpiricalNull(self.null).interval(self.score.k) if len(self.null) else None

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return z_score(self.p_value)

    @property
    def limit(self) -> bool:
        """Whether no fake table has so large a K: p is then the least that so many can give."""
        return len(self.null) > 0 and not (self.null >= self.score.k).any()

    @property
    def explanation(self) -> Mapping[str, float]:
        """The templates of the best set with their strengths; none if none describes the table better."""
        return {self.templates.names[i]: float(self.strengths[i]) for i in np.flatnonzero(self.strengths > 0)}

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers."""
        return explain_notes(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-explain/1; numbers that are not finite become None."""
        signal = self.strengths @ self.templates.yields
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "k": self.score.k,
                "p_value": self.p_value,
                "p_interval": self.p_interval,
                "z": self.z,
                "limit": self.limit,
                "explanation": self.explanation,
                "mu": self.score.mu,
                "combination": [{"analysis": name, "gain": gain} for name, gain in self.score.gains.items()],
                "mu_limit": self.score.limit,
                "limited_by": self.score.limited_by,
                "regions": [
                    {
                        "analysis": self.table.analyses[i],
                        "region": self.table.regions[i],
                        "observed": self.table.observed[i],
                        "expected": self.table.expected[i],
                        "error": self.table.error[i],
                        "signal": signal[i],
                    }
                    for i in np.flatnonzero(signal > 0)
                ],
                "walks": [{"k": k, "templates": s} for k, s in zip(self.walks, self.sets, strict=True)],
                "fakes": {
                    "count": len(self.null),
                    "exceeding": int((self.null >= self.score.k).sum()),
                    "k": np.sort(self.null),
                },
                "seconds": sum(self.seconds.values()),
                "seconds_by_stage": self.seconds,
                "seed": self.seed,
                "versions": self.versions,
                "configuration": self.configuration,
                "notes": self.notes,
            }
        )
        return plain

    def __repr__(self) -> str:
        return explain_text(self)
