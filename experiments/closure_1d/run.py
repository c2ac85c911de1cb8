"""Closure: signals injected into set-up A, next to the asymptotic Z and the exact best test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from experiments.experiment import Check, read_config
from nplm import KernelModel, NPLMTest, Sample
from nplm.sensitivity import Closure, closure
from nplm.sensitivity.optimal_test import KnownRatio, known_best_test
from nplm.stats.neyman_pearson import median_z_of
from nplm.wording.markdown import markdown_table
from toys.exponential import FEATURES, SIGNALS, Signal, draw_reference, ideal_z, log_ratio

ERRORS = 3.0
# Share of the best Z that the classifier may miss.
MISSED = 0.1
_HEAD = ["signal", "width", "N_S", "median Z", "asymptotic Z", "technical Z", "best test", "exact best test"]
_SIZE_HEAD = ["width", "toys without a signal", "p <= 5%", "size"]
_OPEN_HEAD = ["signal", "N_S", "exact", "known ratio: mean", "sd", "the same, background counted: mean", "sd"]


@dataclass(frozen=True)
class Open:
    """Best Z of exact log-ratios by other files of the same sizes.

    Arguments:
        known: by the ratio alone, shape (draws,).
        counted: with the background that the reference's events say, as the classifier's Z is, shape (draws,).
    """

    known: Float64[np.ndarray, " draws"]
    counted: Float64[np.ndarray, " draws"]


@dataclass(frozen=True)
class Case:
    """One signal and one width."""

    signal: Signal
    width: float
    numbers: list[float]
    found: Closure


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Injects each signal at each width.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("closure_1d", short)
    rng = np.random.default_rng(1)
    reference = draw_reference(rng, config["n_reference"])
    signals = [SIGNALS[name] for name in config["signals"]]
    files = {signal.name: _file(signal, rng, config) for signal in signals}
    cases: list[Case] = []
    for width, best in config["widths"].items():
        model = KernelModel(
            width=width, centers=config["centers"], penalty=config["penalty"], seed=1, reference_exact=True
        )
        test = NPLMTest(reference, model, coordinates="raw")
        for signal in signals:
            numbers = [signal.expected * share for share in config["shares"]]
            # Seeds of their own: null toys are not the same for each signal.
            seed = 1000 * (len(cases) + 1)
            ideal: KnownRatio | Literal["classifier"] = "classifier" if best == "classifier" else _ratio(signal)
            found = closure(test, files[signal.name], numbers, config["toys"], seed, ideal=ideal)
            print(f"{signal.name}, width {width:g}\n{found}\n", flush=True)
            cases.append(Case(signal, width, numbers, found))
    left_open = {signal.name: _open(signal, config) for signal in signals}
    sizes = [_size(width, [c.found for c in cases if c.width == width]) for width in config["widths"]]
    text = "\n\n".join(
        [
            f"{config['toys']} toys at each number of signal events, and without a signal; errors are those of the"
            " median of normal Z that scatter as these do, and for the classifier half of the difference of its two"
            " halves.",
            markdown_table(_HEAD, [row for case in cases for row in _rows(case)]),
            "Without a signal, with asymptotic p-values:",
            markdown_table(_SIZE_HEAD, [[f"{w:g}", str(n), str(k), f"{k / n:.3f} +- {e:.3f}"] for w, n, k, e in sizes]),
            f"What files of these sizes leave open: best Z from exact log-ratios, by {config['draws']} other references"
            " and signal files.",
            markdown_table(_OPEN_HEAD, [_open_row(signal, left_open[signal.name]) for signal in signals]),
        ]
    )
    checks = [
        Check(
            f"width {w:g}: size without a signal",
            k / n,
            e,
            0.05 - ERRORS * e,
            0.05 + ERRORS * e,
            "0.05; error: binomial",
        )
        for w, n, k, e in sizes
    ]
    return text, [*checks, *(check for case in cases for check in _checks(case, left_open[case.signal.name]))]


def _file(signal: Signal, rng: np.random.Generator, config: dict[str, Any]) -> Sample:
    return Sample(signal.sample(rng, config["signal_events"]), features=FEATURES, name="signal")


def _ratio(signal: Signal) -> KnownRatio:
    """log s/b of the normalized densities."""
    return lambda events: np.asarray(signal.distribution.logpdf(events[:, 0]) + events[:, 0], dtype=np.float64)


def _open(signal: Signal, config: dict[str, Any]) -> Open:
    known, counted = [], []
    for draw in range(config["draws"]):
        rng = np.random.default_rng(100 + draw)
        reference, sample = draw_reference(rng, config["n_reference"]), _file(signal, rng, config)
        known.append(known_best_test(reference, sample, [signal.expected], _ratio(signal)).z[0])
        none = np.zeros(len(reference)), np.zeros(len(sample))
        counted.append(
            median_z_of(
                np.concatenate([log_ratio(s.events, signal) for s in (reference, sample)]),
                np.concatenate([reference.weights, none[1]]),
                np.concatenate([none[0], sample.scaled_to(signal.expected).weights]),
            )
        )
    return Open(np.array(known), np.array(counted))


def _size(width: float, found: list[Closure]) -> tuple[float, int, int, float]:
    toys = sum(f.null_check.toys for f in found)
    return width, toys, sum(f.null_check.rejected for f in found), float(np.sqrt(0.05 * 0.95 / toys))


def _error(case: Case, i: int) -> float:
    """Of the median of normal Z: an interval from the few toys that are next to it is too uncertain for 18 checks."""
    low, high = case.found.at[i].sampled.band
    return float(np.sqrt(np.pi / 2 / case.found.toys)) * (high - low) / 2


def _rows(case: Case) -> list[list[str]]:
    assert case.found.best is not None
    rows = []
    for i, (number, at) in enumerate(zip(case.numbers, case.found.at, strict=True)):
        assert at.ideal_z is not None
        spread = f" +- {at.ideal_spread:.2f}" if at.ideal_spread else ""
        rows.append(
            [
                case.signal.name,
                f"{case.width:g}",
                f"{number:.3g}",
                f"{at.sampled.median_z:.2f} +- {_error(case, i):.2f}",
                f"{at.expected_z:.2f}",
                f"{at.technical_z:.2f}",
                f"{case.found.best.kind}: {at.ideal_z:.2f}{spread}",
                f"{ideal_z(case.signal, number):.2f}",
            ]
        )
    return rows


def _open_row(signal: Signal, found: Open) -> list[str]:
    cells = [signal.name, f"{signal.expected:g}", f"{ideal_z(signal):.2f}"]
    for z in (found.known, found.counted):
        cells += [f"{z.mean():.3f}", f"{z.std(ddof=1):.3f}"]
    return cells


def _checks(case: Case, found: Open) -> list[Check]:
    where, checks = f"{case.signal.name}, width {case.width:g}", []
    for i, (number, at) in enumerate(zip(case.numbers, case.found.at, strict=True)):
        assert at.expected_z is not None
        reach = ERRORS * _error(case, i)
        z, what = at.sampled.median_z, f"{where}, N_S = {number:.3g}: median Z"
        low, high = at.expected_z - reach, at.expected_z + reach
        checks.append(Check(what, z, _error(case, i), low, high, f"{at.expected_z:.2f}, asymptotic"))
    exact, at = ideal_z(case.signal), case.found.at[-1]
    assert at.ideal_z is not None
    checks.append(
        Check(f"{where}: median Z at full size", z, _error(case, -1), 0, exact, f"at most {exact:.2f}, the best test's")
    )
    if case.found.known:
        open_by = ERRORS * float(found.known.std(ddof=1))
        low = exact - open_by
    else:
        open_by = ERRORS * float(found.counted.std(ddof=1))
        low = (1 - MISSED) * exact - open_by
    name = "known ratio" if case.found.known else "classifier"
    spread = at.ideal_spread or 0.0
    what = f"{case.signal.name}: {name}, best Z at full size"
    checks.append(Check(what, at.ideal_z, spread, low, exact + open_by, f"{exact:.2f}, exact"))
    return checks
