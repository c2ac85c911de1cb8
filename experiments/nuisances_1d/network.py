"""The network with nuisances: t at true nu far away beside t at nu = 0, at a clip that was tuned without nuisances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from experiments.experiment import Check
from experiments.nuisances_1d.points import campaign_at
from nplm import GaussianConstraint, NetworkModel, NPLMTest, Nuisances, run_campaign
from nplm.ensemble.table import ToyTable
from nplm.report.markdown import markdown_table
from toys import exponential
from toys.exponential_nuisances import NUISANCES, exact_ratio

# Chance that a right program fails the comparison of a point.
REJECTS = 1e-3


@dataclass(frozen=True, eq=False)
class NetworkPoint:
    """Toys of the network at a true nu, in units of sigma."""

    shift: tuple[float, float]
    toys: ToyTable


def network_points(config: dict[str, Any], work: Path) -> list[NetworkPoint]:
    """Toys at each point, nu = 0 first; a second run goes on where the first ended."""
    settings = config["network"]
    reference = exponential.draw_reference(np.random.default_rng(1), config["n_reference"])
    nuisances = Nuisances(exact_ratio(), GaussianConstraint(NUISANCES, settings["sigma"]))
    model = NetworkModel(hidden=(4,), clip=settings["clip"])
    test = NPLMTest(reference, model, standardize=False, nuisances=nuisances)
    found = []
    for number, (scale, norm) in enumerate(settings["shifts"]):
        campaign = campaign_at(test, nuisances, settings["sigma"] * np.array([scale, norm]), 2000 + number)
        store = work / f"network-{scale:+g}-{norm:+g}"
        found.append(NetworkPoint((scale, norm), run_campaign(campaign, settings["toys"], store=store)))
    return found


def network_table(points: list[NetworkPoint]) -> str:
    """A row for each point."""
    head = [
        "nu*/sigma",
        "toys",
        "mean t",
        "sd",
        "mean tau",
        "mean Delta",
        "KS p: t as at 0",
        "KS p: tau",
        "s a toy",
    ]
    return markdown_table(head, [_row(point, points[0]) for point in points])


def _row(point: NetworkPoint, at_zero: NetworkPoint) -> list[str]:
    toys = point.toys
    tau = _tau(toys)
    return [
        f"({point.shift[0]:+g}, {point.shift[1]:+g})",
        str(len(toys)),
        f"{toys.t.mean():.2f} +- {toys.t.std(ddof=1) / np.sqrt(len(toys)):.2f}",
        f"{toys.t.std(ddof=1):.2f}",
        f"{tau.mean():.1f}",
        f"{(tau - toys.t).mean():.1f}",
        *(f"{ks_2samp(values, at_zero.toys.t).pvalue:.2g}" if point is not at_zero else "" for values in (toys.t, tau)),
        f"{toys.seconds.mean():.1f}",
    ]


def network_checks(points: list[NetworkPoint]) -> list[Check]:
    """t has the distribution that it has at nu = 0; tau must not."""
    checks = []
    at_zero, *others = points
    accepted = f"accepted by a test of size {REJECTS}"
    for point in others:
        name = f"network, nu* = ({point.shift[0]:+g}, {point.shift[1]:+g}) sigma"
        same, of_tau = (float(ks_2samp(v, at_zero.toys.t).pvalue) for v in (point.toys.t, _tau(point.toys)))
        checks.append(Check(f"{name}: t as at nu = 0", same, 0.0, REJECTS, 1.0, accepted))
        checks.append(Check(f"{name}: tau alone", of_tau, 0.0, 0.0, REJECTS, "must fail: below 0.001"))
    return checks


def _tau(toys: ToyTable) -> np.ndarray:
    assert toys.delta is not None
    return toys.t + toys.delta
