"""The weights of two samples: what turns them into masses, and whether (event, weight) pairs are exchangeable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import fisher_exact, ks_2samp

from nplm.data.equal_weights import has_equal_weights
from nplm.data.sample import Sample

# Weights whose distributions differ at this p-value are not exchangeable.
LEAST_P = 0.01
# Digits to which weights are compared.
_DIGITS = 10


@dataclass(frozen=True)
class Exchangeability:
    """Whether labels may be permuted, and why.

    Arguments:
        allowed: whether they may.
        reason: what was found, in words.
        one_unit: whether weights that vary have one distribution as they are, without a factor between the samples.
    """

    allowed: bool
    reason: str
    one_unit: bool = False


def exchangeability(a: Sample, b: Sample) -> Exchangeability:
    """Compares the weights of both samples.

    Equal weights in both samples are exchangeable. Weights that vary are if they have one distribution, as they are or
    in units of their mean |w|, which is refused at p < 0.01 of Fisher's exact test of how many are negative, or of
    Kolmogorov and Smirnov's test of their values. That weights depend on the event in the same way is not tested: it is
    part of what is to be found out.
    """
    equal = [has_equal_weights(sample) for sample in (a, b)]
    first, second = (a.name, b.name) if a.name != b.name else ("A", "B")
    if all(equal):
        return Exchangeability(True, "all weights of a sample are equal")
    if any(equal):
        names = (first, second) if equal[0] else (second, first)
        return Exchangeability(False, f"the weights of {names[0]} are all equal and those of {names[1]} vary")
    negative = np.array([[n := int((s.weights < 0).sum()), len(s) - n] for s in (a, b)])
    signs = float(fisher_exact(negative).pvalue) if negative[:, 0].any() else 1.0
    if signs < LEAST_P:
        shares = " and ".join(f"{100 * share:.3g}%" for share in negative[:, 0] / negative.sum(axis=1))
        return Exchangeability(False, f"{shares} of the weights of {first} and {second} are negative (p = {signs:.2g})")
    as_they_are = _same_values(a.weights, b.weights)
    scaled = _same_values(*(s.weights / np.abs(s.weights).mean() for s in (a, b)))
    values = max(as_they_are, scaled)
    if values < LEAST_P:
        return Exchangeability(
            False, f"the weights of {first} and {second} have different distributions (p = {values:.2g})"
        )
    reason = f"the weights of {first} and {second} have compatible distributions (p = {min(signs, values):.2g})"
    return Exchangeability(True, reason, as_they_are >= LEAST_P)


def mass_units(a: Sample, b: Sample, found: Exchangeability) -> tuple[float, float]:
    """sum(w) / sum(w^2) of each sample, which turns weights into masses; of both together where weights have one unit.

    So labels can be permuted without changing what an event weighs.
    """
    if found.one_unit:
        together = (a.total_weight + b.total_weight) / float(a.weights @ a.weights + b.weights @ b.weights)
        return together, together
    return tuple(s.total_weight / float(s.weights @ s.weights) for s in (a, b))  # type: ignore[return-value]


def _same_values(a: Float64[np.ndarray, " n"], b: Float64[np.ndarray, " m"]) -> float:
    # Values that differ by their rounding are one: weights often come from a short list.
    unit = max(np.abs(a).max(), np.abs(b).max())
    return float(ks_2samp(np.round(a / unit, _DIGITS), np.round(b / unit, _DIGITS), method="asymp").pvalue)
