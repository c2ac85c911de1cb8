"""All that is said about where data and reference differ, in one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.json_values import json_value
from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.io.tables import sample_like
from nplm.localization.ablation import LeftOut, leave_one_out, project_out
from nplm.localization.comparison import Comparison, compared
from nplm.localization.pairs import rank_pairs
from nplm.localization.ranking import USUAL_TOP, RankedEvents, most_discrepant
from nplm.localization.region import Region, local_regions
from nplm.statistic import LikelihoodRatio

SCHEMA = "nplm-localization/1"

CAUTION = (
    "These numbers show where the fit sees a difference; they are not significances. The places were chosen after"
    " looking at the data, by a fit that had seen them too, so counts there differ from the expectation even where"
    " nothing is wrong. Only the p-value of the whole test counts."
)


@dataclass(frozen=True, eq=False)
class Localization:
    """Where data and reference differ, as the fit sees it. No number in it is a significance.

    Arguments:
        events: the events of largest f.
        excess, deficit: the regions where the fit sees most too many, and most too few events; None if it sees none.
        pairs: pairs of features, that first in which the fit shows most, with what it shows, see `rank_pairs`.
        left_out: t without each feature; None for one feature, or if it was not asked for, or failed.
        not_left_out: why it failed; else empty.
    """

    events: RankedEvents
    excess: Region | None
    deficit: Region | None
    pairs: tuple[tuple[tuple[str, str], float], ...]
    left_out: LeftOut | None
    not_left_out: str = ""

    @property
    def regions(self) -> tuple[Region, ...]:
        """Those of excess and deficit that there are."""
        return tuple(region for region in (self.excess, self.deficit) if region is not None)

    def to_dict(self) -> dict[str, Any]:
        """All but the events as JSON values, following the schema nplm-localization/1."""
        document: Mapping[str, Any] = {
            "schema": SCHEMA,
            "caution": CAUTION,
            "events_listed": len(self.events),
            "events_ranked": self.events.ranked,
            "excess": None if self.excess is None else self.excess.to_dict(),
            "deficit": None if self.deficit is None else self.deficit.to_dict(),
            "pairs": [{"features": pair, "shown": shown} for pair, shown in self.pairs],
            "left_out": None if self.left_out is None else self.left_out.to_dict(),
            "not_left_out": self.not_left_out,
        }
        plain: dict[str, Any] = json_value(document)
        return plain

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def localize(
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    *,
    top: int = USUAL_TOP,
    rows: Int64[np.ndarray, " m"] | None = None,
    left_out: bool = True,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> Localization:
    """Says where the data differ from the reference.

    Arguments:
        test: what ran.
        data: the tested sample.
        result: of that test.
        top: how many events are listed.
        rows: row of each event in its file, such as `row_numbers` says, shape (n,); None for 0, 1, ...
        left_out: fit again without each feature, which takes about as long for each as a preparation with up to 500
            centres: kernels to the data if the model is a kernel model (`leave_one_out`), else to f (`project_out`).
        log_ratio: f at each reference event, shape (n,), if it is known already.

    Raises:
        ValueError: if the result is not that of these data, or `top` is negative.
    """
    data = sample_like(test.reference, data, "data")
    comparison = compared(test, data, result, log_ratio=log_ratio)
    found = localize_samples(comparison, top=top, rows=rows)
    if not left_out or len(comparison.features) < 2:
        return found
    try:
        kernel = test.prepared.alone.linear is not None
        return replace(found, left_out=leave_one_out(test, data) if kernel else project_out(comparison))
    except ValueError as error:
        # Such as kernels of which nothing is left where negative weights prevail: the rest of the answer stands.
        return replace(found, not_left_out=str(error))


def localize_samples(
    comparison: Comparison,
    *,
    top: int = USUAL_TOP,
    rows: Int64[np.ndarray, " n"] | None = None,
    left_out: LeftOut | None = None,
) -> Localization:
    """The same for two samples and a log-ratio, whatever it comes from.

    Arguments:
        comparison: the samples, with f at their events.
        top, rows: see `localize`.
        left_out: the table of features, if there is one, such as `project_out` gives.
    """
    events = most_discrepant(comparison.data, comparison.f_data, top, rows)
    return Localization(events, *local_regions(comparison), tuple(rank_pairs(comparison)), left_out)
