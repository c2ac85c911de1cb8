"""The network with an imperfect reference: t at true nu far away beside t at nu = 0, at one clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2, hypergeom, ks_2samp, kstest

from experiments.experiment import Check, read_config
from experiments.nuisances_1d.learned import learned_ratio
from experiments.nuisances_1d.points import DELTA, DELTA_ERROR, PUBLISHED, campaign_at
from experiments.nuisances_network_1d.correlated import correlated_toys
from nplm import GaussianConstraint, NetworkModel, NPLMTest, Nuisances
from nplm.toys import run_campaign
from nplm.toys.table import ToyTable
from nplm.wording.markdown import markdown_table
from toys import exponential
from toys.exponential_nuisances import NUISANCES, exact_ratio

# Chance that a right program fails one of the tests of a point.
REJECTS = 1e-3
# Nominal size of the test whose threshold is taken from the toys at nu* = 0.
SIZE = 0.05
# The null that the clip was tuned to: as many degrees of freedom as a 1-4-1 network has parameters.
CHI2 = chi2(13)


@dataclass(frozen=True)
class Settings:
    """An ensemble of toys, see config.yaml."""

    sigma: float
    n_reference: int
    overflow: bool
    learned: bool
    toys: int
    shifts: Sequence[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Point:
    """Toys at a true nu, in units of sigma."""

    shift: tuple[float, float]
    toys: ToyTable

    @property
    def delta(self) -> np.ndarray:
        """Delta of each toy."""
        assert self.toys.delta is not None
        return self.toys.delta

    @property
    def tau(self) -> np.ndarray:
        """tau of each toy."""
        return self.toys.t + self.delta


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs the toys of all ensembles; a second run goes on where the first ended.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("nuisances_network_1d", short)
    texts, checks = [], []
    for name, given in config["ensembles"].items():
        settings = Settings(**{**given, "shifts": [tuple(shift) for shift in given["shifts"]]})
        points = _points(settings, config["clip"], config["varied_events"], work / name.replace(" ", "-"))
        texts += [f"## {name[0].upper()}{name[1:]}", _title(settings), _table(points)]
        checks += _checks(name, settings, points)
    alone, correlated = correlated_toys(config["correlated"], config["clip"], work / "correlated")
    texts += ["## Correlated normalizations", _correlated_text(config["correlated"], alone, correlated)]
    checks += _same("correlated normalizations", correlated.t, alone.t, "without uncertainties")
    return "\n\n".join(texts), checks


def _points(settings: Settings, clip: float, varied_events: int, work: Path) -> list[Point]:
    reference = exponential.draw_reference(np.random.default_rng(1), settings.n_reference)
    ratio = learned_ratio(reference, settings.sigma, varied_events, work) if settings.learned else exact_ratio()
    nuisances = Nuisances(ratio, GaussianConstraint(NUISANCES, settings.sigma))
    model = NetworkModel(hidden=(4,), clip=clip, reference_exact=True)
    test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances, overflow=settings.overflow)
    found = []
    for number, (scale, norm) in enumerate(settings.shifts):
        campaign = campaign_at(test, nuisances, settings.sigma * np.array([scale, norm]), 2000 + number)
        store = work / f"network-{scale:+g}-{norm:+g}"
        found.append(Point((scale, norm), run_campaign(campaign, settings.toys, store=store)))
    return found


def _correlated_text(config: dict[str, Any], alone: ToyTable, correlated: ToyTable) -> str:
    above = np.mean(correlated.t > np.quantile(alone.t, 1 - SIZE))
    return (
        f"Two normalizations of {config['sigma']:.1%}, measured with a correlation of {config['correlation']:g}, at"
        f" {config['expected_yield']:,} events; {config['n_reference']:,} reference events, {config['toys']} toys"
        f" each. Mean t without uncertainties {_mean(alone.t)}, with them {_mean(correlated.t)}; {above:.1%} of the"
        f" second are above the {1 - SIZE:.0%} point of the first (KS p {ks_2samp(alone.t, correlated.t).pvalue:.2g})."
    )


def _title(settings: Settings) -> str:
    return (
        f"sigma {settings.sigma:g}, {settings.n_reference:,} reference events,"
        f" {'learned' if settings.learned else 'exact'} log-ratios, events beyond the reference"
        f" {'taken to its edge' if settings.overflow else 'as they are'}."
    )


def _table(points: list[Point]) -> str:
    """A row for each point: its toys beside those at nu* = 0."""
    head = ["nu*/sigma", "toys", "mean t", "sd", "mean tau", "mean Delta", "KS p: t as at 0", "KS p: tau"]
    head += [f"above the {1 - SIZE:.0%} point at 0", "KS p: t, chi2(13)", f"above its {1 - SIZE:.0%} point", "s a toy"]
    return markdown_table(head, [_row(point, points[0]) for point in points])


def _row(point: Point, at_zero: Point) -> list[str]:
    toys = point.toys
    others = ["", "", ""]
    if point is not at_zero:
        others = [f"{ks_2samp(values, at_zero.toys.t).pvalue:.2g}" for values in (toys.t, point.tau)]
        others.append(f"{np.mean(toys.t > np.quantile(at_zero.toys.t, 1 - SIZE)):.1%}")
    return [
        f"({point.shift[0]:+g}, {point.shift[1]:+g})",
        str(len(toys)),
        _mean(toys.t),
        f"{toys.t.std(ddof=1):.2f}",
        _mean(point.tau),
        _mean(point.delta),
        *others,
        f"{kstest(toys.t, CHI2.cdf).pvalue:.2g}",
        f"{np.mean(toys.t > CHI2.isf(SIZE)):.1%}",
        f"{toys.seconds.mean():.1f}",
    ]


def _checks(name: str, settings: Settings, points: list[Point]) -> list[Check]:
    """t has the distribution that it has at nu = 0, its tail included; tau must not."""
    if not settings.overflow:
        return []  # shown for comparison: t does depend on nu
    checks = []
    at_zero, *others = points
    for point in others:
        what = f"{name}, nu* = ({point.shift[0]:+g}, {point.shift[1]:+g}) sigma"
        checks += _same(what, point.toys.t, at_zero.toys.t, "at nu = 0")
        checks.append(_fails(f"{what}: tau alone", point.tau, at_zero))
        if point.shift == (0, 1) and settings.sigma == 0.15:
            error = float(point.delta.std() / np.sqrt(len(point.delta)))
            reach = 3 * float(np.hypot(error, DELTA_ERROR))
            mean = float(point.delta.mean())
            checks.append(Check(f"{what}: mean Delta", mean, error, DELTA - reach, DELTA + reach, PUBLISHED))
    return checks


def _same(what: str, here: np.ndarray, there: np.ndarray, where: str) -> list[Check]:
    """Two ensembles of t that must have one distribution, its tail included."""
    accepted = f"accepted by a test of size {REJECTS}"
    p, tail = float(ks_2samp(here, there).pvalue), _tail_p_value(here, there)
    return [
        Check(f"{what}: t as {where}", p, 0.0, REJECTS, 1.0, accepted),
        Check(f"{what}: share in the last {SIZE:.0%}", tail, 0.0, REJECTS, 1.0, accepted),
    ]


def _fails(what: str, values: np.ndarray, at_zero: Point) -> Check:
    """A negative control: values that must not look like t at nu = 0."""
    p = float(ks_2samp(values, at_zero.toys.t).pvalue)
    return Check(what, p, 0.0, 0.0, REJECTS, f"must fail: below {REJECTS}")


def _tail_p_value(here: np.ndarray, at_zero: np.ndarray) -> float:
    """How likely so uneven a share of the largest t of both is, if they have one distribution; two-sided."""
    both = np.concatenate([here, at_zero])
    largest = round(SIZE * len(both))
    among = int(np.sum(np.argsort(-both)[:largest] < len(here)))
    distribution = hypergeom(len(both), len(here), largest)
    return float(min(1.0, 2 * min(distribution.cdf(among), distribution.sf(among - 1))))


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.2f} +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}"
