"""What runs the toys of a campaign, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nplm.toys.campaign import Campaign
from nplm.toys.table import ToyTable

Batch = Sequence[int]


class EngineError(RuntimeError):
    """Raised when what should run the toys fails: workers that die again and again, a scheduler out of reach."""


class Engine(Protocol):
    """Runs batches of toys somewhere. The toys are the same whatever the engine; only their order may differ."""

    def run(self, campaign: Campaign, batches: Sequence[Batch]) -> Iterator[ToyTable]:
        """Runs each batch and yields its toys as soon as they are there, in any order.

        Arguments:
            campaign: draws and fits the toys.
            batches: numbers of the toys of each batch.

        Raises:
            EngineError: if the engine fails; what was yielded before is good.
        """
        ...


class InProcess:
    """Runs the toys in this process; the model shares a batch out over the cores and JAX's devices."""

    def run(self, campaign: Campaign, batches: Sequence[Batch]) -> Iterator[ToyTable]:
        for batch in batches:
            yield campaign.run(batch)
