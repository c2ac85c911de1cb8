"""Two finite samples: size of the test at several ratios, power beside published tests, and signed weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check, read_config
from experiments.two_sample.trials import (
    Rejections,
    asymptotic,
    bootstrap,
    infinite_reference,
    permutation,
    plain_permutation,
    rejections,
    size_range,
)
from nplm import Sample
from nplm.wording.markdown import markdown_table

# Power at size .05: Nystrom-MMD, 140 features, 199 permutations, errors .025; MMD-FUSE.
NYSTROM = {0.57: 0.168, 0.6: 0.413, 0.63: 0.888, 0.66: 0.998}
FUSE = {500: 0.18, 1500: 0.635, 3000: 0.97}
NYSTROM_SECONDS = 0.064


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs all trials.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("two_sample", short)
    began = time.process_time()
    parts, checks = [], []
    for part in (_sizes, _power, _weighted):
        text, found = part(config)
        parts.append(text)
        checks += found
        print(text, flush=True)
    parts.append(f"All of it took {(time.process_time() - began) / 60:.0f} CPU minutes.")
    return "\n\n".join(parts), checks


def _sizes(config: dict[str, Any]) -> tuple[str, list[Check]]:
    ways = {
        "permutation": permutation(config["resamples"]),
        "asymptotic": asymptotic(config["draws"]),
        "A taken as infinite": infinite_reference(config["draws"]),
    }
    low, high = size_range(config["trials"])
    rows, checks = [], []
    for dimension in config["dimensions"]:
        for ratio in config["ratios"]:
            n_b = config["events"]

            def pair(
                rng: np.random.Generator, d: int = dimension, n: int = n_b, r: int = ratio
            ) -> tuple[Sample, Sample]:
                return Sample(rng.normal(size=(n * r, d))), Sample(rng.normal(size=(n, d)))

            found = rejections(pair, ways, config["trials"], (1, dimension, ratio), centers=config["centers"])
            rows.append([str(dimension), str(ratio), *(found[way].text for way in ways)])
            for way in ("permutation", "asymptotic"):
                what = f"size, {way}, {dimension} dimensions, n_A / n_B = {ratio}"
                checks.append(Check(what, found[way].fraction, found[way].error, low, high, "0.05"))
            if ratio == 1:
                naive = found["A taken as infinite"]
                what = f"negative control: A taken as infinite, {dimension} dimensions, n_A = n_B"
                checks.append(Check(what, naive.fraction, naive.error, high, 1.0, "far above 0.05"))
    text = (
        f"**Size.** Fractions of {config['trials']} pairs of samples of one normal distribution, {config['events']}"
        " events in B and unit weights, that a test of size .05 rejects; the last column compares with the null of a"
        " reference that is infinitely large.\n\n"
    )
    return text + markdown_table(["dimensions", "n_A / n_B", *ways], rows), checks


def _power(config: dict[str, Any]) -> tuple[str, list[Check]]:
    ways = {"permutation": permutation(config["permutations"])}
    rows, checks = [], []
    n = 2500
    for rho, trials in {0.5: config["null_trials"], **config["correlations"]}.items():
        found = rejections(_correlated(n, rho), ways, trials, (2, round(100 * rho)))["permutation"]
        rows.append(_power_row(f"correlated Gaussians, rho .5 against {rho:g}", n, found, NYSTROM.get(rho)))
        if rho in NYSTROM:
            checks.append(_above(f"power, correlation .5 against {rho:g}", found, NYSTROM[rho], "Nystrom-MMD"))
    for events, trials in config["mixture"].items():
        found = rejections(_mixture(events, 1.3), ways, trials, (3, events))["permutation"]
        rows.append(_power_row("mixture, one deviation 1 against 1.3", events, found, FUSE[events]))
        checks.append(_above(f"power, mixture of {events} events each", found, FUSE[events], "MMD-FUSE"))
    found = rejections(_mixture(500, 1.0), ways, config["null_trials"], (4,))["permutation"]
    rows.append(_power_row("mixture, no difference", 500, found, None))
    text = (
        f"**Power** at size .05, {config['permutations']} permutations, widths, penalties and centres as by default;"
        f" published: Nystrom-MMD ({NYSTROM_SECONDS} s a test, 140 features, 199 permutations) and MMD-FUSE.\n\n"
    )
    return text + markdown_table(
        ["samples", "events each", "trials", "power", "published", "CPU s a test"], rows
    ), checks


def _power_row(what: str, events: int, found: Rejections, published: float | None) -> list[str]:
    shown = "size .05" if published is None else f"{published:g}"
    return [what, str(events), str(found.trials), found.text, shown, f"{found.seconds:.2f}"]


def _above(what: str, found: Rejections, published: float, method: str) -> Check:
    """Where the published power is nearly one no more than that can be asked for."""
    least = published - 2 * max(found.error, np.sqrt(published * (1 - published) / found.trials))
    return Check(what, found.fraction, found.error, float(least), 1.0, f"{published:g} ({method}), to be exceeded")


def _weighted(config: dict[str, Any]) -> tuple[str, list[Check]]:
    ways = {
        "asymptotic": asymptotic(config["draws"]),
        "bootstrap": bootstrap(config["resamples"]),
        "plain permutation": plain_permutation(config["resamples"]),
    }
    low, high = size_range(config["weighted_trials"])
    rows, checks, plain = [], [], []
    for ratio in config["weighted_ratios"]:
        n_b = round(config["weighted_events"] / (1 + ratio))
        n_a = config["weighted_events"] - n_b
        settings = {"centers": config["centers"]}
        null = rejections(_signed(n_a, n_b, 0.0), ways, config["weighted_trials"], (5, n_a), **settings)
        there = _signed(n_a, n_b, config["weighted_shift"])
        power = rejections(there, ways, config["weighted_power_trials"], (6, n_a), **settings)
        rows.append(
            [f"{n_a} : {n_b}", *(null[way].text for way in ways), power["asymptotic"].text, power["bootstrap"].text]
        )
        for way in ("asymptotic", "bootstrap"):
            what = f"size, {way}, signed weights, {n_a} : {n_b} events"
            checks.append(Check(what, null[way].fraction, null[way].error, low, high, "0.05"))
        plain.append(null["plain permutation"].fraction)
    if len(plain) > 1:
        worst = max(abs(np.array(plain) - 0.05))
        reach = max(0.05 - low, high - 0.05)
        checks.append(
            Check(
                "negative control: size of plain permutation, largest distance from .05", worst, 0, reach, 1, "far off"
            )
        )
    text = (
        "**Weights of both signs.** A of unit weights, B with weights -1 for a fifth of its events, drawn at random;"
        " both standard normal in two dimensions. Sizes of tests at .05, then power for a shift of"
        f" {config['weighted_shift']} standard deviations in one feature.\n\n"
    )
    head = ["n_A : n_B", *(f"size, {way}" for way in ways), "power, asymptotic", "power, bootstrap"]
    return text + markdown_table(head, rows), checks


def _correlated(n: int, rho: float) -> Any:
    def draw(rng: np.random.Generator, r: float) -> Sample:
        covariance = np.full((3, 3), r) + (1 - r) * np.eye(3)
        return Sample(rng.multivariate_normal(np.zeros(3), covariance, size=n, method="cholesky"))

    return lambda rng: (draw(rng, 0.5), draw(rng, rho))


def _mixture(n: int, deviation: float) -> Any:
    def draw(rng: np.random.Generator, first: float) -> Sample:
        component = rng.integers(4, size=n)
        means = 20.0 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])[component]
        return Sample(means + np.where(component == 0, first, 1.0)[:, None] * rng.normal(size=(n, 2)))

    return lambda rng: (draw(rng, 1.0), draw(rng, deviation))


def _signed(n_a: int, n_b: int, shift: float) -> Any:
    def pair(rng: np.random.Generator) -> tuple[Sample, Sample]:
        a, b = rng.normal(size=(n_a, 2)), rng.normal(size=(n_b, 2))
        b[:, 0] += shift
        return Sample(a), Sample(b, np.where(rng.random(n_b) < 0.2, -1.0, 1.0))

    return pair
