"""What the best test would find: one that knows the log-ratio of signal and background, or learns it from half."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

from nplm._util.seed_range import require_seed
from nplm.data.overflow import Overflow
from nplm.data.sample import Sample, concatenate
from nplm.data.scaler import Scaler
from nplm.models.kernel.centers import choose_centers
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.width import heuristic_width
from nplm.stats.neyman_pearson import median_expected_z, median_z_of

# log [s(x) / b(x)] of the normalized densities, at events of shape (n, d); shape (n,).
KnownRatio = Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, " n"]]

# Widths of the kernels that are tried, in units of the usual one, which is that of the whole sample.
_WIDTHS = (1.0, 0.5, 0.25, 0.12)
# Penalties that are tried: a peak wants a small one; with it a broad signal has a ratio of 0 or 300 in the tail of the
# background, where few events say what it is, and the best test would seem to see 3.6 sigma instead of 4.5.
_PENALTIES = (1e-7, 1e-6, 1e-5, 1e-4)
_FIRST_PENALTY = 1e-6
# Events that one classifier learns from; more would not sharpen it as much as they cost. More of the background: for a
# peak in its tail those few that are there say what the ratio is, and which width is right.
_MOST_BACKGROUND, _MOST_SIGNAL = 50_000, 10_000
# Share of those that choose width and penalty.
_CHOOSING = 0.3
LEAST_SIGNAL = 40


@dataclass(frozen=True)
class BestTest:
    """Median Z of a test for one signal alone, for comparison.

    Arguments:
        kind: "known", the most powerful test of all; or "classifier", one that has learned the log-ratio from half of
            the events and is evaluated on the others, and so no better than the most powerful one.
        z: median Z for each number of signal events, shape (numbers,).
        spread: half of the difference between the two halves' classifiers, shape (numbers,); 0 if known.
        widths: of the kernels that the classifiers chose, in standardized features; empty if known.
    """

    kind: Literal["known", "classifier"]
    z: tuple[float, ...]
    spread: tuple[float, ...]
    widths: tuple[float, ...] = ()


def known_best_test(
    reference: Sample, signal: Sample, numbers: Sequence[float], ratio: KnownRatio, *, shape_only: bool = False
) -> BestTest:
    """Median Z of Neyman and Pearson's test, sum_D log(1 + N_S s/(N_B b)), see `median_expected_z`.

    In a test of the shape N_S of always N_B events are of the signal: sum_D log(1 + N_S/N_B (s/b - 1)).

    Arguments:
        reference: N_B is the sum of its weights, which must not be negative.
        signal: its events.
        numbers: N_S.
        ratio: log [s(x) / b(x)].
        shape_only: the number of events is fixed, and the signal's take the place of others.

    Raises:
        ValueError: if the ratio is not one number an event, or is NaN or +inf.
    """
    samples = reference, signal
    values = [np.asarray(ratio(sample.events), dtype=np.float64) for sample in samples]
    for sample, value in zip(samples, values, strict=True):
        if value.shape != (len(sample),) or not (value < np.inf).all():
            raise ValueError(
                f"the log-ratio must be one number for each of the {len(sample)} events of {sample.name}, finite or"
                f" -inf, and has shape {value.shape}" + ("" if (value < np.inf).all() else " and NaN or +inf")
            )
    log_ratio = np.concatenate(values)
    background = reference.total_weight
    z = []
    for number in numbers:
        left = background - number if shape_only else background
        y = np.logaddexp(np.log(left / background), log_ratio + np.log(number / background))
        expected = np.concatenate([reference.scaled_to(left).weights, signal.scaled_to(number).weights])
        z.append(median_expected_z(y, expected, fixed_number=shape_only))
    return BestTest("known", tuple(z), (0.0,) * len(z))


def learned_best_test(
    reference: Sample, signal: Sample, numbers: Sequence[float], seed: int = 1, *, shape_only: bool = False
) -> BestTest:
    """Median Z of tests whose log-ratio was learned: from each half of the events, for the other half.

    A kernel model learns log [(s + b)/2 / b], which is bounded where there is no signal, from half of the reference
    against the same with half of the signal; its width, and then its penalty, are those that do best on events that it
    did not learn from.
    The statistic sum_D log(1 + N_S s^/(N_B b^)) has its exact distribution over the other half, see `median_z_of`; so
    the classifier's mistakes cost power, and do not feign any.

    Arguments:
        reference: N_B is the sum of its weights, which must not be negative.
        signal: its events.
        numbers: N_S.
        seed: of the split.
        shape_only: see `known_best_test`.

    Raises:
        ValueError: if there are fewer than 40 signal events.
    """
    if len(signal) < LEAST_SIGNAL:
        raise ValueError(
            f"{signal.name} has {len(signal)} events, and a classifier needs {LEAST_SIGNAL}: give more, or none"
        )
    rng = np.random.default_rng(require_seed(seed))
    halves = list(zip(_split(reference, 0.5, rng), _split(signal, 0.5, rng), strict=True))
    found: list[list[float]] = []
    widths = []
    for (b_learn, s_learn), (b, s) in (halves, halves[::-1]):
        log_ratio, width = _learn(b_learn, s_learn, rng)
        background = b.scaled_to(reference.total_weight)
        value = np.concatenate([log_ratio(background), log_ratio(s)])
        rates = np.concatenate([background.weights, np.zeros(len(s))])
        one = []
        for number in numbers:
            y = np.log1p(number / reference.total_weight * (value - shape_only))
            drawn = np.concatenate([np.zeros(len(b)), s.scaled_to(number).weights])
            one.append(median_z_of(y, rates, drawn, fixed_number=shape_only))
        found.append(one)
        widths.append(width)
    z = np.array(found)
    return BestTest(
        "classifier", tuple(map(float, z.mean(axis=0))), tuple(map(float, np.abs(z[0] - z[1]) / 2)), tuple(widths)
    )


def _split(sample: Sample, share: float, rng: np.random.Generator) -> tuple[Sample, Sample]:
    rows = rng.permutation(len(sample))
    count = int(share * len(sample))
    return sample.select(rows[:count]), sample.select(rows[count:])


def _learn(
    background: Sample, signal: Sample, rng: np.random.Generator
) -> tuple[Callable[[Sample], Float64[np.ndarray, " n"]], float]:
    """s/b of the normalized densities at events, as learned, and the width of the kernels."""
    background, signal = background.select(slice(_MOST_BACKGROUND)), signal.select(slice(_MOST_SIGNAL))
    scaler = Scaler.fit(background)
    usual = heuristic_width(scaler(background.events), background.weights, 1)
    (b_choose, b_learn), (s_choose, s_learn) = (_split(part, _CHOOSING, rng) for part in (background, signal))

    def gain(width: float, penalty: float) -> float:
        ratio = _mixture_ratio(b_learn, s_learn, scaler, width, penalty)
        f_b, f_s = ratio(b_choose), ratio(s_choose)
        share = b_choose.weights / b_choose.total_weight
        half = (share @ f_b + s_choose.weights / s_choose.total_weight @ f_s) / 2
        return float(half - share @ np.expm1(f_b))

    gains = {(usual * factor, _FIRST_PENALTY): gain(usual * factor, _FIRST_PENALTY) for factor in _WIDTHS}
    width, _ = max(gains, key=gains.__getitem__)
    gains |= {(width, penalty): gain(width, penalty) for penalty in _PENALTIES if penalty != _FIRST_PENALTY}
    _, penalty = max(gains, key=gains.__getitem__)
    ratio = _mixture_ratio(background, signal, scaler, width, penalty)
    return lambda sample: np.maximum(2 * np.exp(ratio(sample)) - 1, 0.0), width


def _mixture_ratio(
    background: Sample, signal: Sample, scaler: Scaler, width: float, penalty: float
) -> Callable[[Sample], Float64[np.ndarray, " n"]]:
    """log [(s + b)/2 / b] at events."""
    size = float(len(signal))
    b = background.scaled_to(size)
    # Centres where either has events: those of the reference alone leave a signal in its tail without any.
    both = concatenate([b, replace(signal.scaled_to(size), name="signal")])
    count = min(int(np.clip(np.sqrt(len(both)), 100, 300)), len(both))
    centers = choose_centers(scaler(both.events), both.weights, count, "uniform", 1)
    prepared = PreparedKernel.of(b, scaler, centers, width, 2 * penalty * len(both), "ml", engine="xla")
    mixture = concatenate([b.scaled_to(size / 2), signal.scaled_to(size / 2)])
    parameters = prepared.fit([mixture]).parameters[0]
    # Beyond its last event nothing speaks against a large f, and so many events show no larger ratio than their number.
    within, largest = Overflow.of(b), float(np.log(len(b)))
    return lambda sample: np.minimum(prepared.log_ratio(parameters, within(sample).events), largest)
