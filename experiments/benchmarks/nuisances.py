"""Learning log-ratios: from samples and from weights at equal statistics, and two nuisances with 100,000 events."""

from __future__ import annotations

from typing import Literal

import jax
import numpy as np
from jaxtyping import Float64

from experiments.benchmarks.measure import measured
from nplm import Sample
from nplm.learning.from_samples import learn_from_samples
from nplm.learning.from_weights import learn_from_weights
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.settings import RatioSettings
from nplm.wording.markdown import markdown_table

# A latent z of deviation 2 is seen as x = z + noise of deviation 1; its mean moves by nu, its deviation by e^nu. So
# d1 = x / 5 for the mean, and 4/5 (x^2 / 5 - 1) for the width.
SIGMA = {"mean": 0.3, "width": 0.1}
LARGE = 100_000
SIZES = (10_000, LARGE)
REPETITIONS = 4
NAMES = ("mean", "width")


def run() -> str:
    """Two tables."""
    rows = []
    for size in SIZES:
        for loss in ("squared", "cross-entropy"):
            errors = [_errors(_from_samples(size, seed, loss)) for seed in range(REPETITIONS)]
            rows.append([f"{size:,}", f"samples, {loss}", *_written(errors)])
        errors = [_errors(_from_weights(size, seed)) for seed in range(REPETITIONS)]
        rows.append([f"{size:,}", "weights", *_written(errors)])
    head = ["events of each sample", "learned from", *(f"rms error of d1, {name}" for name in NAMES)]
    head += [f"spread / error, {name}" for name in NAMES]
    own = " and ".join(f"{value:.2f}" for value in _truth_rms())
    text = f"d1 of two nuisances, whose own rms is {own}; weights and samples at +-1 sigma, weights at +-2 sigma too."
    text += "\n\n" + markdown_table(head, rows)
    return (
        text
        + "\n\nTime for both nuisances, 100,000 events of each sample, a program that has compiled nothing yet:\n\n"
        + (_times())
    )


def _times() -> str:
    rows = []
    for what, learn in (
        ("five samples", _timed_samples),
        ("weights", _timed_weights),
        ("five samples, 5 features", _timed_five),
    ):
        jax.clear_caches()  # type: ignore[no-untyped-call]
        with measured() as cost:
            ratio = learn()
        fits = sum(len(part.records) for part in ratio.parts)
        rows.append(
            [
                what,
                str(ratio.members),
                str(fits),
                f"{cost.cpu:.0f}",
                f"{cost.wall:.0f}",
                f"{cost.compile_seconds:.0f}",
                "yes" if ratio.converged else "no",
            ]
        )
    return markdown_table(["from", "members", "fits", "CPU s", "wall s", "of it compilation", "converged"], rows)


def _timed_samples() -> LearnedLogRatio:
    return _from_samples(LARGE, 9, "squared")


def _timed_weights() -> LearnedLogRatio:
    return _from_weights(LARGE, 9)


def _timed_five() -> LearnedLogRatio:
    rng = np.random.default_rng(9)

    def at(mean: float = 0.0, width: float = 0.0) -> Sample:
        events = rng.normal(size=(LARGE, 5))
        events[:, 0] = _draw(rng, LARGE, mean, width)[0].events[:, 0]
        return Sample(events)

    varied = [({name: u * SIGMA[name]}, at(**{name: u * SIGMA[name]})) for name in NAMES for u in (-1, 1)]
    return learn_from_samples(at(), varied)


def _draw(rng: np.random.Generator, size: int, mean: float = 0.0, width: float = 0.0) -> tuple[Sample, np.ndarray]:
    z = mean + 2 * np.exp(width) * rng.normal(size=size)
    return Sample(z + rng.normal(size=size), features=["x"], name=f"{mean:g} {width:g}"), z


def _from_samples(size: int, seed: int, loss: Literal["squared", "cross-entropy"]) -> LearnedLogRatio:
    rng = np.random.default_rng(seed)
    varied = [
        ({name: u * SIGMA[name]}, _draw(rng, size, **{name: u * SIGMA[name]})[0]) for name in NAMES for u in (-1, 1)
    ]
    return learn_from_samples(_draw(rng, size)[0], varied, settings=RatioSettings(loss=loss, seed=seed))


def _from_weights(size: int, seed: int) -> LearnedLogRatio:
    central, z = _draw(np.random.default_rng(seed), size)

    def weights(mean: float = 0.0, width: float = 0.0) -> Float64[np.ndarray, " n"]:
        return np.exp(-width - ((z - mean) * np.exp(-width)) ** 2 / 8 + z**2 / 8)

    points = [{name: u * SIGMA[name]} for name in NAMES for u in (-2, -1, 1, 2)]
    varied = [(nu, weights(**nu)) for nu in points]
    return learn_from_weights(central, varied, settings=RatioSettings(seed=seed))


def _places() -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, "n 2"]]:
    x = np.sqrt(5) * np.random.default_rng(0).normal(size=20_000)
    return x, np.column_stack([x / 5, 4 / 5 * (x**2 / 5 - 1)])


def _truth_rms() -> Float64[np.ndarray, " 2"]:
    return np.sqrt((_places()[1] ** 2).mean(axis=0))


def _errors(ratio: LearnedLogRatio) -> Float64[np.ndarray, "2 2"]:
    """Mean squared error and mean squared spread of d1, for each nuisance."""
    x, truth = _places()
    return np.stack(
        [
            ((ratio.basis(x[:, None])[:, :2] - truth) ** 2).mean(axis=0),
            (ratio.spread(x[:, None])[:, :2] ** 2).mean(axis=0),
        ]
    )


def _written(errors: list[Float64[np.ndarray, "2 2"]]) -> list[str]:
    square, spread = np.mean(errors, axis=0)
    own = np.std([e[0] ** 0.5 for e in errors], axis=0, ddof=1) / np.sqrt(len(errors))
    written = [f"{value:.4f} +- {error:.4f}" for value, error in zip(np.sqrt(square), own, strict=True)]
    return [*written, *(f"{value:.2f}" for value in np.sqrt(spread / square))]
