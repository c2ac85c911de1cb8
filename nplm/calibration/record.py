"""What a p-value stands on, as a result keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.ensemble_summary import EnsembleSummary
from nplm.stats.goodness_of_fit import ACCEPTED
from nplm.stats.null import Kind


@dataclass(frozen=True)
class Calibration:
    """How t became a p-value.

    Arguments:
        kind: what the p-value stands on: "empirical" (toys, counted), "rare" (toys drawn where t is large, counted with
            weights), or a formula: "chi2 given", "chi2 fitted", "analytic", or "analytic fitted", whose scale was
            fitted to the toys.
        null: the null distribution in words.
        mean, sd: of that distribution.
        toys_requested: toys asked for.
        toys: toys done.
        toys_failed: those whose fit failed.
        toys_exceeding: those with t at least the observed one, failed ones included.
        source: what the toys were drawn from; empty without toys.
        inflation: 1 + N(R)/n_eff of that sample, by which its own fluctuation widens t; 1 without toys.
        formula: the null distribution of t without toys, for the weights of these data: a chi2 that holds if the model
            is regularized well, or a weighted sum of chi2 variables, to second order in the fluctuations.
        formula_for_toys: the same for the toys, which may be drawn while the reference is held fixed.
        formula_p_value: its p-value.
        formula_z: its Z-score, which does not saturate where the p-value is zero within its digits.
        ensemble: numbers of the toys, and each test of them against `formula_for_toys`, as it is and fitted to them;
            None without toys.
        rare: numbers behind a p-value from weighted toys, see `nplm.stats.importance.ImportanceNull.to_dict`;
            else None.
        no_toys: why none can be drawn, where there are none and no pool; empty if they can.
    """

    kind: Kind
    null: str
    mean: float
    sd: float
    toys_requested: int
    toys: int
    toys_failed: int
    toys_exceeding: int
    source: str
    inflation: float
    formula: AsymptoticNull
    formula_for_toys: AsymptoticNull
    formula_p_value: float
    formula_z: float
    ensemble: EnsembleSummary | None
    rare: Mapping[str, Any] | None = None
    no_toys: str = ""

    @property
    def counted(self) -> bool:
        """Whether the p-value was counted from null toys, and not read from a formula or weighted toys."""
        return self.kind == "empirical"

    @property
    def limit(self) -> bool:
        """Whether no toy reaches the observed t: p is then the least that so many toys can give, and Z the largest."""
        return self.counted and self.toys_exceeding == 0

    @property
    def degrees_of_freedom(self) -> float:
        """Mean of the formula: the degrees of freedom of a chi2, effective ones otherwise."""
        return self.formula.mean

    @property
    def formula_check(self) -> float | None:
        """P-value of the tests of bulk, tail and width of the toys against the formula, all together.

        It is `ensemble.given.p_value`; None for fewer than 50 toys with a t.
        """
        return None if self.ensemble is None or self.ensemble.given is None else self.ensemble.given.p_value

    @property
    def formula_accepted(self) -> bool | None:
        """Whether the toys are compatible with the formula (p >= 0.05); None if nothing was checked."""
        return None if self.formula_check is None else self.formula_check >= ACCEPTED

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        left_out = ("formula", "formula_for_toys", "mean", "sd", "ensemble")
        return {
            **{name: value for name, value in vars(self).items() if name not in left_out},
            "degrees_of_freedom": self.degrees_of_freedom,
            "formula": {
                "kind": self.formula.kind,
                "description": self.formula.describe(),
                "mean": self.formula.mean,
                "sd": self.formula.sd,
            },
            "formula_check": self.formula_check,
            "formula_accepted": self.formula_accepted,
            "ensemble": None if self.ensemble is None else self.ensemble.to_dict(),
        }
