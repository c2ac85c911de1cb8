"""The imperfect reference of set-up A: t = tau - Delta at true nu up to two sigma away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest, kstest

from experiments.experiment import Check, read_config
from experiments.nuisances_1d.learned import learned_ratio
from experiments.nuisances_1d.points import DELTA, DELTA_ERROR, PUBLISHED, campaign_at
from experiments.nuisances_1d.sensitivity import sensitivities, sensitivity_checks, sensitivity_table
from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample
from nplm.learning import LearnedLogRatio
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance import LogRatio
from nplm.plot import style
from nplm.toys import run_campaign
from nplm.toys.table import ToyTable
from nplm.wording.markdown import markdown_table
from toys import exponential
from toys.exponential_nuisances import NUISANCES, exact_ratio

# Chance that a right program fails one of the tests of a point.
REJECTS = 1e-3


@dataclass(frozen=True, eq=False)
class Point:
    """Toys at a true nu.

    Arguments:
        learned: whether the log-ratios were learned, or are exact.
        sigma: of both constraints.
        shift: nu* in units of sigma.
        toys: with tau, Delta, t and nu.
        p_values: of t, from the asymptotic null at the nu that Delta found.
        frozen: of t, from the asymptotic null at nu = 0.
        of_tau: of tau, from the asymptotic null at nu = 0.
        asymptotic_mean: mean of the asymptotic null at nu*.
        milliseconds: CPU time to draw and fit a toy.
    """

    learned: bool
    sigma: float
    shift: tuple[float, float]
    toys: ToyTable
    p_values: np.ndarray
    frozen: np.ndarray
    of_tau: np.ndarray
    asymptotic_mean: float
    milliseconds: float

    @property
    def name(self) -> str:
        """The truth in words."""
        learned = "learned, " if self.learned else ""
        return f"{learned}sigma {self.sigma:g}, nu* = ({self.shift[0]:+g}, {self.shift[1]:+g}) sigma"


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs the toys of all points.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("nuisances_1d", short)
    reference = exponential.draw_reference(np.random.default_rng(1), config["n_reference"])
    points = [
        point
        for sigma in config["sigmas"]
        for point in _points(reference, exact_ratio(), sigma, config["shifts"], config["kernel"])
    ]
    learned = config["learned"]
    ratio = learned_ratio(reference, learned["sigma"], learned["varied_events"], work)
    points += _points(reference, ratio, learned["sigma"], learned["shifts"], config["kernel"])
    found = sensitivities(config)
    shutil.copy(style.save_figure(_draw(points), work / "p-values")[0], results)
    text = "\n\n".join(
        [
            f"Kernels of width {config['kernel']['width']:g}, {config['kernel']['centers']} centres,"
            f" {config['n_reference']:,} reference events; {config['kernel']['toys']} toys a point. Log-ratios are"
            f" exact, or learned from samples of {learned['varied_events']:,} events at +-1 and +-2 sigma. p is from"
            " the asymptotic null at the nu of Delta. The last columns are p-values of Kolmogorov and Smirnov where it"
            " is taken at nu = 0, and where tau is taken for t.",
            markdown_table(_HEAD, [_row(point) for point in points]),
            "![Distribution of the p-values](p-values.png)",
            f"What nuisances cost in sensitivity, {config['signal_toys']} toys each at nu* = 0: t of the kernel model"
            " beside the likelihood ratio of the known signal, nuisances profiled in both.",
            sensitivity_table(found),
        ]
    )
    return text, [*(check for point in points for check in _checks(point)), *sensitivity_checks(found)]


def _points(
    reference: Sample, ratio: LogRatio, sigma: float, shifts: Sequence[Sequence[float]], kernel: dict[str, Any]
) -> list[Point]:
    nuisances = Nuisances(ratio, GaussianConstraint(NUISANCES, sigma))
    model = KernelModel(width=kernel["width"], centers=kernel["centers"], reference_exact=True)
    test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    prepared = test.prepared
    zero = prepared.null_at(np.zeros(2))
    found = []
    for number, (scale, norm) in enumerate(shifts):
        nu = sigma * np.array([scale, norm], dtype=float)
        campaign = campaign_at(test, nuisances, nu, 1000 + number)
        run_campaign(campaign, range(min(kernel["toys"], prepared.batch_size)))  # compiles
        began = time.process_time()
        toys = run_campaign(campaign, kernel["toys"])
        milliseconds = 1e3 * (time.process_time() - began) / len(toys)
        assert toys.delta is not None
        assert toys.nu_delta is not None
        p = [prepared.null_at(there).pvalue(t) for there, t in zip(toys.nu_delta, toys.t, strict=True)]
        frozen, of_tau = (np.array([zero.pvalue(t) for t in values]) for values in (toys.t, toys.t + toys.delta))
        asymptotic_mean = prepared.null_at(nu).mean
        learned = isinstance(ratio, LearnedLogRatio)
        found.append(
            Point(learned, sigma, (scale, norm), toys, np.array(p), frozen, of_tau, asymptotic_mean, milliseconds)
        )
    return found


_HEAD = ["log-ratios", "sigma", "nu*/sigma", "mean t", "null at nu*", "sd", "mean tau", "mean Delta", "p < 5%"]
_HEAD += ["p < 1%", "KS p", "KS p, null at 0", "KS p, tau", "CPU ms a toy"]


def _row(point: Point) -> list[str]:
    toys = point.toys
    assert toys.delta is not None
    count = len(toys)
    return [
        "learned" if point.learned else "exact",
        f"{point.sigma:g}",
        f"({point.shift[0]:+g}, {point.shift[1]:+g})",
        f"{toys.t.mean():.2f} +- {toys.t.std() / np.sqrt(count):.2f}",
        f"{point.asymptotic_mean:.2f}",
        f"{toys.t.std():.2f}",
        f"{(toys.t + toys.delta).mean():.2f}",
        f"{toys.delta.mean():.2f} +- {toys.delta.std() / np.sqrt(count):.2f}",
        *(f"{100 * np.mean(point.p_values < size):.1f}%" for size in (0.05, 0.01)),
        *(f"{kstest(p, 'uniform').pvalue:.2g}" for p in (point.p_values, point.frozen, point.of_tau)),
        f"{point.milliseconds:.2f}",
    ]


def _checks(point: Point) -> list[Check]:
    accepted = f"accepted by a test of size {REJECTS}"
    uniform = float(kstest(point.p_values, "uniform").pvalue)
    checks = [Check(f"{point.name}: uniform p-values", uniform, 0.0, REJECTS, 1.0, accepted)]
    for size in (0.05, 0.01):
        fired = int(np.sum(point.p_values < size))
        p = float(binomtest(fired, len(point.p_values), size).pvalue)
        checks.append(Check(f"{point.name}: fires at {100 * size:g}%: p", p, 0.0, REJECTS, 1.0, accepted))
    largest = max(abs(shift) for shift in point.shift)
    if largest == 2:
        of_tau = float(kstest(point.of_tau, "uniform").pvalue)
        checks.append(Check(f"{point.name}: tau alone", of_tau, 0.0, 0.0, REJECTS, "must fail: below 0.001"))
    if abs(point.shift[0]) == 2 and point.sigma == 0.15:
        frozen = float(kstest(point.frozen, "uniform").pvalue)
        checks.append(Check(f"{point.name}: null of nu = 0", frozen, 0.0, 0.0, REJECTS, "must fail: below 0.001"))
    if point.shift == (0, 1) and point.sigma == 0.15:
        assert point.toys.delta is not None
        delta = point.toys.delta
        error = float(delta.std() / np.sqrt(len(delta)))
        reach = 3 * float(np.hypot(error, DELTA_ERROR))
        what = f"{point.name}: mean Delta"
        checks.append(Check(what, float(delta.mean()), error, DELTA - reach, DELTA + reach, PUBLISHED))
    return checks


def _draw(points: Sequence[Point]) -> Figure:
    """Quantiles of the p-values of every point, less those of a uniform distribution."""
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.125, 0.12, 0.845, 0.85))
        count = len(points[0].p_values)
        uniform = (np.arange(count) + 0.5) / count
        band = 2 * np.sqrt(uniform * (1 - uniform) / count)
        axes.fill_between(uniform, -band, band, color="0.85", linewidth=0, label="2 standard deviations")
        for number, point in enumerate(points):
            label = "p at the nu of Delta, each point" if number == 0 else None
            axes.plot(
                uniform, np.sort(point.p_values) - uniform, color=style.REFERENCE, linewidth=0.7, alpha=0.7, label=label
            )
        extreme = [
            point for point in points if abs(point.shift[0]) == 2 and point.sigma == max(p.sigma for p in points)
        ]
        for number, point in enumerate(extreme):
            label = "null of nu = 0, scale 2 sigma away" if number == 0 else None
            axes.plot(uniform, np.sort(point.frozen) - uniform, color=style.REWEIGHTED, linewidth=1, label=label)
        axes.set_xlabel("quantile of a uniform distribution")
        axes.set_ylabel("p-value of the toys minus uniform")
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.26, 0.3)
        axes.legend(loc="upper left")
        return figure
