"""Runs a campaign: what is missing, on an engine, into a store."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nplm._util.cores import available_cores
from nplm._util.whole_numbers import require_few
from nplm.toys.campaign import PROBE, Campaign, SamplerError
from nplm.toys.engines.base import Batch, Engine, InProcess
from nplm.toys.store import Store
from nplm.toys.table import ToyTable

# Toys with a reference of their own in a batch, at most.
_MOST_REFERENCES = 64
# A batch is shown, stored, and lost by Ctrl-C as a whole: it shall not take many more seconds than these.
_SECONDS_OF_A_BATCH = 10.0


def run_campaign(
    campaign: Campaign,
    toys: int | range,
    *,
    store: Store | Path | str | None = None,
    engine: Engine | None = None,
    batch: int | None = None,
    seconds: float | None = None,
    shard: tuple[int, int] = (1, 1),
    on_toys: Callable[[ToyTable], None] = lambda table: None,
) -> ToyTable:
    """Runs the toys of a campaign that are not in its store yet, and returns all that are there then.

    Killing it at any moment loses at most the batches under way; running it again finishes the rest.

    Arguments:
        campaign: what to run.
        toys: how many, or which: a range of step 1.
        store: the store, or its folder, which is made if it does not exist; None to keep the toys in memory only.
        engine: what runs them; default: this process.
        batch: how many are fitted together; default: what suits the model. The toys are the same whatever it is.
        seconds: projected for a toy on all cores, if that is known: a batch by default then takes ten of them or so.
        shard: (i, N) runs every N-th toy only, beginning with the i-th; i from 1 to N.
        on_toys: called with each batch that was run, once it is stored.

    Raises:
        ValueError: if the toys, the shard or the batch make no sense.
        StoreError: if the store is of another plan, before any toy is run.
        SamplerError: if a toy cannot be drawn; the toys before it are stored.
        EngineError: if the engine fails; the toys that were done are stored.
    """
    wanted = range(toys) if isinstance(toys, int) else toys
    if not 1 <= shard[0] <= shard[1]:
        raise ValueError(f"shard {shard[0]} of {shard[1]} does not exist: count them from 1")
    require_few(len(wanted[shard[0] - 1 :: shard[1]]))
    if isinstance(store, (Path, str)):
        about = dict(campaign.describe())
        store = Store.create(store, campaign.plan(), wanted, about, _warn)
    elif store is not None:
        store.require_plan(campaign.plan())
    known = ToyTable.empty() if store is None else store.read()
    fresh, mine = [], wanted[shard[0] - 1 :: shard[1]]
    for table in run_missing(campaign, mine, known, engine=engine, batch=batch, seconds=seconds):
        if store is None:
            fresh.append(table)
        else:
            store.add(table)
        on_toys(table)
    if store is None:
        return ToyTable.concatenate(fresh)
    stored = store.read()
    store.finish(stored)
    return stored


def run_missing(
    campaign: Campaign,
    wanted: Sequence[int],
    known: ToyTable,
    *,
    engine: Engine | None = None,
    batch: int | None = None,
    seconds: float | None = None,
) -> Iterator[ToyTable]:
    """Runs the wanted toys that are not known yet, and yields them batch by batch; see `run_campaign`."""
    require_few(len(wanted))
    if len(wanted) and not (min(wanted) >= 0 and max(wanted) < PROBE):
        raise ValueError(f"toys are numbered from 0 to {PROBE - 1}, not {min(wanted)} to {max(wanted)}")
    if batch is not None and batch < 1:
        raise ValueError(f"a batch needs at least 1 toy, not {batch}")
    done = set(known.index.tolist())
    missing = [i for i in wanted if i not in done]
    size = batch or _batch_size(campaign, engine, seconds)
    batches: list[Batch] = [missing[start : start + size] for start in range(0, len(missing), size)]
    try:
        yield from (engine or InProcess()).run(campaign, batches)
    except SamplerError as error:
        if error.done is not None:
            yield error.done
        raise


def _batch_size(campaign: Campaign, engine: Engine | None, seconds: float | None) -> int:
    """How many toys are fitted together unless it was said."""
    size = campaign.test.prepared.batch_size
    if campaign.reference_sampler is not None:
        # References are prepared one after the other, so larger batches save nothing and are stored late.
        size = min(size, _MOST_REFERENCES)
    if seconds is not None:
        size = within_seconds(size, seconds)
    if engine is None or isinstance(engine, InProcess):
        return size
    # What suits all cores of this machine is too much for the one core of a worker.
    return max(1, size // len(available_cores()))


def within_seconds(size: int, seconds: float) -> int:
    """A size for batches that is not larger, and takes ten seconds or so where a toy takes the given ones."""
    if seconds * size <= _SECONDS_OF_A_BATCH:
        return size
    toys = max(1, int(_SECONDS_OF_A_BATCH / seconds))
    # A power of two, as that is what kernels fill a batch up to; and work for every core.
    return min(size, max(1 << (toys.bit_length() - 1), len(available_cores())))


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)
