"""Campaigns that tests run in other processes, so that all they are made of can be imported there."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.base import Model
from nplm.models.histogram.model import HistogramModel
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.multistart import SearchSettings
from nplm.toys.campaign import Campaign
from nplm.toys.engines.processes import LocalProcesses
from nplm.toys.run import run_campaign
from nplm.toys.samplers import Sampler, ToyKey, generator
from nplm.toys.store import Store

EDGES = HistogramModel(edges=((0.0, 0.3, 0.7, 1.2, 2.0, 3.0),))
# A search that is good enough for identities, where both sides run the same one.
QUICK = NetworkModel(
    hidden=(2,),
    optimizer=BoxSearch(
        SearchSettings(starts=2, population=4, parents=2, generations=2, iterations=10),
        cells=60,
        fine_cells=200,
        fine_iterations=10,
        last_iterations=10,
    ),
)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Exponential:
    """Exponentially distributed toys, slowly drawn.

    Arguments:
        expected_yield: mean number of events.
        pause: seconds that a toy takes.
        log: a file that gets a line with the number of the process for each toy that is drawn.
    """

    expected_yield: float = 300.0
    pause: float = 0.0
    log: Path | None = None

    def __call__(self, key: ToyKey) -> Sample:
        if self.log is not None:
            append(self.log, f"{os.getpid()}\n")
        time.sleep(self.pause)
        rng = generator(key)
        return Sample(rng.exponential(size=rng.poisson(self.expected_yield)), name="toy")

    def describe(self) -> str:
        return f"Exponential with {self.expected_yield:g} events expected"


@dataclass(frozen=True)
class At:
    """Does something to the process at one toy, and else draws as another sampler does.

    Arguments:
        toy: number of the toy, of a campaign with seed 1.
        what: "exit", "kill" or "raise".
        once: a file that is made then; nothing is done once it is there.
    """

    toy: int
    what: str
    once: Path | None = None
    otherwise: Exponential = Exponential()

    def __call__(self, key: ToyKey) -> Sample:
        bad = jax.random.fold_in(jax.random.key(1), self.toy)
        here = np.array_equal(jax.random.key_data(key), jax.random.key_data(bad))
        if here and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            if self.what == "exit":
                os._exit(1)
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("the detector was off")
        return self.otherwise(key)

    def describe(self) -> str:
        return self.otherwise.describe()


def append(file: Path, text: str) -> None:
    """Appends to a file in one piece, so that it survives the death of the process and the company of others."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def exponential_test(model: Model = EDGES, events: int = 3000, **settings: Any) -> NPLMTest:
    """A test with 300 expected events."""
    x = np.random.default_rng(5).exponential(size=events)
    return NPLMTest(Sample(x, np.full(events, 300 / events), name="reference"), model, **settings)


def exponential_campaign(sampler: Sampler | None = None, model: Model = EDGES, **settings: Any) -> Campaign:
    """A campaign that is drawn and fitted quickly, unless its sampler is slow."""
    return Campaign(exponential_test(model), sampler or Exponential(), **settings)


def filled_store(campaign: Campaign, folder: Path) -> Store:
    """A store with twelve toys in one part."""
    run_campaign(campaign, 12, store=folder, batch=4)
    return Store.open(folder)


def main(store: str, toys: str, batch: str, pause: str, log: str, workers: str = "0", shard: str = "1/1") -> None:
    """Runs a campaign into a store, in this process or on others."""
    i, n = map(int, shard.split("/"))
    run_campaign(
        exponential_campaign(Exponential(pause=float(pause), log=Path(log))),
        int(toys),
        store=store,
        batch=int(batch),
        engine=LocalProcesses(int(workers)) if int(workers) else None,
        shard=(i, n),
    )


if __name__ == "__main__":
    # Pickled by name: the workers must find the sampler in the module, not in __main__.
    from tests.toys import programs

    programs.main(*sys.argv[1:])


def numbers(runs: list[range]) -> list[int]:
    """All numbers of runs of them."""
    return [number for run in runs for number in run]
