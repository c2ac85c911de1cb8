"""The answer about a table of counting regions, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nplm._util.json_values import json_value
from nplm.channels.counts import Uncertainty
from nplm.channels.extremes import Extreme
from nplm.channels.factor import ErrorFactor
from nplm.channels.histogram import PHistogram
from nplm.channels.pvalues import RegionPValues
from nplm.channels.regions_text import regions_notes, regions_text
from nplm.channels.table import RegionTable
from nplm.channels.workspace_fit import WorkspaceFit
from nplm.hypotest.saved import SavedResult
from nplm.stats.significance import z_score

SCHEMA = "nplm-regions/1"


@dataclass(frozen=True, eq=False)
class RegionsResult(SavedResult):
    """The answer of `examine_regions`.

    Arguments:
        table: the regions.
        errors: how their expectations are taken to be uncertain.
        p_values: exact ones of each region.
        histogram, mid_histogram: of P(N >= n), and of mid-p, with what is expected.
        factors: by which the errors should be multiplied: of all regions first, then of groups.
        extremes, deficits: the regions of smallest p-value on each side.
        seconds: wall time by stage: p-values, histograms, factors, extremes.
        seed: of the draws.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
        fits: of workspaces with their full likelihoods.
    """

    table: RegionTable
    errors: Uncertainty
    p_values: RegionPValues
    histogram: PHistogram
    mid_histogram: PHistogram
    factors: tuple[ErrorFactor, ...]
    extremes: tuple[Extreme, ...]
    deficits: tuple[Extreme, ...]
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    fits: tuple[WorkspaceFit, ...] = ()

    @property
    def p_value(self) -> float:
        """The probability that the largest excess of all regions is at least as unlikely as that which was found.

        With covariances it is counted from draws, unless it is beyond these: then the larger one of independent
        regions.
        """
        return self.extremes[0].overall_p

    @property
    def deficit_p_value(self) -> float:
        """The same for the largest deficit."""
        return self.deficits[0].overall_p

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return z_score(self.p_value)

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers."""
        return regions_notes(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-regions/1; numbers that are not finite become None."""
        table, p = self.table, self.p_values
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "p_value": self.p_value,
                "z": self.z,
                "deficit_p_value": self.deficit_p_value,
                "errors": self.errors,
                "extremes": [asdict(each) for each in self.extremes],
                "deficits": [asdict(each) for each in self.deficits],
                "histogram": asdict(self.histogram),
                "mid_histogram": asdict(self.mid_histogram),
                "factors": [{**asdict(each), "at_end": each.at_end} for each in self.factors],
                "regions": [
                    {
                        "analysis": table.analyses[i],
                        "region": table.regions[i],
                        "observed": table.observed[i],
                        "expected": table.expected[i],
                        "error": table.error[i],
                        "p_value": p.excess[i],
                        "p_deficit": p.deficit[i],
                        "mid_p": p.mid[i],
                    }
                    for i in range(len(table))
                ],
                "workspaces": [asdict(each) for each in self.fits],
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
        return regions_text(self)
