"""The regions where the fit sees the largest excess and the largest deficit, with the events in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nplm._util.json_values import json_value
from nplm.localization.comparison import Comparison
from nplm.localization.peeling import Box, find_box, log_likelihood_gain


@dataclass(frozen=True, eq=False)
class Region:
    """A box in feature space, and what is in it.

    Arguments:
        kind: "excess" if the fit wants more events there than are expected, "deficit" if it wants fewer.
        features: names of the features.
        box: its bounds, in the units of the features.
        events: number of data events.
        observed, observed_error: sum of their weights, and the root of the sum of squares.
        reference_events: number of reference events.
        expected, expected_error: sum of their weights, and the root of the sum of squares.
        fitted: sum of w e^f over them: the events that the fit wants.
        mean_log_ratio: log(fitted / expected), the log of the mean e^f there; -inf if the fit wants none.
        data_log_ratio: mean f of the data events there; NaN without any.
        contribution: 2 [fitted log(fitted / expected) - fitted + expected], what the region would add to t by itself.
    """

    kind: Literal["excess", "deficit"]
    features: tuple[str, ...]
    box: Box
    events: int
    observed: float
    observed_error: float
    reference_events: int
    expected: float
    expected_error: float
    fitted: float
    mean_log_ratio: float
    data_log_ratio: float
    contribution: float

    @classmethod
    def of(cls, kind: Literal["excess", "deficit"], box: Box, comparison: Comparison) -> Region:
        """Counts the events in a box whose expectation is positive."""
        data, reference = comparison.data, comparison.reference
        in_data, in_reference = box.holds(data.events), box.holds(reference.events)
        v, w = data.weights[in_data], reference.weights[in_reference]
        expected, fitted = float(w.sum()), float(comparison.fitted[in_reference].sum())
        observed = float(v.sum())
        with np.errstate(divide="ignore"):
            ratio = float(np.log(fitted / expected))
        return cls(
            kind,
            comparison.features,
            box,
            int(in_data.sum()),
            observed,
            float(np.sqrt(v @ v)),
            int(in_reference.sum()),
            expected,
            float(np.sqrt(w @ w)),
            fitted,
            ratio,
            float(v @ comparison.f_data[in_data] / observed) if observed else float("nan"),
            2 * float(log_likelihood_gain(np.array(fitted), np.array(expected))),
        )

    def describe(self) -> str:
        """The bounds in words: 1.2 < x0 <= 3.4, x3 > 0.5; everywhere if there are none."""
        parts = [
            _bounds(name, float(low), float(high))
            for name, low, high in zip(self.features, self.box.low, self.box.high, strict=True)
        ]
        return ", ".join(filter(None, parts)) or "everywhere"

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values; a bound that is null does not exist."""
        bounds = zip(self.features, self.box.low, self.box.high, strict=True)
        left_out = ("features", "box")
        plain: dict[str, Any] = json_value(
            {
                "where": self.describe(),
                "bounds": {name: (float(low), float(high)) for name, low, high in bounds},
                **{name: value for name, value in vars(self).items() if name not in left_out},
            }
        )
        return plain


def local_regions(comparison: Comparison) -> tuple[Region | None, Region | None]:
    """The region of the largest excess and that of the largest deficit, as the fit sees them.

    For each box the fit wants n = sum_R w e^f events where b = sum_R w are expected; the region is that of the largest
    n log(n/b) - n + b. The search looks at f and the reference only, so that it does not run after single events of the
    data; see `nplm.localization.peeling.find_box`. Counts in it are no significance: f has seen the data.

    Returns:
        Excess and deficit; None where no box of ten effective reference events has one.
    """
    reference, fitted = comparison.reference, comparison.fitted

    def largest(kind: Literal["excess", "deficit"]) -> Region | None:
        box = find_box(reference.events, reference.weights, fitted, excess=kind == "excess")
        return None if box is None else Region.of(kind, box, comparison)

    return largest("excess"), largest("deficit")


def _bounds(name: str, low: float, high: float) -> str:
    if np.isinf(low) and np.isinf(high):
        return ""
    if np.isinf(low):
        return f"{name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if np.isinf(high) else f"{low:.4g} < {name} <= {high:.4g}"
