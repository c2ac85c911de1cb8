"""The null of the kernel model to five sigma: the asymptotic one beside counted toys and beside weighted ones."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from experiments.benchmarks.measure import measured
from experiments.experiment import Check, read_config
from experiments.kernel_deep_null.picture import Ratio, draw
from nplm import KernelModel, NPLMTest, Sample
from nplm.calibration import importance_null
from nplm.models.kernel.fit import PreparedKernel
from nplm.plot import style
from nplm.stats import ImportanceNull, WeightedChi2Null
from nplm.toys import Campaign, PoolSampler, run_campaign
from nplm.wording.markdown import markdown_table
from toys.exponential import draw_reference

# Standard errors within which counted and weighted toys must agree, and within which mean weights must be 1.
AGREEING, MEAN_WEIGHT = 3.0, 4.0
# Of p at five sigma: relative error, fitted toys, and CPU seconds, those of two minutes on two cores.
LARGEST_ERROR, MOST_TOYS, MOST_SECONDS = 0.15, 5000, 240.0
# By how much counted toys may differ from the asymptotic null, besides their errors, down to this depth.
ASYMPTOTIC_TOLERANCE, ASYMPTOTIC_DEPTH = 0.15, 3.0


@dataclass(frozen=True)
class Problem:
    """A test of one reference, with the null of toys that are drawn from it."""

    name: str
    test: NPLMTest
    asymptotic: WeightedChi2Null
    expected: float


@dataclass(frozen=True)
class Counted:
    """Toys beyond a depth: how many of how many, and p with its error."""

    problem: Problem
    z: float
    exceeding: int
    toys: int

    @property
    def p(self) -> float:
        """The share of the toys."""
        return self.exceeding / self.toys

    @property
    def error(self) -> float:
        """Its binomial error."""
        return float(np.sqrt(self.p * (1 - self.p) / self.toys))

    @property
    def pull(self) -> float:
        """Difference to the asymptotic null, in the standard errors that so many toys have by it."""
        expected = _p(self.z)
        return (self.p - expected) / float(np.sqrt(expected * (1 - expected) / self.toys))


@dataclass(frozen=True)
class Weighted:
    """Weighted toys that were drawn for a depth, and what they cost."""

    problem: Problem
    z: float
    null: ImportanceNull
    cpu: float
    wall: float

    @property
    def p(self) -> float:
        """The p-value."""
        return self.null.pvalue(self.problem.asymptotic.threshold_of_z(self.z))

    @property
    def error(self) -> float:
        """Its standard error."""
        return self.null.error(self.problem.asymptotic.threshold_of_z(self.z))


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Counts toys, which are kept for a second run, and draws weighted ones.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("kernel_deep_null", short)
    counted: list[Counted] = []
    weighted: list[Weighted] = []
    load = os.getloadavg()[0]
    costs = []
    for name, settings in config["problems"].items():
        with measured() as cost:
            problem = _problem(name, settings, config["penalty"])
        modes = problem.test.prepared.parameters
        costs.append([name, str(modes), f"{cost.cpu:.0f}", f"{cost.wall:.0f}"])
        if name in config["counted"]:
            t = _counted_toys(problem, config["counted"][name], work / name.replace(", width ", "-"))
            counted += [
                Counted(problem, z, int((t >= problem.asymptotic.threshold_of_z(z)).sum()), len(t))
                for z in config["depths"]
            ]
        weighted += [_weighted(problem, z, toys) for z, toys in config["weighted"].get(name, {}).items()]
    ratios = [
        Ratio(at.problem.name, at.z, True, at.p / _p(at.z), at.error / _p(at.z)) for at in counted if at.exceeding
    ]
    ratios += [Ratio(at.problem.name, at.z, False, at.p / _p(at.z), at.error / _p(at.z)) for at in weighted]
    shutil.copy(style.save_figure(draw(ratios), work / "deep-null")[0], results)
    text = "\n\n".join(
        [
            "Toys drawn from one reference and fitted, that reach what is 2, 3 and 4 sigma by the asymptotic null of"
            " toys from that reference. The pull is the difference in the standard errors of so many toys.",
            markdown_table(_COUNTED_HEAD, [_counted_row(at) for at in counted]),
            "Weighted toys, drawn anew for each depth. The pull is that against the counted toys of the same depth.",
            markdown_table(_WEIGHTED_HEAD, [_weighted_row(at, counted) for at in weighted]),
            f"CPU and wall seconds include compilation; the load of the two cores was {load:.1f} at the start, so that"
            " seconds on the clock are more than on a free machine. Preparation, once for all of these:",
            markdown_table(["problem", "modes", "CPU s", "wall s"], costs),
            "![p of toys over that of the asymptotic null, against the depth](deep-null.png)",
        ]
    )
    return text, _checks(counted, weighted)


def _problem(name: str, settings: dict[str, Any], penalty: float) -> Problem:
    n, expected, dimension = settings["n_reference"], settings["expected"], settings["dimension"]
    rng = np.random.default_rng(1)
    if dimension == 1:
        reference = draw_reference(rng, n, expected)
    else:
        reference = Sample(rng.normal(size=(n, dimension)), np.full(n, expected / n), name="reference")
    model = KernelModel(width=settings["width"], centers=settings["centers"], penalty=penalty, reference_exact=True)
    test = NPLMTest(reference, model, coordinates="raw")
    asymptotic = test.asymptotic_null(fixed_reference=True)
    assert isinstance(asymptotic, WeightedChi2Null)
    return Problem(name, test, asymptotic, expected)


def _counted_toys(problem: Problem, toys: int, folder: Path) -> np.ndarray:
    """t of null toys; a fit that failed or did not converge counts as infinite."""
    campaign = Campaign(problem.test, PoolSampler(problem.test.reference, problem.expected), seed=301)
    print(f"{folder}: {toys} toys", flush=True)
    table = run_campaign(campaign, toys, store=folder)
    t = np.where(table.converged & np.isfinite(table.t), table.t, np.inf)
    return np.asarray(t[table.index < toys])


def _weighted(problem: Problem, z: float, toys: int) -> Weighted:
    prepared = problem.test.prepared
    assert isinstance(prepared, PreparedKernel)
    print(f"{problem.name}: {toys} weighted toys at {z:g} sigma", flush=True)
    t = problem.asymptotic.threshold_of_z(z)
    with measured() as cost:
        null = importance_null(prepared, problem.test.reference, t, toys, asymptotic=problem.asymptotic)
    return Weighted(problem, z, null, cost.cpu, cost.wall)


def _p(z: float) -> float:
    return float(norm.sf(z))


_COUNTED_HEAD = [
    "problem",
    "Z",
    "t",
    "p, asymptotic null",
    "toys",
    "beyond",
    "p, counted",
    "counted / asymptotic null",
    "pull",
]


def _counted_row(at: Counted) -> list[str]:
    return [
        at.problem.name,
        f"{at.z:g}",
        f"{at.problem.asymptotic.threshold_of_z(at.z):.2f}",
        f"{_p(at.z):.3g}",
        f"{at.toys:,}",
        f"{at.exceeding:,}",
        f"{at.p:.3g} +- {at.error:.2g}",
        f"{at.p / _p(at.z):.3f} +- {at.error / _p(at.z):.3f}",
        f"{at.pull:+.1f}",
    ]


_WEIGHTED_HEAD = [
    "problem",
    "Z",
    "weighted toys",
    "p",
    "weighted / asymptotic null",
    "pull",
    "effective beyond",
    "mean weight",
]
_WEIGHTED_HEAD += ["failed", "CPU s", "wall s"]


def _weighted_row(at: Weighted, counted: list[Counted]) -> list[str]:
    mean, error = at.null.mean_weight
    same = _same(at, counted)
    return [
        at.problem.name,
        f"{at.z:g}",
        f"{len(at.null.t):,}",
        f"{at.p:.3g} +- {100 * at.error / at.p:.1f}%",
        f"{at.p / _p(at.z):.3f} +- {at.error / _p(at.z):.3f}",
        "" if same is None else f"{_pull(at, same):+.1f}",
        f"{at.null.effective(at.problem.asymptotic.threshold_of_z(at.z)):.0f}",
        f"{mean:.3f} +- {error:.3f}",
        str(at.null.failed),
        f"{at.cpu:.0f}",
        f"{at.wall:.0f}",
    ]


def _same(at: Weighted, counted: list[Counted]) -> Counted | None:
    """The counted toys of the same problem and depth."""
    return next((c for c in counted if c.problem is at.problem and c.z == at.z and c.exceeding), None)


def _pull(at: Weighted, same: Counted) -> float:
    return (at.p - same.p) / float(np.hypot(at.error, same.error))


def _checks(counted: list[Counted], weighted: list[Weighted]) -> list[Check]:
    checks = []
    for count in counted:
        if count.z <= ASYMPTOTIC_DEPTH:
            error = count.error / _p(count.z)
            reach = ASYMPTOTIC_TOLERANCE + AGREEING * error
            what = f"{count.problem.name}, {count.z:g} sigma: counted toys / asymptotic null"
            checks.append(Check(what, count.p / _p(count.z), error, 1 - reach, 1 + reach, "1"))
    for at in weighted:
        what = f"{at.problem.name}, {at.z:g} sigma"
        same = _same(at, counted)
        if same is not None:
            pull = _pull(at, same)
            checks.append(Check(f"{what}: pull of weighted and counted toys", pull, 1.0, -AGREEING, AGREEING, "0 +- 1"))
        mean, error = at.null.mean_weight
        reach = MEAN_WEIGHT * error
        checks.append(Check(f"{what}: mean weight of weighted toys", mean, error, 1 - reach, 1 + reach, "1"))
        if at.z >= 5 and len(at.null.t) <= MOST_TOYS:
            toys = f"{len(at.null.t):,} weighted toys"
            relative = at.error / at.p
            checks += [
                Check(f"{what}: relative error of p from {toys}", relative, 0.0, 0.0, LARGEST_ERROR, "at most 15%"),
                Check(f"{what}: CPU seconds of {toys}", at.cpu, 0.0, 0.0, MOST_SECONDS, "two minutes of two cores"),
            ]
    return checks
