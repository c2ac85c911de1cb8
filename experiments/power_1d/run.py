"""Power of the 1-4-1 network on set-up A for the three published signals, and the size of the test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest, chi2, kstest

from experiments.experiment import Check, nplm, options, read_config
from nplm.plot.power import plot_power
from nplm.plot.style import save_figure
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from nplm.wording.markdown import markdown_table

PARAMETERS = 13
# P(Z >= 2.07) and P(Z >= 2.73), read off a figure to +-0.05, of the published optimizer at its clip 8, biases free.
PUBLISHED = {"tail": (0.71, 0.54), "broad": (0.79, 0.57), "bulk": (0.94, 0.87)}
READ_OFF = 0.05
# The power for the tail peak is not expected to be the published one. A neuron that switches at x has a slope of at
# most (largest bias) / x: with clipped biases that is too gentle for a narrow peak far out. With free ones the maximum
# of a null toy is very large if one of its events lies beyond all of the reference, where f may rise at no cost; the
# published optimizer, which stopped in whichever maximum it fell into, hardly saw those.
COMPARABLE = ("broad", "bulk")
Z_ALPHA = (2.07, 2.73)
MEDIAN_TAIL = "2.56 to 2.65"
SIZE = 0.05
# Chance that a right program fails one of the tests of size.
REJECTS = 1e-3


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs null, signal and control toys; a second run goes on where the first ended.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("power_1d", short)
    toys = {fit: _run_toys(work, config, fit) for fit in config["fits"]}
    shown = {fit: {name: _show(work / _stem(fit), name) for name in _signals(toys[fit])} for fit in toys}
    for fit, ensembles in toys.items():
        signals = {name: ensembles[name].t for name in _signals(ensembles)}
        figure = plot_power(ensembles["null"].t, signals, thresholds=Z_ALPHA)
        shutil.copy(save_figure(figure, work / f"power-{_stem(fit)}")[0], results)
    _show(work / _stem("clipped"), "null", results)
    null = toys["clipped"]["null"]
    p_values = {name: _p_values(toys["clipped"][name]) for name in ("null", "control")}
    rejected = {name: float(np.mean(p < SIZE)) for name, p in p_values.items()}
    uniform = float(kstest(p_values["null"], "uniform").pvalue)
    size_test = binomtest(round(rejected["null"] * len(null)), len(null), SIZE).pvalue
    settings = "; ".join(f"{fit}: clip {values['clip']:g}" for fit, values in config["fits"].items())
    text = "\n\n".join(
        [
            f"{settings}. {len(null)} null toys each; Z from counting them, and from chi2({PARAMETERS}) where they"
            " follow it.",
            markdown_table(
                _HEAD,
                [row for fit in toys for name in shown[fit] for row in _power_rows(fit, name, shown[fit][name])],
            ),
            f"Published median Z of the tail peak: {MEDIAN_TAIL}, biases free.",
            *(_null_line(fit, ensembles["null"]) for fit, ensembles in toys.items()),
            f"Size with clipped biases, p from chi2({PARAMETERS}): p-values of the null toys, which are others than"
            f" those that the clip was tuned with, are uniform with p = {uniform:.2g} (Kolmogorov-Smirnov); a nominal"
            f" 5% test rejects {100 * rejected['null']:.1f}% of them (binomial p = {size_test:.2g}). Negative control,"
            f" a yield that is {100 * (config['control_yield'] - 1):.0f}% too large: {100 * rejected['control']:.0f}%"
            f" of {len(toys['clipped']['control'])} toys rejected.",
            markdown_table(
                _COST_HEAD,
                [_cost_row(fit, name, ensemble) for fit in toys for name, ensemble in toys[fit].items()],
            ),
            " ".join(
                [
                    *(f"![Null and signal toys, {fit}](power-{_stem(fit)}.png)" for fit in toys),
                    "![Quantiles of the null toys](qq.png)",
                ]
            ),
        ]
    )
    accepted = f"accepted by a test of size {REJECTS}"
    checks = [
        Check("uniform p-values under the null: p", uniform, 0.0, REJECTS, 1.0, accepted),
        Check("share rejected under the null: p", size_test, 0.0, REJECTS, 1.0, accepted),
        Check("share of the control rejected", rejected["control"], 0.0, 0.6, 1.0, "0.84 for a chi2(13) of this shift"),
        *(check for name in COMPARABLE for check in _power_checks(name, shown["clipped"][name])),
    ]
    return text, checks


def _run_toys(work: Path, config: dict[str, Any], fit: str) -> dict[str, ToyTable]:
    kinds: dict[str, tuple[int, dict[str, Any]]] = {
        "null": (config["null_toys"], {}),
        **{name: (config["signal_toys"], {"signal": name}) for name in PUBLISHED if fit == "clipped" or name == "tail"},
    }
    if fit == "clipped":
        kinds["control"] = (config["control_toys"], {"toy_yield": 2000 * config["control_yield"]})
    toys = {}
    for seed, (name, (number, extra)) in enumerate(kinds.items(), start=101):
        run = {"toys": number, "seed": seed, "workers": config["workers"]}
        settings = {**config["toys"], **config["fits"][fit], **extra, **run}
        nplm("toys", "run", *options(settings), "-o", work / _stem(fit) / name)
        toys[name] = Store.open(work / _stem(fit) / name).read()
    return toys


def _signals(ensembles: dict[str, ToyTable]) -> list[str]:
    return [name for name in ensembles if name in PUBLISHED]


def _stem(fit: str) -> str:
    """The fit as a part of file names."""
    return fit.replace(" ", "-")


def _null_line(fit: str, null: ToyTable) -> str:
    error = np.nanstd(null.t) / np.sqrt(len(null))
    largest = ", ".join(f"{t:.0f}" for t in np.sort(null.t)[-5:])
    return (
        f"Null toys, {fit}: mean t {np.nanmean(null.t):.2f} +- {error:.2f}, sd {np.nanstd(null.t):.2f}"
        f" (chi2({PARAMETERS}): {PARAMETERS}, {np.sqrt(2 * PARAMETERS):.2f}); the five largest: {largest}."
    )


def _show(work: Path, name: str, results: Path | None = None) -> dict[str, Any]:
    """What `nplm toys show` says: of a signal against the null, or of the null, whose Q-Q plot is kept."""
    against = [] if name == "null" else ["--null", work / "null", "--z", *Z_ALPHA, 3.0, 5.0]
    document, _ = nplm("toys", "show", work / name, *against, "--json", "-o", work / f"{name}-shown")
    if results is not None:
        shutil.copy(work / f"{name}-shown" / "qq.png", results / "qq.png")
    shown: dict[str, Any] = document
    return shown


_HEAD = ["fit", "signal", "Z from", "median Z", "16% to 84%", "ideal Z"]
_HEAD += [f"P(Z >= {z:g})" for z in (*Z_ALPHA, 3.0, 5.0)] + [f"published P(Z >= {z:g})" for z in Z_ALPHA]


def _power_rows(fit: str, name: str, shown: dict[str, Any]) -> list[list[str]]:
    rows = []
    for power in shown["power"]:
        low, high = power["band"]
        least = "at least " if power["median_is_limit"] else ""
        rows.append(
            [
                fit,
                name,
                power["kind"],
                f"{least}{power['median_z']:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{power['ideal_z']:.2f}",
                *(_share(at) for at in power["at"]),
                *(f"{p:.2f} +- {READ_OFF}" for p in PUBLISHED[name]),
            ]
        )
    return rows


def _share(at: dict[str, Any]) -> str:
    if at["power"] is None:
        return "beyond these null toys"
    low, high = at["interval"]
    return f"{at['power']:.3f} ({low:.3f} to {high:.3f})"


def _power_checks(name: str, shown: dict[str, Any]) -> list[Check]:
    """Our power at the published thresholds, with Z from the chi2 if the null toys follow it, must not be lower."""
    power = next((p for p in shown["power"] if p["kind"] == "chi2 given"), shown["power"][0])
    checks = []
    for at, published in zip(power["at"], PUBLISHED[name], strict=False):
        if at["power"] is None:  # too few null toys to count so far
            continue
        error = (at["interval"][1] - at["interval"][0]) / 2
        least = published - 2 * float(np.hypot(error, READ_OFF))
        expected = f"{published} +- {READ_OFF}, published optimizer at its clip 8"
        checks.append(Check(f"{name}: P(Z >= {at['z']:g})", at["power"], error, least, 1.0, expected))
    return checks


def _p_values(table_: ToyTable) -> np.ndarray:
    """Of each toy, from the chi2; a failed toy counts as exceeding any t."""
    return np.asarray(chi2.sf(np.where(table_.succeeded, table_.t, np.inf), PARAMETERS))


_COST_HEAD = ["fit", "toys", "number", "failed", "mean t", "s a toy on one core", "core seconds in all"]


def _cost_row(fit: str, name: str, table_: ToyTable) -> list[str]:
    return [
        fit,
        name,
        str(len(table_)),
        str(int((~table_.succeeded).sum())),
        f"{np.nanmean(table_.t):.2f}",
        f"{table_.seconds.mean():.2f}",
        f"{table_.seconds.sum():.0f}",
    ]
