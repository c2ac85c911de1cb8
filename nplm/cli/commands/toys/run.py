"""The command `nplm toys run`: draws and fits the toys of a campaign into a store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from nplm.cli.commands.toys.options import DASK_HERE, EngineOptions, RunOptions, command_of
from nplm.cli.commands.toys.setup import Setup, setup_of
from nplm.cli.errors import ExitCode, OutputError, WorkersError
from nplm.cli.models import test_with
from nplm.cli.output import say
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.refusing import refusing_failed_toys
from nplm.cli.terminal import Reporter
from nplm.wording.projected import QUICKER_TOYS, projection

if TYPE_CHECKING:
    from nplm.toys.campaign import Campaign
    from nplm.toys.engines.base import Engine
    from nplm.toys.store import Store


def run_toys(options: RunOptions) -> int:
    """Runs `nplm toys run`; all input is checked before any toy is run.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the store or the engine is bad.
    """
    from nplm.cli.commands.toys.status import status_text
    from nplm.toys.run import run_campaign

    reporter = Reporter(options.quiet)
    setup = setup_of(options, reporter.note)
    campaign, store = _campaign(options, setup, reporter)
    wanted = range(options.first, options.first + options.toys)
    try:
        with refusing_failed_toys(store.path, lambda: _kept(store)):
            left, seconds = _left(options, store, campaign, reporter)
            with reporter.expect(left):
                run_campaign(
                    campaign,
                    wanted,
                    store=store,
                    engine=engine_of(options, reporter.note),
                    batch=options.batch,
                    seconds=seconds,
                    shard=options.shard,
                    on_toys=reporter.advance,
                )
    except KeyboardInterrupt:
        say(f"nplm: interrupted; {_kept(store)}. The same command runs the rest", sys.stderr)
        return ExitCode.INTERRUPTED
    say(status_text(store, store.read()))
    return ExitCode.DONE


def _campaign(options: RunOptions, setup: Setup, reporter: Reporter) -> tuple[Campaign, Store]:
    """The campaign and its store, once all is known to be good; the store is made."""
    from nplm.toys.campaign import Campaign
    from nplm.toys.store import Store, StoreError

    with refusing_bad_input():
        nuisances = None if setup.point is None else setup.point.nuisances
        test = test_with(nuisances, options, setup.reference, known_yield(options, setup.reference))
        common = Campaign(test, setup.sampler(test), options.seed, keep_parameters=options.parameters)
        campaign = going_on(options.output, _by_default(options, setup, common))
        plan = campaign.plan()
    about = {**campaign.describe(), **setup.about}
    if options.toy_yield is not None:
        about["not_null"] = f"their expected yield is {options.toy_yield:g}"
    about["command"] = join(command_of(options))
    wanted = range(options.first, options.first + options.toys)
    try:
        return campaign, Store.create(options.output, plan, wanted, about, reporter.note)
    except StoreError as error:
        raise OutputError(str(error)) from error
    except OSError as error:
        raise OutputError(f"{options.output} cannot be written: {error.strerror or error}") from error


def _by_default(options: RunOptions, setup: Setup, common: Campaign) -> Iterator[Campaign]:
    """The campaign that the options ask for, and those that they asked for in earlier versions."""
    from nplm.calibration.null_campaign import needs_references

    test, per_toy = common.test, options.reference_per_toy
    together = not (options.pool or options.generator or options.expectation)
    needed = together and needs_references(test, options.events or test.reference.total_weight)
    if per_toy or (per_toy is None and needed):
        for sampler in setup.reference_samplers(test):
            yield replace(common, reference_sampler=sampler)
    if not per_toy:
        yield common


def going_on(folder: Path, campaigns: Iterable[Campaign]) -> Campaign:
    """The first of some campaigns, unless the store in a folder was begun with another one of them.

    Arguments:
        folder: of a store, if it exists.
        campaigns: what is asked for, and then what an earlier version understood by it.
    """
    from nplm.toys.store import Store, StoreError

    found = list(campaigns)
    try:
        begun = Store.open(folder).plan.hash
    except StoreError:
        return found[0]
    return next((campaign for campaign in found if campaign.plan().hash == begun), found[0])


def _left(options: RunOptions, store: Store, campaign: Campaign, reporter: Reporter) -> tuple[int, float | None]:
    """How many toys are to be run, and the projected seconds of one; says so, and how long all take."""
    i, n = options.shard
    wanted = range(options.first, options.first + options.toys)[i - 1 :: n]
    done = store.read()
    left = len(set(wanted) - set(done.index.tolist()))
    if len(done):
        reporter.note(f"{options.output} holds {len(done)} toys; {left} are left to run")
    if not left or options.dask is not None:
        return left, None
    seconds = campaign.projected_seconds(campaign.draw(options.first), left)
    quicker = QUICKER_TOYS.get(campaign.test.model.name, ())
    reporter.note(projection(seconds, left, f"{left} toys on all cores", quicker))
    return left, seconds / left


def engine_of(options: EngineOptions, note: Callable[[str], None]) -> Engine:
    """What runs the toys; it notes what keeps them waiting.

    Raises:
        WorkersError: if the packages of the engine are missing.
    """
    from nplm.toys.engines.base import InProcess
    from nplm.toys.engines.processes import LocalProcesses

    if options.dask is not None:
        try:
            from nplm.toys.engines.dask import DaskWorkers
        except ImportError as error:
            raise WorkersError(str(error)) from error
        return DaskWorkers(None if options.dask == DASK_HERE else options.dask, notify=note)
    return InProcess() if options.workers is None else LocalProcesses(options.workers)


def _kept(store: Store) -> str:
    return f"{len(store.read())} of {store.count} toys are in {store.path}"
