"""The command `nplm toys show`: what toys say about the null, and about the power to find a signal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nplm._util.json_values import json_value
from nplm.cli.commands.toys.options import ShowOptions
from nplm.cli.commands.toys.status import open_stores, read_store
from nplm.cli.errors import ExitCode, InputError, OutputError
from nplm.cli.output import say
from nplm.cli.refusing import refusing_bad_output
from nplm.data.fingerprint import Plan
from nplm.report.manifest import written_into
from nplm.toys.store import CAMPAIGN_FILE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nplm.stats.asymptotic import AsymptoticNull
    from nplm.toys.store import Store
    from nplm.toys.table import ToyTable


def show_toys(options: ShowOptions) -> int:
    """Runs `nplm toys show`.

    Raises:
        InputError: if a store is bad, empty, or does not belong with the other.
        OutputError: if the plots cannot be written.
    """
    (store,) = open_stores([options.store])
    table = _filled(store)
    shown = _show_null(options, store, table) if options.null is None else _show_power(options, store, table)
    document, text, figures = shown
    if options.output is not None:
        _write(options.output, document, text, figures)
    say(_json(document) if options.json else text)
    return ExitCode.DONE


Shown = tuple[dict[str, Any], str, dict[str, Callable[[], "Figure"]]]


def _show_null(options: ShowOptions, store: Store, table: ToyTable) -> Shown:
    """Numbers and plots of null toys."""
    from nplm.plot.null import plot_null_ensemble
    from nplm.plot.qq import plot_qq
    from nplm.stats.ensemble_summary import summarize_toys
    from nplm.toys.ensemble_text import ensemble_dict, ensemble_text
    from nplm.toys.pulls import fitted_nuisances, truth_of
    from nplm.toys.pulls_text import pulls_text

    asymptotic = _asymptotic(options, store)
    summary = summarize_toys(table.t, asymptotic)
    document = {
        **_header(store, table),
        **ensemble_dict(table.t, asymptotic, observed=options.observed, summary=summary),
    }
    text = f"{_title(store, table)}\n{ensemble_text(table.t, asymptotic, observed=options.observed, summary=summary)}"
    truth = truth_of(store)
    fitted = fitted_nuisances(table, truth)
    if fitted is not None:
        document["nuisances"] = {**fitted.to_dict(), "truth": None if truth is None else truth.document()}
        text += f"\n\n{pulls_text(fitted, asymptotic, truth)}"
    figures: dict[str, Callable[[], Figure]] = {
        "null": lambda: plot_null_ensemble(table.t, asymptotic, options.observed, summary=summary)
    }
    if summary.fitted is not None or summary.given is not None:
        figures["qq"] = lambda: plot_qq(table.t, asymptotic, summary=summary)
    return document, text, figures


def _show_power(options: ShowOptions, store: Store, table: ToyTable) -> Shown:
    """Z and power of toys with a signal against null toys, and against the asymptotic null if these follow it."""
    from nplm.plot.power import plot_power
    from nplm.sensitivity.power_text import power_text
    from nplm.stats.asymptotic import fit_asymptotic_null
    from nplm.stats.empirical import EmpiricalNull
    from nplm.stats.ensemble_summary import summarize_toys
    from nplm.stats.null import Null
    from nplm.stats.power import signal_power
    from nplm.wording.numbers import check_words

    (null_store,) = open_stores([options.null or ""])
    null_table = _filled(null_store)
    _require_same_test(store, null_store)
    _require_null(null_store)
    asymptotic = _asymptotic(options, null_store)
    summary = summarize_toys(null_table.t, asymptotic)
    nulls: list[Null] = [EmpiricalNull(null_table.t)]
    followed = []
    if summary.given is not None and summary.given.accepted:
        nulls.append(asymptotic)
        followed.append(f"{asymptotic.name}: {check_words(summary.given)} by the null toys")
    if summary.fitted is not None and summary.fitted.accepted:
        nulls.append(fit_asymptotic_null(null_table.t, asymptotic))
        followed.append(f"{asymptotic.name}, fitted: {check_words(summary.fitted)} by the null toys")
    ideal = store.about.get("ideal_z") if options.ideal_z is None else options.ideal_z
    powers = [signal_power(null, table.t, options.z, ideal_z=ideal) for null in nulls]
    document = {
        **_header(store, table),
        "null": _header(null_store, null_table),
        "power": [power.to_dict() for power in powers],
    }
    title = f"{_title(store, table)}\n  against {_title(null_store, null_table)}"
    if summary.failed:
        title += (
            f"\n  {summary.failed} null toys failed: counting has them exceed any t, the asymptotic null leaves them"
            " out"
        )
    title = "\n  ".join([title, *followed])
    text = "\n\n".join([title, *map(power_text, powers)])
    signals = {str(store.about.get("signal") or store.path.name): table.t}
    return document, text, {"power": lambda: plot_power(null_table.t, signals, thresholds=options.z)}


def _asymptotic(options: ShowOptions, store: Store) -> AsymptoticNull:
    """What the toys are compared with: the asymptotic null of their test, or the chi2 that was asked for."""
    from nplm.stats.asymptotic import read_asymptotic_null
    from nplm.stats.chi2 import Chi2Null

    if options.degrees_of_freedom is not None:
        return Chi2Null(options.degrees_of_freedom)
    return read_asymptotic_null(store.about["formula"])


def _require_same_test(store: Store, null: Store) -> None:
    here, there = (Plan(s.plan.document["test"]) for s in (store, null))
    if here.hash != there.hash:
        different = "; ".join(here.differences(there)[:4])
        raise InputError(f"the toys in {store.path} and {null.path} went through different tests ({different})")


def _require_null(store: Store) -> None:
    from nplm.calibration.null_toys import why_not_null

    if reason := why_not_null(store):
        raise InputError(f"the toys in {store.path} are no null toys ({reason}): give null toys with --null")


def _filled(store: Store) -> ToyTable:
    table = read_store(store)
    if not len(table):
        raise InputError(f"{store.path} holds no toys yet: run them with nplm toys run")
    return table


def _header(store: Store, table: ToyTable) -> dict[str, Any]:
    return {
        "store": str(store.path),
        "toys_from": store.about["toys"],
        "plan_hash": store.plan.hash,
        "missing": sum(map(len, store.missing(table))),
    }


def _title(store: Store, table: ToyTable) -> str:
    missing = sum(map(len, store.missing(table)))
    return f"{store.path}: {store.about['toys']}" + (
        f"\n  {missing:,} of {store.count:,} toys are missing" if missing else ""
    )


def _json(document: dict[str, Any]) -> str:
    return json.dumps(json_value(document), indent=2, allow_nan=False)


def _write(folder: Path, document: dict[str, Any], text: str, figures: dict[str, Callable[[], Figure]]) -> None:
    """Writes toys.json, toys.txt and the plots."""
    from nplm._util.files import atomic_path
    from nplm.plot.style import save_figure

    if (folder / CAMPAIGN_FILE).exists():
        raise OutputError(f"{folder} is a toy store: choose another folder for the plots")
    with refusing_bad_output(folder), written_into(folder, "nplm toys show"):
        for name, content in (("toys.json", _json(document)), ("toys.txt", text)):
            with atomic_path(folder / name) as temporary:
                temporary.write_text(content + "\n", encoding="utf-8")
        for stem, draw in figures.items():
            save_figure(draw(), folder / stem)
