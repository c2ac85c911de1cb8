"""Effective theories: limits from learned ratios and scores beside those of the exact density; information; power."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64

from experiments.effective_theory.likelihoods import Scan
from experiments.experiment import Check, read_config
from nplm import KernelModel
from nplm.learning import (
    LearnedPolynomialRatio,
    MorphedSample,
    RegressionSettings,
    learn_from_morphing,
    learn_local_score,
    learn_polynomial_from_samples,
)
from nplm.learning.learned_polynomial import PolynomialForm
from nplm.sensitivity import operator_power
from nplm.statistic import LikelihoodRatio
from nplm.wording.markdown import markdown_table
from toys.interference import PARAMETERS, Interference

ONE: list[dict[str, float]] = [{}, {"c_even": 1.0}, {"c_even": -1.0}]
BOTH = [*ONE, {"c_odd": 1.0}, {"c_odd": -1.0}, {"c_even": 1.0, "c_odd": 1.0}]
# Interpreter that has MadMiner, whose column is left out without it.
MADMINER = "MADMINER_PYTHON"
# Limits may differ from those of the exact density by so much.
CLOSE = 0.05
T = TypeVar("T")


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Learns once, and scans the likelihood of every toy.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("effective_theory", short)
    parts, checks = [], []
    for part in (_limits, _information, _power):
        text, found = part(work, config)
        print(text, flush=True)
        parts.append(text)
        checks += found
    return "\n\n".join(parts), checks


def _limits(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    problem = Interference(2, expected_yield=float(config["expected"]))
    scans = _scans(problem, config)
    exact = scans[0]
    cells, _ = problem.cells()
    rows, checks = [], []
    for truth in config["truths"]:
        theta = {"c_even": float(truth)}
        asimov = problem.cells(theta)[1]
        expected = {scan.name: scan.interval(scan.log_likelihood(cells, asimov)) for scan in scans}
        found: dict[str, list[tuple[float, float, float]]] = {scan.name: [] for scan in scans}
        rng = np.random.default_rng([7, round(100 * truth)])
        for _ in range(config["toys"]):
            data = problem.draw_data(rng, theta)
            for scan in scans:
                found[scan.name].append(scan.interval(scan.log_likelihood(data.events)))
        of_exact = np.array(found[exact.name])
        for scan in scans:
            each = np.array(found[scan.name])
            ended = np.isfinite(each).all(axis=1) & np.isfinite(of_exact).all(axis=1)
            length = np.diff(each[ended][:, 1:])[:, 0]
            relative = float(np.median(length / np.diff(of_exact[ended][:, 1:])[:, 0]))
            covers = float(np.mean((each[ended][:, 1] <= truth) & (truth <= each[ended][:, 2])))
            low, high = np.nanmedian(each[:, 1]), np.nanmedian(each[:, 2])
            rows.append(
                [
                    f"{truth:g}",
                    scan.name,
                    f"[{expected[scan.name][1]:.3f}, {expected[scan.name][2]:.3f}]",
                    f"[{low:.3f}, {high:.3f}]",
                    f"{relative:.3f}",
                    f"{np.mean(each[:, 0] - truth):+.4f} +- {np.std(each[:, 0]) / np.sqrt(len(each)):.4f}",
                    f"{np.std(each[:, 0]):.4f}",
                    f"{np.std(each[:, 0] - of_exact[:, 0]):.4f}",
                    f"{covers:.3f}",
                    str(int(ended.sum())),
                    f"{scan.seconds:.1f}",
                ]
            )
            spread = float(np.std(length / np.diff(of_exact[ended][:, 1:])[:, 0]) / np.sqrt(max(ended.sum(), 1)))
            if scan.name in _CHECKED:
                what = f"length of 95% intervals relative to the exact ones, {scan.name}, c_even = {truth:g}"
                checks.append(Check(what, relative, spread, 1 - CLOSE, 1 + CLOSE, "1"))
            if scan.name in (exact.name, *_CHECKED):
                error = float(np.sqrt(0.05 * 0.95 / max(ended.sum(), 1)))
                what = f"coverage of 95% intervals, {scan.name}, c_even = {truth:g}"
                checks.append(Check(what, covers, error, 0.95 - 4 * error, 0.95 + 4 * error, "0.95"))
        asked = expected[exact.name][2] - expected[exact.name][1]
        seen = float(np.nanmedian(of_exact[:, 2] - of_exact[:, 1]))
        checks.append(Check(f"observed over expected length, c_even = {truth:g}", seen / asked, 0.02, 0.93, 1.07, "1"))
    text = (
        f"**Limits** on c_even of the operator that interferes, from {config['toys']} toys of"
        f" {config['expected']:,} events in m and phi; simulation: {config['n_reference']:,} events with weights at"
        f" three basis points, or as many at each of c_even = -0.4, 0 and 0.4 without weights. Intervals by Wilks:"
        " expected, of the exact expectation; the median of those observed; their length relative to that of the exact"
        " density in the"
        " same toys; then bias, spread, distance to the exact estimate, coverage, toys whose intervals end, and CPU"
        " seconds to learn.\n\n"
        + markdown_table(
            [
                "c_even",
                "likelihood",
                "expected 95%",
                "observed, median",
                "length / exact",
                "bias",
                "spread",
                "from exact",
                "coverage",
                "toys",
                "CPU s",
            ],
            rows,
        )
    )
    return text, checks


_CHECKED = ("positive form, from weights", "polynomial, from weights", "histogram of the local score")


def _scans(problem: Interference, config: Mapping[str, Any]) -> list[Scan]:
    rng = np.random.default_rng(1)
    n, ends = config["n_reference"], config["reach"]
    theta = np.linspace(-ends, ends, config["points"])
    settings = RegressionSettings(**config["regression"])
    sample, weights = problem.draw_weighted(rng, n, ONE)
    morphed = MorphedSample.of(sample, weights, ONE, ["c_even"])
    totals = morphed.coefficients.sum(axis=0)
    of_morphing = totals[0] + totals[1] * theta + totals[2] * theta**2
    exact_yield = np.array([problem.expected_at({"c_even": float(t)}) for t in theta])
    found = [Scan("exact density", theta, exact_yield, lambda x: problem.polynomial(x)[:, [0, 2]])]
    forms: tuple[PolynomialForm, ...] = ("positive", "polynomial")
    for form in forms:
        learn = partial(learn_from_morphing, morphed, form=form, reach=ends, settings=settings)
        ratio, seconds = _timed(learn)
        name = "positive form, from weights" if form == "positive" else "polynomial, from weights"
        found.append(_learned(name, ratio, theta, of_morphing, seconds))
    points = [{"c_even": 0.4}, {"c_even": -0.4}]
    apart = [(point, problem.draw_reference(rng, n, point)) for point in points]
    central = problem.draw_reference(rng, n)
    ratio, seconds = _timed(lambda: learn_polynomial_from_samples(central, apart, settings=settings))
    found.append(_learned("positive form, from samples", ratio, theta, exact_yield, seconds))
    score, seconds = _timed(lambda: learn_local_score(morphed, settings=settings))
    histogram = score.histogram(morphed, bins=config["bins"], reach=ends)
    found.append(Scan("histogram of the local score", theta, of_morphing, histogram.ratio.polynomial, seconds))
    edges = np.quantile(sample["m"], np.linspace(0, 1, config["bins"] + 1)[1:-1])
    bins = np.searchsorted(edges, sample["m"])
    sums = np.stack([np.bincount(bins, column) for column in morphed.coefficients.T], axis=1)
    of_bins = sums[:, 1:] / sums[:, :1]
    found.append(Scan("histogram of m", theta, of_morphing, lambda x: of_bins[np.searchsorted(edges, x[:, 0])]))
    whole = totals[1:] / totals[0]
    found.append(Scan("yield alone", theta, of_morphing, lambda x: np.tile(whole, (len(x), 1))))
    return found


def _learned(
    name: str,
    ratio: LearnedPolynomialRatio,
    theta: Float64[np.ndarray, " p"],
    yields: Float64[np.ndarray, " p"],
    s: float,
) -> Scan:
    """R that was learned, times what makes its yield exact."""
    mean = 1 + ratio.mean[0] * theta + ratio.mean[1] * theta**2
    exact = 1 + ratio.yields[0] * theta + ratio.yields[1] * theta**2
    return Scan(name, theta, yields, ratio.polynomial, s, np.log(exact / mean))


def _information(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    rows, checks = [], []
    for dimension in config["dimensions"]:
        problem = Interference(dimension, expected_yield=float(config["expected"]))
        rng = np.random.default_rng(dimension)
        sample, weights = problem.draw_weighted(rng, config["n_reference"], BOTH)
        morphed = MorphedSample.of(sample, weights, BOTH, PARAMETERS)
        settings = RegressionSettings(**config["regression"])
        exact = problem.information()
        joint = np.diag(morphed.joint_information()) / np.diag(exact)
        rows.append([str(dimension), "latent values", *(f"{v:.3f}" for v in joint), ""])
        x, expected = problem.cells()
        kept = expected > 1e-9
        x, expected = x[kept], expected[kept]
        exact_score = problem.score(x)
        score, seconds = _timed(partial(learn_local_score, morphed, settings=settings))
        own = _kept(score.values(x), exact_score, expected)
        rows.append([str(dimension), "local score, regressed", *(f"{v:.3f}" for v in own), f"{seconds:.1f}"])
        other, other_weights = problem.draw_weighted(rng, config["n_reference"], BOTH)
        fresh = MorphedSample.of(other, other_weights, BOTH, PARAMETERS)
        histogram, seconds = _timed(partial(score.histogram, fresh))
        share = np.diag(histogram.information) / np.diag(exact)
        name = f"its histogram, {histogram.bins.count} bins"
        rows.append([str(dimension), name, *(f"{v:.3f}" for v in share), f"{seconds:.1f}"])
        for value, parameter in zip(own, PARAMETERS, strict=True):
            checks.append(Check(f"information kept, {parameter}, {dimension} features", value, 0.0, 0.95, 1.0, "1"))
        rows.append([str(dimension), *_madminer(work, config, morphed, x, exact_score, expected, dimension)])
    text = (
        "**Information** on each coupling at 0 relative to the exact one in the features, by the squared correlation"
        " with the exact score: what latent values would have, what the regressed score keeps, its histogram (of other"
        " events), and MadMiner's SALLY on the same events and joint scores.\n\n"
        + markdown_table(["features", "observable", *PARAMETERS, "CPU s"], rows)
    )
    return text, checks


def _kept(
    score: Float64[np.ndarray, "n k"], exact: Float64[np.ndarray, "n k"], expected: Float64[np.ndarray, " n"]
) -> list[float]:
    return [
        float((expected @ (s * t)) ** 2 / ((expected @ s**2) * (expected @ t**2)))
        for s, t in zip(score.T, exact.T, strict=True)
    ]


def _madminer(
    work: Path,
    config: Mapping[str, Any],
    morphed: MorphedSample,
    x: Float64[np.ndarray, "n d"],
    exact: Float64[np.ndarray, "n k"],
    expected: Float64[np.ndarray, " n"],
    dimension: int,
) -> list[str]:
    python = os.environ.get(MADMINER)
    if not python:
        return ["MadMiner SALLY", *[f"{MADMINER} names no interpreter"] * len(PARAMETERS), ""]
    given, out = work / f"madminer-{dimension}.npz", work / f"madminer-{dimension}-score.npz"
    np.savez(given, x=morphed.sample.events, t=morphed.joint_score(), at=x, **config["madminer"])
    program = Path(__file__).with_name("madminer_score.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([python, str(program), str(given), str(out)], check=True, env=environment)
    with np.load(out) as found:
        score, seconds = found["score"].astype(np.float64), float(found["seconds"])
    kept = _kept(score, exact, expected)
    return ["MadMiner SALLY", *(f"{v:.3f}" for v in kept), f"{seconds:.1f}"]


def _power(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    problem = Interference(2, expected_yield=float(config["expected"]))
    rng = np.random.default_rng(5)
    sample, weights = problem.draw_weighted(rng, config["n_reference"], ONE)
    morphed = MorphedSample.of(sample, weights, ONE, ["c_even"])
    settings = RegressionSettings(**config["regression"])
    ratio = learn_from_morphing(morphed, reach=config["reach"], settings=settings)
    test = LikelihoodRatio(sample, KernelModel(width=1.0, centers=200, reference_exact=True))
    found = operator_power(test, ratio, [{"c_even": float(c)} for c in config["power"]])
    rows, checks = [], []
    for each in found:
        c = each.theta["c_even"]
        x, expected = problem.cells(each.theta)
        exact = _ideal(problem.log_ratio(x, each.theta), expected)
        rows.append(
            [
                f"{c:g}",
                f"{each.yield_ratio:.3f}",
                f"{each.blind.median_z:.2f}",
                f"{each.dedicated_z:.2f}",
                f"{exact:.2f}",
            ]
        )
        checks.append(
            Check(
                f"Z of the dedicated test, c_even = {c:g}",
                each.dedicated_z,
                0.0,
                0.93 * exact,
                1.07 * exact,
                f"{exact:.2f}",
            )
        )
    text = (
        "**What the model-independent test sees** of the operator: median Z of one kernel that knows nothing of it, and"
        " of the most powerful test for that c_even, with the learned ratio and with the exact one.\n\n"
        + markdown_table(["c_even", "N / N(0)", "Z, kernel", "Z, dedicated", "Z, exact density"], rows)
    )
    return text, checks


def _ideal(log_ratio: Float64[np.ndarray, " n"], expected: Float64[np.ndarray, " n"]) -> float:
    from nplm.stats.neyman_pearson import median_expected_z

    return median_expected_z(log_ratio, expected)


def _timed(make: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    found = make()
    return found, time.process_time() - began
