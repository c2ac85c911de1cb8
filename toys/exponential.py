"""An exponentially falling feature with three signals: the one-dimensional problem of the NPLM papers.

The reference is x ~ Exp(1) with 2000 expected events. Signals: a narrow peak in the tail, a narrow peak in the bulk,
and a broad excess (arXiv:1806.02350; arXiv:1912.12155).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from scipy.stats import gamma, norm

from nplm.data.sample import Sample
from toys.significance import median_expected_z

if TYPE_CHECKING:
    from scipy.stats._distn_infrastructure import rv_continuous_frozen

EXPECTED_YIELD = 2000.0
FEATURES = ("x",)


@dataclass(frozen=True)
class Signal:
    """A signal that adds events to the reference.

    Arguments:
        name: how it is called.
        expected: number of events N(S) it is expected to add.
        distribution: the distribution of its x.
    """

    name: str
    expected: float
    distribution: rv_continuous_frozen

    def sample(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, " n"]:
        """n values of x."""
        return np.asarray(self.distribution.rvs(size=n, random_state=rng), dtype=np.float64)

    def density(self, x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Probability density at x."""
        return np.asarray(self.distribution.pdf(x), dtype=np.float64)


TAIL = Signal("tail", 10.0, norm(6.4, 0.16))
BULK = Signal("bulk", 90.0, norm(1.6, 0.16))
# Gamma(3): x^2 exp(-x) / 2.
BROAD = Signal("broad", 90.0, gamma(3))

SIGNALS: Mapping[str, Signal] = MappingProxyType({s.name: s for s in (TAIL, BULK, BROAD)})


def draw_reference(rng: np.random.Generator, n_reference: int, expected_yield: float = EXPECTED_YIELD) -> Sample:
    """A reference of n_reference events, each of weight expected_yield / n_reference."""
    x = rng.exponential(size=n_reference)
    return Sample(x, np.full(n_reference, expected_yield / n_reference), FEATURES, "reference")


def draw_data(
    rng: np.random.Generator,
    expected_yield: float = EXPECTED_YIELD,
    signal: Signal | None = None,
    signal_yield: float | None = None,
) -> Sample:
    """Data: Poisson(expected_yield) background events, followed by the signal's Poisson(signal_yield).

    Arguments:
        rng: where the randomness comes from.
        expected_yield: mean number of background events.
        signal: what to add; None for data that follow the reference.
        signal_yield: mean number of signal events; default: the signal's own.
    """
    x = rng.exponential(size=rng.poisson(expected_yield))
    if signal is not None:
        n_signal = rng.poisson(signal.expected if signal_yield is None else signal_yield)
        x = np.concatenate([x, signal.sample(rng, n_signal)])
    return Sample(x, features=FEATURES, name="data")


def log_ratio(
    x: Float64[np.ndarray, " n"] | Float64[np.ndarray, "n 1"],
    signal: Signal,
    signal_yield: float | None = None,
    expected_yield: float = EXPECTED_YIELD,
) -> Float64[np.ndarray, " n"]:
    """The exact log[n(x|S+B) / n(x|B)] = log[1 + N(S) s(x) / (N(B) exp(-x))], as the fit should find it.

    x is the feature, as values or as the events of a sample.
    """
    n_signal = signal.expected if signal_yield is None else signal_yield
    x = np.reshape(x, len(x))
    # s / exp(-x) through the logarithm: both underflow far in the tail, their ratio does not.
    ratio = np.exp(signal.distribution.logpdf(x) + x)
    return np.asarray(np.log1p(n_signal / expected_yield * ratio), dtype=np.float64)


def ideal_z(signal: Signal, signal_yield: float | None = None, expected_yield: float = EXPECTED_YIELD) -> float:
    """Median Z-score of the test that knows the signal: 4.77 for the tail peak, 5.58 for the bulk peak, 4.54 broad.

    Neyman and Pearson's statistic sum_D log(1 + s/b) - N(S), without nuisances; see `median_expected_z`.
    """
    n_signal = signal.expected if signal_yield is None else signal_yield
    # Up to x = 40, beyond which one background event is expected in 1e14 experiments.
    edges = np.linspace(0.0, 40.0, 80_001)
    centre, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    expected = width * (expected_yield * np.exp(-centre) + n_signal * signal.density(centre))
    return median_expected_z(log_ratio(centre, signal, signal_yield, expected_yield), expected)
