"""A combination of results, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri_exp

from nplm._util.json_values import json_value
from nplm.channels.channel import Channel
from nplm.channels.combine_text import combined_notes, combined_text
from nplm.hypotest.saved import SavedResult
from nplm.stats.multiple_comparisons import adjusted_p

SCHEMA = "nplm-combined/1"


@dataclass(frozen=True)
class GlobalTail:
    """The p-value of one combination.

    Arguments:
        statistic: log of the smallest p-value, -2 sum log p, or the sum of t.
        log_p: natural logarithm of the global p-value.
        error: its relative error from draws; 0 of a closed form.
        null: what it stands on, in words.
    """

    statistic: float
    log_p: float
    error: float
    null: str

    @property
    def p_value(self) -> float:
        """The global p-value."""
        return float(np.exp(self.log_p))

    @property
    def z(self) -> float:
        """Its one-sided Z-score, which does not saturate where p has no digits left."""
        return float(-ndtri_exp(self.log_p))


@dataclass(frozen=True, eq=False)
class CombinedResult(SavedResult):
    """The answer of `combine_results`.

    Arguments:
        channels: the results that are combined.
        how: the combination that was asked for: "min-p", "fisher" or "sum".
        tails: of this one, and of the others that can be had, by name.
        correlation: of Z-scores, shape (K, K).
        correlated: where that comes from: "independent", "shared events" or "given".
        seconds: wall time.
        seed: of draws.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
    """

    channels: tuple[Channel, ...]
    how: str
    tails: Mapping[str, GlobalTail]
    correlation: Float64[np.ndarray, "k k"]
    correlated: str
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def p_value(self) -> float:
        """The global p-value."""
        return self.tails[self.how].p_value

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return self.tails[self.how].z

    @property
    def leading(self) -> str:
        """The channel with the smallest p-value."""
        return min(self.channels, key=lambda channel: channel.log_p).name

    @property
    def adjusted(self) -> Float64[np.ndarray, " k"]:
        """P-values of channels that account for their number, by Holm; right whatever they share, shape (K,)."""
        return adjusted_p(np.array([channel.p_value for channel in self.channels]), "holm")

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers."""
        return combined_notes(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-combined/1; numbers that are not finite become None."""
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "p_value": self.p_value,
                "z": self.z,
                "how": self.how,
                "leading": self.leading,
                "channels": [
                    {
                        "name": channel.name,
                        "kind": channel.kind,
                        "p_value": channel.p_value,
                        "z": float(-ndtri_exp(channel.log_p)),
                        "adjusted_p": adjusted,
                        "t": channel.t,
                        "events": channel.events,
                    }
                    for channel, adjusted in zip(self.channels, self.adjusted, strict=True)
                ],
                "combinations": {
                    name: {**vars(tail), "p_value": tail.p_value, "z": tail.z} for name, tail in self.tails.items()
                },
                "correlation": {"source": self.correlated, "of_z": self.correlation},
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
        return combined_text(self)
