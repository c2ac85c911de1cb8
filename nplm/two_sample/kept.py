"""What a threshold of an anomaly score keeps of two samples: plain numbers of events beside the p-value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nplm.stats.yields import Rate
from nplm.wording.numbers import p_text, yields_text


@dataclass(frozen=True)
class Kept:
    """The events whose score is above a threshold.

    Arguments:
        share: of the reference that was to be kept.
        threshold: of the score; None if everything is kept.
        sizes: numbers of events of the reference and of the data.
        rate: the yield of the data against what is expected; None if it is what was expected by construction.
        trained: share of the events that the score was trained on; None if these are not known.
        trained_deviations: by how many standard deviations that differs from the share of the reference.
    """

    share: float
    threshold: float | None
    sizes: tuple[int, int]
    rate: Rate | None
    trained: float | None = None
    trained_deviations: float | None = None

    @property
    def name(self) -> str:
        """Rarest 1%, or everything."""
        return "everything" if self.share == 1 else f"rarest {100 * self.share:g}%"

    @property
    def words(self) -> str:
        """Numbers of events, with their own p-value."""
        found = f"{self.sizes[1]:,} events of the data, {self.sizes[0]:,} of the reference"
        if self.rate is not None:
            rate = self.rate
            found = f"{yields_text(rate.observed, rate.expected)}; {p_text(rate.p_value)} (both sides)"
        found += "" if self.threshold is None else f"; score above {self.threshold:.4g}"
        return found + ("" if self.trained is None else f"; {100 * self.trained:.3g}% of the training events")

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return {
            "share": self.share,
            "threshold": self.threshold,
            "events": self.sizes,
            "rate": None if self.rate is None else self.rate.to_dict(),
            "trained_share": self.trained,
            "trained_deviations": self.trained_deviations,
        }
