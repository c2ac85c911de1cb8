"""Toys that several tests fit, each drawn once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from nplm.data.sample import Sample
from nplm.toys.campaign import Campaign
from nplm.toys.run import within_seconds
from nplm.toys.samplers import Sampler, ToyKey
from nplm.toys.table import ToyTable


@dataclass(frozen=True, eq=False)
class _Remembered:
    """Draws each toy of a batch once, however many tests ask for it."""

    sampler: Sampler
    drawn: dict[bytes, Sample] = field(default_factory=dict)

    def __call__(self, key: ToyKey) -> Sample:
        name = np.asarray(jax.random.key_data(key)).tobytes()
        if name not in self.drawn:
            self.drawn[name] = self.sampler(key)
        return self.drawn[name]

    def describe(self) -> str:
        return self.sampler.describe()


def joint_toys(
    campaigns: Sequence[Campaign], toys: int, seconds: float, on_toys: Callable[[Sequence[ToyTable]], None]
) -> tuple[list[ToyTable], bool]:
    """The toys of all campaigns, which have one sampler and seed, and whether all were done before Ctrl-C.

    Arguments:
        campaigns: one for each test.
        toys: how many.
        seconds: projected for a toy in all tests.
        on_toys: called with each batch.
    """
    if not toys:
        return [], True
    remembered = _Remembered(campaigns[0].sampler)
    sharing = [replace(campaign, sampler=remembered) for campaign in campaigns]
    size = within_seconds(min(campaign.test.prepared.batch_size for campaign in campaigns), seconds)
    parts: list[list[ToyTable]] = []
    complete = True
    try:
        for start in range(0, toys, size):
            batch = range(start, min(start + size, toys))
            parts.append([campaign.run(batch) for campaign in sharing])
            remembered.drawn.clear()
            on_toys(parts[-1])
    except KeyboardInterrupt:
        complete = False
    return [ToyTable.concatenate(tables) for tables in zip(*parts, strict=True)], complete
