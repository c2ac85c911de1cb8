"""The commands `nplm toys status` and `nplm toys merge`: what toy stores hold, and how they become one."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm.cli.commands.toys.options import MergeOptions, StatusOptions
from nplm.cli.errors import ExitCode, InputError
from nplm.cli.output import say
from nplm.cli.refusing import refusing_bad_output
from nplm.stats.asymptotic import read_asymptotic_null
from nplm.wording.durations import format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nplm.toys.store import Store
    from nplm.toys.table import ToyTable

_RANGES_SHOWN = 5


def show_status(options: StatusOptions) -> int:
    """Runs `nplm toys status`.

    Raises:
        InputError: if a folder is no toy store, or its parts contradict each other.
    """
    stores = open_stores(options.stores)
    with _refusing_bad_stores():
        tables = [store.read() for store in stores]
    if options.json:
        say(json.dumps([status(*pair) for pair in zip(stores, tables, strict=True)], indent=2))
    else:
        say("\n\n".join(status_text(*pair) for pair in zip(stores, tables, strict=True)))
    return ExitCode.DONE


def run_merge(options: MergeOptions) -> int:
    """Runs `nplm toys merge`.

    Raises:
        InputError: if a folder is no toy store, or the stores do not belong together.
        OutputError: if the merged store cannot be written, or its folder holds other toys.
    """
    from nplm.toys.store import merge_stores, unique

    stores = open_stores(options.stores)
    # First what is wrong with the sources: what is refused after that is the target.
    with _refusing_bad_stores():
        for store in stores[1:]:
            store.require_plan(stores[0].plan)
        unique([store.read() for store in stores], options.stores)
    with refusing_bad_output(options.output):
        store, table = merge_stores(stores, options.output)
    say(json.dumps(status(store, table), indent=2) if options.json else status_text(store, table))
    return ExitCode.DONE


def open_stores(paths: Sequence[str]) -> list[Store]:
    """The stores in folders; what is wrong with a part of theirs goes to stderr.

    Raises:
        InputError: naming the folder that holds none.
    """
    from nplm.toys.store import Store

    with _refusing_bad_stores():
        return [Store.open(path, warn=lambda message: say(f"nplm: {message}", sys.stderr)) for path in paths]


def read_store(store: Store) -> ToyTable:
    """The toys of a store.

    Raises:
        InputError: if its parts contradict each other.
    """
    with _refusing_bad_stores():
        return store.read()


@contextmanager
def _refusing_bad_stores() -> Iterator[None]:
    from nplm.toys.store import StoreError

    try:
        yield
    except StoreError as error:
        raise InputError(str(error)) from error


def status(store: Store, table: ToyTable) -> dict[str, Any]:
    """What a store holds, as JSON values."""
    runs = store.missing(table)
    missing = sum(map(len, runs))
    reasons = Counter(str(reason) for reason in table.failure[~table.succeeded])
    mean_seconds = float(table.seconds.mean()) if len(table) else None
    return {
        "store": str(store.path),
        "plan_hash": store.plan.hash,
        "toys_from": store.about.get("toys"),
        "wanted": store.count,
        "first": store.first,
        "done": len(table),
        "missing": missing,
        "missing_toys": [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs],
        "failed": int((~table.succeeded).sum()),
        "failures": dict(reasons),
        "not_converged": int((table.succeeded & ~table.converged).sum()),
        "one_start_agreeing": int((table.succeeded & (table.starts_agreeing == 1)).sum()),
        "seconds_per_toy": mean_seconds,
        "seconds_left": None if mean_seconds is None else mean_seconds * missing,
        "nuisances": _nuisances(store, table),
        "command": store.about.get("command"),
    }


def status_text(store: Store, table: ToyTable) -> str:
    """What a store holds, for the terminal."""
    numbers = status(store, table)
    model = store.plan.document["test"]["model"]
    lines = [
        f"{store.path}: {numbers['done']:,} of {store.count:,} toys done"
        + (f", {numbers['missing']:,} missing" if numbers["missing"] else ""),
        f"  toys       {store.about.get('toys', 'unknown')}",
        f"  model      {model['name']}, with a null of {_asymptotic(store)}",
        f"  plan       {store.plan.hash[:16]}, seed {store.plan.document.get('seed')}",
    ]
    if numbers["missing"] and numbers["done"]:
        shown = numbers["missing_toys"][:_RANGES_SHOWN]
        more = ", ..." if len(numbers["missing_toys"]) > _RANGES_SHOWN else ""
        left = format_seconds(numbers["seconds_left"])
        lines.append(f"  missing    {', '.join(shown)}{more}; about {left} at the pace of one worker")
    if numbers["failed"]:
        lines.append(f"  failed     {numbers['failed']:,}; they count as exceeding any t:")
        lines += [f"             {n:,} x {reason}" for reason, n in numbers["failures"].items()]
    if numbers["not_converged"]:
        lines.append(f"  unfinished {numbers['not_converged']:,} fits stopped at their fixed budget; their t counts")
    if numbers["done"]:
        lines.append(f"  pace       {numbers['seconds_per_toy']:.3g} s a toy on one worker")
        mean = float(np.mean(table.t[table.succeeded])) if table.succeeded.any() else float("nan")
        parts = numbers["nuisances"] or {"tau": None}
        what = "" if parts["tau"] is None else f": tau {parts['tau']:.2f} - Delta {parts['delta']:.2f}"
        lines.append(f"  mean t     {mean:.2f}{what}")
    return "\n".join(lines)


def _asymptotic(store: Store) -> str:
    """The null of the toys, and with nuisances where it was taken."""
    from nplm.toys.pulls import truth_of
    from nplm.toys.pulls_text import asymptotic_text

    asymptotic, truth = read_asymptotic_null(store.about["formula"]), truth_of(store)
    return asymptotic.name if truth is None else asymptotic_text(asymptotic, truth)


def _nuisances(store: Store, table: ToyTable) -> dict[str, Any] | None:
    """Where the toys were drawn, and the means of tau and Delta; None without nuisances."""
    from nplm.toys.pulls import fitted_nuisances, truth_of

    truth = truth_of(store)
    fitted = fitted_nuisances(table, truth)
    if fitted is None and truth is None:
        return None
    nu = None if truth is None else dict(zip(truth.names, truth.nu.tolist(), strict=True))
    means = {} if fitted is None else {"tau": fitted.tau.mean, "delta": fitted.delta.mean}
    return {"nu": nu, "tau": None, "delta": None, **means}
