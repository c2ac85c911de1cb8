"""What a p-value stands on, as a result keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.chi2 import Chi2Null
from nplm.stats.ensemble_summary import EnsembleSummary
from nplm.stats.goodness_of_fit import ACCEPTED
from nplm.stats.null import Kind
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Weights below this share of the largest do not show in t.
_SEEN = 1e-12


@dataclass(frozen=True)
class Calibration:
    """How t became a p-value.

    Arguments:
        kind: what the p-value stands on: "empirical" (toys, counted), "rare" (toys drawn where t is large, counted with
            weights), or an asymptotic null: "chi2 given", "chi2 fitted", "analytic", or "analytic fitted", whose scale
            was fitted to the toys. These names are those of files; people read `kind_text`.
        null: the null distribution in words.
        mean, sd: of that distribution.
        toys_requested: toys asked for.
        toys: toys done.
        toys_failed: those whose fit failed.
        toys_exceeding: those with t at least the observed one, failed ones included.
        source: what the toys were drawn from; empty without toys.
        inflation: 1 + N(R)/n_eff of that sample, by which its own fluctuation widens t; 1 without toys.
        asymptotic: the null distribution of t without toys, for the weights of these data: a chi2 that holds if the
            model is regularized well, or a weighted sum of chi2 variables, to second order in the fluctuations.
        asymptotic_for_toys: the same for the toys, which may be drawn while the reference is held fixed.
        asymptotic_p_value: its p-value.
        asymptotic_z: its Z-score, which does not saturate where the p-value is zero within its digits.
        ensemble: numbers of the toys, and each test of them against `asymptotic_for_toys`, as it is and fitted to them;
            None without toys.
        importance: numbers behind a p-value from weighted toys, see `nplm.stats.importance.ImportanceNull.to_dict`;
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
    asymptotic: AsymptoticNull
    asymptotic_for_toys: AsymptoticNull
    asymptotic_p_value: float
    asymptotic_z: float
    ensemble: EnsembleSummary | None
    importance: Mapping[str, Any] | None = None
    no_toys: str = ""

    @property
    def counted(self) -> bool:
        """Whether the p-value was counted from null toys, and not read from an asymptotic null or weighted toys."""
        return self.kind == "empirical"

    @property
    def limit(self) -> bool:
        """Whether no toy reaches the observed t: p is then the least that so many toys can give, and Z the largest."""
        return self.counted and self.toys_exceeding == 0

    @property
    def degrees_of_freedom(self) -> float:
        """Mean of the asymptotic null: the degrees of freedom of a chi2, effective ones otherwise."""
        return self.asymptotic.mean

    @property
    def asymptotic_check(self) -> float | None:
        """P-value of the tests of bulk, tail and width of the toys against the asymptotic null, all together.

        It is `ensemble.given.p_value`; None for fewer than 50 toys with a t.
        """
        return None if self.ensemble is None or self.ensemble.given is None else self.ensemble.given.p_value

    @property
    def asymptotic_accepted(self) -> bool | None:
        """Whether the toys are compatible with the asymptotic null (p >= 0.05); None if nothing was checked."""
        return None if self.asymptotic_check is None else self.asymptotic_check >= ACCEPTED

    @property
    def null_weights(self) -> list[float] | None:
        """Weights w_k, the largest first, if the p-value is read from t ~ sum_k w_k chi2(1); None if it is not.

        A chi2 of k degrees of freedom has k ones. Weights below 1e-12 of the largest are left out.
        """
        null = self.asymptotic
        if self.kind == "analytic" and isinstance(null, WeightedChi2Null) and null.shift is None:
            weights = np.sort(null.weights)[::-1]
            return [float(w) for w in weights[weights > _SEEN * weights[0]]]
        if self.kind == "chi2 given" and isinstance(null, Chi2Null) and null.degrees_of_freedom % 1 == 0:
            return [1.0] * int(null.degrees_of_freedom)
        return None

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values, with the keys that files have had from the first."""
        return {
            "kind": self.kind,
            "null": self.null,
            "toys_requested": self.toys_requested,
            "toys": self.toys,
            "toys_failed": self.toys_failed,
            "toys_exceeding": self.toys_exceeding,
            "source": self.source,
            "inflation": self.inflation,
            "formula_p_value": self.asymptotic_p_value,
            "formula_z": self.asymptotic_z,
            "rare": self.importance,
            "no_toys": self.no_toys,
            "degrees_of_freedom": self.degrees_of_freedom,
            "formula": {
                "kind": self.asymptotic.kind,
                "description": self.asymptotic.describe(),
                "mean": self.asymptotic.mean,
                "sd": self.asymptotic.sd,
            },
            "formula_check": self.asymptotic_check,
            "formula_accepted": self.asymptotic_accepted,
            "ensemble": None if self.ensemble is None else self.ensemble.to_dict(),
        }
