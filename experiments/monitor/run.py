"""The monitor: time a window, false alarms, and windows until a scale that is 5% off is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.measure import measured
from experiments.experiment import Check, read_config
from experiments.monitor.sizes import sizes
from nplm import KernelModel, Monitor, Sample
from nplm.models.kernel.fit import PreparedKernel
from nplm.monitor import ControlLimits, pvalue_distribution
from nplm.monitor.charts import false_alarm_rate
from nplm.monitor.family_shape import FamilyShape
from nplm.wording.markdown import markdown_table

# Standard errors within which counts must agree with what is stated.
AGREEING = 3.0
_HEAD = [
    "problem",
    "modes",
    "prepare, CPU s",
    "CPU ms a window",
    "wall ms, median",
    "p <= 5%",
    "drift alarms",
    "stated",
]
_DELAY_HEAD = ["problem", "mean Z", "by single windows", "with the drift chart", "by its run length", "runs"]


@dataclass(frozen=True)
class Quiet:
    """Windows without a difference."""

    name: str
    modes: int
    prepare: float
    cpu: float
    wall: float
    p: np.ndarray
    z: np.ndarray
    low: float
    high: float
    effective: float
    drifts: int
    stated: float
    dof: float


@dataclass(frozen=True)
class Delay:
    """Windows until the first alarm, with a difference."""

    name: str
    z: float
    single: np.ndarray
    both: np.ndarray
    expected: float


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Tests windows of both problems.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("monitor", short)
    load = os.getloadavg()[0]
    quiet, delays, checks = [], [], []
    for name, settings in config["problems"].items():
        reference = next(_draws(settings, settings["reference"], 1.0, 1))
        quiet.append(_quiet(name, settings, config, Sample(reference, name="reference")))
        delays.append(_delay(name, settings, config, Sample(reference, name="reference")))
        checks += _checks(quiet[-1], delays[-1], settings, config)
    sized, size_checks = sizes(config["sizes"])
    text = "\n\n".join(
        [
            "Windows that agree with the reference. CPU and wall time are those of the tests alone, after preparation;"
            f" the load of the machine was {load:.1f} at the start.",
            markdown_table(_HEAD, [_quiet_row(q) for q in quiet]),
            f"Windows whose first feature has a scale of {config['scale']:g}: mean number of windows until an alarm,"
            f" with {config['delay_alpha']:g} false alarms a window in either case.",
            markdown_table(_DELAY_HEAD, [_delay_row(d) for d in delays]),
            sized,
        ]
    )
    return text, checks + size_checks


def _draws(settings: dict[str, Any], events: int, scale: float, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    while True:
        if settings["dimension"] == 1:
            x = rng.exponential(size=(events, 1))
        else:
            x = rng.normal(size=(events, settings["dimension"]))
        x[:, 0] *= scale
        yield x


def _monitor(reference: Sample, settings: dict[str, Any], limits: ControlLimits) -> Monitor:
    model = None if settings["model"] == "family" else KernelModel(reference_exact=settings["model"] == "exact kernel")
    return Monitor(reference, model, window=settings["window"], limits=limits)


def _modes(monitor: Monitor, settings: dict[str, Any]) -> int:
    """Of the kernel, or of all parts of the family."""
    if isinstance(monitor.shape, FamilyShape):
        return sum(part.modes for part in monitor.shape.null(settings["window"]).family.parts)
    prepared = monitor.shape.test.prepared
    assert isinstance(prepared, PreparedKernel)
    return prepared.modes.count


def _quiet(name: str, settings: dict[str, Any], config: dict[str, Any], reference: Sample) -> Quiet:
    with measured() as cost:
        monitor = _monitor(reference, settings, ControlLimits(2 * config["drift_alpha"]))
    seconds, verdicts = [], []
    for events, _ in zip(_draws(settings, settings["window"], 1.0, 2), range(settings["windows"]), strict=False):
        began = time.process_time()
        verdicts += list(monitor.watch([events]))
        seconds.append(time.process_time() - began)
    p = np.array([v.p_shape for v in verdicts], dtype=float)
    z = np.array([v.z_shape for v in verdicts], dtype=float)
    shared = monitor.shape.shared_fluctuation(settings["window"])
    low, high = ControlLimits(config["alpha"], drift=False).alarm_range(1, shared)
    limit = monitor.drift_limit("shape", settings["window"])
    verdict = verdicts[-1]
    assert verdict.t_mean is not None
    assert verdict.t_sd is not None
    return Quiet(
        name,
        _modes(monitor, settings),
        cost.cpu,
        1e3 * float(np.median(seconds)),
        1e3 * float(np.median([v.seconds for v in verdicts])),
        p,
        z,
        low,
        high,
        # 90% of references lie between low and high: 1.64 deviations on each side.
        (high - low) / (2 * 1.645),
        sum("shape drift" in v.alarms for v in verdicts),
        false_alarm_rate(limit, 0.5, shared) * settings["windows"],
        2 * (verdict.t_mean / verdict.t_sd) ** 2,
    )


def _delay(name: str, settings: dict[str, Any], config: dict[str, Any], reference: Sample) -> Delay:
    """Each window of a run is tested once; single windows and the drift chart are then looked at apart."""
    monitor = _monitor(reference, settings, ControlLimits(config["delay_alpha"]))
    alone = ControlLimits(config["delay_alpha"], drift=False).of_chart(1)
    shared = monitor.limits.of_chart(1)
    limit = monitor.drift_limit("shape", settings["window"])
    draws = _draws(settings, settings["window"], config["scale"], 3)
    single, both, z = [], [], []
    for _ in range(settings["runs"]):
        first: dict[str, int] = {}
        total = 0.0
        for number in range(1, settings["longest"] + 1):
            (verdict,) = monitor.watch([next(draws)])
            assert verdict.p_shape is not None
            assert verdict.z_shape is not None
            z.append(verdict.z_shape)
            total = max(0.0, total + verdict.z_shape - 0.5)
            if verdict.p_shape <= alone:
                first.setdefault("single", number)
            if verdict.p_shape <= shared or total >= limit:
                first.setdefault("both", number)
            if len(first) == 2:
                break
        single.append(first.get("single", settings["longest"]))
        both.append(first.get("both", settings["longest"]))
    shift = float(np.mean(z))
    expected = monitor.limits.delay(1, 1, monitor.shape.shared_fluctuation(settings["window"]), shift)
    return Delay(name, shift, np.array(single), np.array(both), expected)


def _quiet_row(q: Quiet) -> list[str]:
    return [
        q.name,
        str(q.modes),
        f"{q.prepare:.1f}",
        f"{q.cpu:.1f}",
        f"{q.wall:.1f}",
        f"{(q.p <= 0.05).mean():.3f} +- {_error(q):.3f}",
        str(q.drifts),
        f"{q.stated:.1f}",
    ]


def _error(q: Quiet) -> float:
    return float(np.sqrt(0.05 * 0.95 / len(q.p) + q.effective**2))


def _delay_row(d: Delay) -> list[str]:
    def mean(values: np.ndarray) -> str:
        return f"{values.mean():.1f} +- {values.std(ddof=1) / np.sqrt(len(values)):.1f}"

    return [d.name, f"{d.z:.2f}", mean(d.single), mean(d.both), f"{d.expected:.1f}", str(len(d.single))]


def _checks(q: Quiet, d: Delay, settings: dict[str, Any], config: dict[str, Any]) -> list[Check]:
    size, error = float((q.p <= config["alpha"]).mean()), _error(q)
    uniform = pvalue_distribution(q.p, q.dof)
    # A family counts somewhat more independent tests than it has: 2.5 to 5.8% at 5%, 4% on average, of 6 references.
    family = settings["model"] == "family"
    reach = AGREEING * float(np.sqrt(q.stated + (0.5 * q.stated) ** 2)) + 1
    return [
        Check(f"{q.name}: CPU ms a window, median", q.cpu, 0, 0, 1e3 * settings["target"], "the target of the monitor"),
        Check(
            f"{q.name}: windows with p <= {config['alpha']:g}",
            size,
            error,
            0 if family else config["alpha"] - AGREEING * error,
            config["alpha"] + AGREEING * error,
            f"{'at most the' if family else 'the'} stated; error: binomial, and that of one reference",
        ),
        Check(
            f"{q.name}: error factor of the p-values",
            uniform.error_factor,
            0,
            0.9 if family else 0.95,
            1.05,
            "1: uniform",
        ),
        Check(f"{q.name}: drift alarms", q.drifts, 0, 0, q.stated + reach, f"stated: {q.stated:.1f}"),
        Check(
            f"{q.name}: delay with the drift chart over that without",
            float(d.both.mean() / d.single.mean()),
            0,
            0,
            1.1,
            "at most 10% longer",
        ),
    ]
