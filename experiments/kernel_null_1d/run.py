"""The null of the kernel model on set-up A: the asymptotic one beside published toys and ours, at nine widths."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import kstest

from experiments.experiment import Check, read_config
from nplm import KernelModel, NPLMTest, Sample
from nplm.models.kernel.fit import Solver
from nplm.plot import style
from nplm.stats import WeightedChi2Null
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.toys import Campaign, PoolSampler, run_campaign
from nplm.toys.problem import ProblemReference
from nplm.toys.samplers import generator
from nplm.wording.markdown import markdown_table

# Mean and sd of t of 4000 toys, each with a reference and centres of its own; the error of the mean is sd/63.
PUBLISHED = {0.01: (294.9, 23.3), 0.7: (13.44, 4.94), 2.3: (6.09, 3.32)}
PROBLEM, EXPECTED = "toys.exponential", 2000.0
# Of our own toys, and chance that a right program fails one of the tests.
MEAN_TOLERANCE, SD_TOLERANCE, ERRORS = 0.03, 0.05, 3.0


@dataclass(frozen=True)
class AtWidth:
    """Toys of one reference beside the asymptotic null of the same."""

    width: float
    modes: int
    asymptotic: WeightedChi2Null
    t: np.ndarray
    summary: EnsembleSummary
    milliseconds: float

    @property
    def kolmogorov(self) -> float:
        """P-value of the toys against the null."""
        return float(kstest(self.asymptotic.pvalues(self.t), "uniform").pvalue)


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Averages the asymptotic null over references and centres, and compares one of each with toys.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("kernel_null_1d", short)
    averages = {width: _average(config, width, number) for width, number in config["draws"].items()}
    steps = {width: _step(config, width) for width in averages}
    found = [_toys(config, width, number) for width, number in config["toys"].items()]
    shutil.copy(style.save_figure(_draw(found), work / "kernel-null")[0], results)
    text = "\n\n".join(
        [
            "The asymptotic null, averaged over references and centres, beside 4000 published toys that had a reference"
            " and centres of their own each. Those took one Newton step on the cross-entropy, and the asymptotic null"
            f" is that of the maximum: in {config['step_toys']} toys, each fitted both ways, the step's t differs as"
            " shown. This is added to the asymptotic null before it is compared.",
            markdown_table(
                ["width", "draws", "mean t", "step - maximum", "published mean", "sd of t", "published"],
                [
                    [
                        f"{width:g}",
                        str(len(moments)),
                        _measured(moments[:, 0]),
                        _measured(steps[width]),
                        f"{PUBLISHED[width][0]} +- {PUBLISHED[width][1] / 63:.2f}",
                        _measured(moments[:, 1]),
                        f"{PUBLISHED[width][1]}",
                    ]
                    for width, moments in averages.items()
                ],
            ),
            "Toys drawn from one reference, fitted in full, beside the asymptotic null of that reference and its"
            " centres (no parameter is fitted). The last columns are p-values of Kolmogorov and Smirnov, and of all"
            " tests of bulk, tails and width together: of the asymptotic null, and of the asymptotic null with its"
            " scale fitted to the toys, which is what --calibrate asymptotic+toys falls back to.",
            markdown_table(_HEAD, [_row(at) for at in found]),
            "![Mean and standard deviation of t against the width](kernel-null.png)",
        ]
    )
    return text, [*(_published(width, moments, steps[width]) for width, moments in averages.items()), *_checks(found)]


def _test(config: dict[str, Any], width: float, seed: int, solver: Solver = "ml") -> NPLMTest:
    draw = ProblemReference(PROBLEM, config["n_reference"], EXPECTED)
    reference: Sample = draw(generator(jax.random.key(seed)))
    settings = {name: config[name] for name in ("centers", "penalty")}
    model = KernelModel(width=width, solver=solver, seed=seed, reference_exact=True, **settings)
    return NPLMTest(reference, model, coordinates="raw")


def _average(config: dict[str, Any], width: float, draws: int) -> np.ndarray:
    """Mean and sd of the asymptotic null for references and centres drawn anew, shape (draws, 2)."""
    moments = [_test(config, width, seed).asymptotic_null() for seed in range(1, draws + 1)]
    return np.array([(asymptotic.mean, asymptotic.sd) for asymptotic in moments])


def _step(config: dict[str, Any], width: float) -> np.ndarray:
    """t of one Newton step less t of the maximum, of the same toys, shape (toys,)."""
    maximum, step = (_test(config, width, 1, solver) for solver in ("ml", "falkon-step"))
    campaign = Campaign(maximum, PoolSampler(maximum.reference, EXPECTED))
    toys = [campaign.draw(i) for i in range(config["step_toys"])]
    return step.fit(toys).t - maximum.fit(toys).t


def _toys(config: dict[str, Any], width: float, toys: int) -> AtWidth:
    test = _test(config, width, 1)
    campaign = Campaign(test, PoolSampler(test.reference, EXPECTED))
    run_campaign(campaign, range(min(toys, test.prepared.batch_size)))  # compiles
    began = time.process_time()
    table = run_campaign(campaign, range(toys))
    milliseconds = 1e3 * (time.process_time() - began) / toys
    asymptotic = test.asymptotic_null(fixed_reference=True)
    assert isinstance(asymptotic, WeightedChi2Null)
    return AtWidth(
        width, test.prepared.parameters, asymptotic, table.t, summarize_toys(table.t, asymptotic), milliseconds
    )


_HEAD = [
    "width",
    "modes",
    "toys",
    "mean t",
    "asymptotic",
    "sd",
    "asymptotic",
    "KS p",
    "all tests p",
    "scaled p",
    "CPU ms a toy",
]


def _row(at: AtWidth) -> list[str]:
    given, fitted = at.summary.given, at.summary.fitted
    assert given is not None
    assert fitted is not None
    return [
        f"{at.width:g}",
        str(at.modes),
        f"{len(at.t):,}",
        f"{at.t.mean():.2f} +- {at.summary.mean_error:.2f}",
        f"{at.asymptotic.mean:.2f}",
        f"{at.t.std(ddof=1):.2f}",
        f"{at.asymptotic.sd:.2f}",
        f"{at.kolmogorov:.2g}",
        f"{given.p_value:.2g}",
        f"{fitted.p_value:.2g}",
        f"{at.milliseconds:.2f}",
    ]


def _measured(values: np.ndarray) -> str:
    return f"{values.mean():.2f} +- {_error(values):.2f}"


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _published(width: float, moments: np.ndarray, step: np.ndarray) -> Check:
    mean, sd = PUBLISHED[width]
    ours, error = float(moments[:, 0].mean() + step.mean()), float(np.hypot(_error(moments[:, 0]), _error(step)))
    reach = ERRORS * float(np.hypot(error, sd / 63))
    what = f"width {width:g}: mean of the asymptotic null, for one step"
    return Check(what, ours, error, mean - reach, mean + reach, f"{mean} +- {sd / 63:.2f}, 4000 toys")


def _checks(found: list[AtWidth]) -> list[Check]:
    """Mean and sd of toys in units of the asymptotic null's; the errors of so many toys are added to the tolerance."""
    checks = []
    for at in found:
        n = len(at.t)
        errors = {
            "mean": at.asymptotic.sd / at.asymptotic.mean / np.sqrt(n),
            "sd": np.sqrt((2 + 12 / at.asymptotic.mean) / (4 * n)),
        }
        ratios = {"mean": at.t.mean() / at.asymptotic.mean, "sd": at.t.std(ddof=1) / at.asymptotic.sd}
        for name, tolerance in (("mean", MEAN_TOLERANCE), ("sd", SD_TOLERANCE)):
            reach = tolerance + 2 * float(errors[name])
            what = f"width {at.width:g}: {name} of toys / asymptotic null"
            checks.append(Check(what, float(ratios[name]), float(errors[name]), 1 - reach, 1 + reach, "1"))
    return checks


def _draw(found: list[AtWidth]) -> Figure:
    """Mean and sd of toys and asymptotic null against the width, and their ratios."""
    widths = np.array([at.width for at in found])
    with style.house_style():
        figure = style.new_figure(height=5.4)
        upper = figure.add_axes((0.125, 0.40, 0.845, 0.57))
        lower = figure.add_axes((0.125, 0.095, 0.845, 0.27), sharex=upper)
        curves = (("mean", style.REFERENCE, 1.0), ("sd", style.REWEIGHTED, 1.03))
        for name, color, shift in curves:
            asymptotic = np.array([getattr(at.asymptotic, name) for at in found])
            toys = np.array([at.t.mean() if name == "mean" else at.t.std(ddof=1) for at in found])
            n = np.array([len(at.t) for at in found])
            means, sds = (np.array([getattr(at.asymptotic, moment) for at in found]) for moment in ("mean", "sd"))
            error = sds / np.sqrt(n) if name == "mean" else sds * np.sqrt((2 + 12 / means) / (4 * n))
            label = {"mean": "mean", "sd": "standard deviation"}[name]
            upper.plot(widths, asymptotic, color=color, label=f"{label}, asymptotic null")
            upper.plot(shift * widths, toys, "o", color=color, label=f"{label}, toys")
            lower.errorbar(shift * widths, toys / asymptotic, error / asymptotic, fmt="o", color=color)
        lower.axhline(1, color=style.DATA, linestyle="--", linewidth=1)
        upper.set_xscale("log")
        upper.set_yscale("log")
        upper.set_ylabel("t of the null")
        upper.tick_params(labelbottom=False)
        lower.set_ylabel("toys / asymptotic null")
        lower.set_xlabel("width of the kernels")
        upper.legend()
        figure.align_ylabels([upper, lower])
    return figure
