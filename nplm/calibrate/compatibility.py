"""Do toys follow a chi2? Tests of bulk, tail and width, right also if the chi2 was fitted to the same toys.

All statistics compare counts with their expectation on a fixed grid of about 560 cells, equally spaced in the logit of
the chi2's cumulative probability, so that both tails are resolved to 1e-6. Ensembles of exactly as many toys are
simulated as multinomial counts in these cells: the cost does not depend on the number of toys, no asymptotic formula
is used, and a fit of the degrees of freedom to each simulated ensemble costs one sum. Within a cell t varies so little
that its middle stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import chdtrc, expit
from scipy.stats import chi2

from nplm.calibrate.chi2 import fit_chi2, solve_degrees_of_freedom
from nplm.calibrate.null import Kind

# Fewer toys cannot tell a chi2 from another distribution.
LEAST_TOYS_FOR_CHECK = 50
SIMULATIONS = 1000
# At or above this overall p-value the toys are said to follow the chi2.
ACCEPTED = 0.05

_REACH, _STEP = 14.0, 0.05
_TAILS = (0.05, 0.01)
# A tail in which fewer toys are expected says little.
_LEAST_EXPECTED = 2.0


@dataclass(frozen=True)
class Tail:
    """Toys beyond a quantile of the chi2.

    Arguments:
        probability: of a toy to lie beyond it: 0.05 or 0.01.
        threshold: the quantile, as t.
        toys: number of toys beyond it.
        expected: number that the chi2 expects there.
        p_value: probability of a number at least as far from the expected one, on either side.
    """

    probability: float
    threshold: float
    toys: int
    expected: float
    p_value: float


@dataclass(frozen=True)
class Compatibility:
    """How well toys follow a chi2; every p-value is the share of simulated ensembles that follow it less well.

    Arguments:
        kind: "chi2 given" or "chi2 fitted", then to these toys.
        degrees_of_freedom: of the chi2.
        error: their standard deviation, if fitted; 0 if given.
        p_value: of all tests together: of the smallest of their p-values, given how many were looked at.
        kolmogorov_smirnov: p-value of the largest difference between the cumulative distributions.
        anderson_darling: p-value of their squared difference, weighted with 1 / (F (1 - F)): both tails.
        upper_tail: the same, weighted with 1 / (1 - F): the upper tail.
        tails: counts beyond the 95% quantile, and beyond the 99% quantile if at least two toys are expected there.
        width: p-value of sd^2 / (2 mean), which is 1 for a chi2.
        simulations: number of simulated ensembles; no p-value is below 1 / (1 + simulations).
    """

    kind: Kind
    degrees_of_freedom: float
    error: float
    p_value: float
    kolmogorov_smirnov: float
    anderson_darling: float
    upper_tail: float
    tails: tuple[Tail, ...]
    width: float
    simulations: int

    @property
    def accepted(self) -> bool:
        """Whether the toys follow the chi2 as far as these tests see: p_value >= 0.05."""
        return self.p_value >= ACCEPTED

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**vars(self), "tails": [vars(tail) for tail in self.tails], "accepted": self.accepted}


def chi2_compatibility(
    t: Float64[np.ndarray, " n"],
    degrees_of_freedom: float | None = None,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> Compatibility:
    """Tests whether toys follow a chi2, by parametric bootstrap.

    With F the chi2's cumulative distribution and F_n that of the n toys, the statistics are

        Kolmogorov-Smirnov      max |F_n - F|
        Anderson-Darling        n int (F_n - F)^2 / (F (1 - F)) dF
        upper tail              n int (F_n - F)^2 / (1 - F) dF
        tails                   |toys beyond a quantile of F - the number expected there|
        width                   |sd^2 / (2 mean) - 1|

    Each is compared with its values in simulated ensembles of n toys from the chi2. If the degrees of freedom were
    fitted, they are fitted to each simulated ensemble too: tables for a given distribution would then accept nearly
    everything (Lilliefors, J. Am. Stat. Assoc. 62 (1967) 399; Stephens, J. Am. Stat. Assoc. 69 (1974) 730). The upper
    tail's weight is that of Sinclair, Spurr and Ahmad, Commun. Stat. Theory Methods 19 (1990) 3677. The overall p-value
    ranks the smallest of the p-values among those of the simulated ensembles.

    Arguments:
        t: the toys' test statistics, shape (n,); failed toys (NaN) are left out.
        degrees_of_freedom: of the chi2; None fits them to the toys by `fit_chi2`.
        simulations: number of simulated ensembles.
        seed: of the simulation.

    Raises:
        ValueError: for fewer than 50 toys with a t (or, to be fitted, with t > 0).
    """
    finite = t[np.isfinite(t)]
    if len(finite) < LEAST_TOYS_FOR_CHECK:
        raise ValueError(f"comparing toys with a chi2 needs at least {LEAST_TOYS_FOR_CHECK} of them, not {len(finite)}")
    fit = fit_chi2(finite) if degrees_of_freedom is None else None
    k = fit.degrees_of_freedom if fit else float(degrees_of_freedom or 0)
    grid = _Grid.of(k)
    n = len(finite)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, grid.probabilities, size=simulations)
    # The simulated ensembles are fitted as the toys were; the toys' own fit is k.
    simulated_k = solve_degrees_of_freedom(counts @ np.log(grid.middles) / n) if fit else np.full(simulations, k)
    thresholds = [float(chi2.isf(share, k)) for share in _tails(n)]
    beyond = [int((finite >= threshold).sum()) for threshold in thresholds]
    found = grid.statistics(grid.count(finite)[None], np.array([k]), np.array([_width(finite)]), np.array([beyond]))
    simulated = grid.statistics(counts, simulated_k, grid.widths(counts), grid.beyond(counts, simulated_k, rng))
    p, overall = _ranked(np.vstack([found, simulated]))
    ks, ad, upper, width, *tails = p
    return Compatibility(
        kind="chi2 fitted" if fit else "chi2 given",
        degrees_of_freedom=k,
        error=fit.error if fit else 0.0,
        p_value=overall,
        kolmogorov_smirnov=ks,
        anderson_darling=ad,
        upper_tail=upper,
        tails=tuple(
            Tail(share, threshold, toys, n * share, p_tail)
            for share, threshold, toys, p_tail in zip(_tails(n), thresholds, beyond, tails, strict=True)
        ),
        width=width,
        simulations=simulations,
    )


def _tails(n: int) -> tuple[float, ...]:
    return tuple(share for share in _TAILS if n * share >= _LEAST_EXPECTED)


def _width(t: np.ndarray) -> float:
    mean = t.mean()
    # Toys that are all zero have no width to speak of, and are as far from a chi2 as can be.
    return float(t.var(ddof=1) / (2 * mean)) if mean > 0 else np.inf


def _ranked(statistics: Float64[np.ndarray, "m s"]) -> tuple[list[float], float]:
    """P-values of the first row among all rows, and that of its smallest p-value among the rows' smallest ones."""
    m = len(statistics)
    # Column by column, how many rows have at least a row's value; equal values count, to the rounding of their sums.
    rounded = np.round(statistics, 9)
    at_least = [m - np.searchsorted(np.sort(column), column, side="left") for column in rounded.T]
    p = np.array(at_least).T / m
    smallest = p.min(axis=1)
    return [float(v) for v in p[0]], float((smallest <= smallest[0]).mean())


@dataclass(frozen=True, eq=False)
class _Grid:
    """Cells of t.

    Arguments:
        k: degrees of freedom of the chi2 that the cells are made for.
        edges: inner edges as t, increasing, shape (edges,); the outer cells are open.
        sf: P(chi2 >= edge), shape (edges,).
        probabilities: of the cells, shape (edges + 1,).
        middles: t in the middle of the cells, shape (edges + 1,).
    """

    k: float
    edges: Float64[np.ndarray, " edges"]
    sf: Float64[np.ndarray, " edges"]
    probabilities: Float64[np.ndarray, " cells"]
    middles: Float64[np.ndarray, " cells"]

    @classmethod
    def of(cls, k: float) -> _Grid:
        """The grid of chi2(k)."""
        steps = round(_REACH / _STEP)
        logits = _STEP * np.arange(-steps, steps + 1)
        law = chi2(k)
        # The quantiles from whichever tail is nearer, where 1 - F does not round.
        edges = np.where(logits < 0, law.ppf(expit(logits)), law.isf(expit(-logits)))
        centers = np.concatenate([[logits[0] - 1], (logits[:-1] + logits[1:]) / 2, [logits[-1] + 1]])
        return cls(
            k=k,
            edges=edges,
            sf=expit(-logits),
            probabilities=np.diff(np.concatenate([[0.0], expit(logits), [1.0]])),
            # For degrees of freedom near zero the lowest quantiles underflow, but their logarithms are needed.
            middles=np.maximum(np.where(centers < 0, law.ppf(expit(centers)), law.isf(expit(-centers))), 1e-300),
        )

    def count(self, t: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " cells"]:
        """Toys in the cells."""
        cells = np.searchsorted(self.edges, t, side="right")
        return np.bincount(cells, minlength=len(self.probabilities))

    def widths(self, counts: Int64[np.ndarray, "m cells"]) -> Float64[np.ndarray, " m"]:
        """sd^2 / (2 mean) of each ensemble."""
        n = counts.sum(axis=1)
        mean = counts @ self.middles / n
        return (counts @ self.middles**2 / n - mean**2) * n / (n - 1) / (2 * mean)

    def beyond(
        self, counts: Int64[np.ndarray, "m cells"], k: Float64[np.ndarray, " m"], rng: np.random.Generator
    ) -> Int64[np.ndarray, "m tails"]:
        """Toys of each ensemble beyond the tails' quantiles of its own chi2(k).

        A quantile cuts a cell, whose toys lie on either side at random: whole toys, as in the ensemble to be judged.
        """
        n, rows = int(counts[0].sum()), np.arange(len(counts))
        above = n - np.cumsum(counts, axis=1)
        columns = []
        for share in _tails(n):
            quantile = chi2.isf(share, k)
            cut = np.clip(np.searchsorted(self.edges, quantile), 1, len(self.edges) - 1)
            low, high = self.edges[cut - 1], self.edges[cut]
            upper_part = np.clip((high - quantile) / (high - low), 0.0, 1.0)
            columns.append(above[rows, cut] + rng.binomial(counts[rows, cut], upper_part))
        return np.stack(columns, axis=1)

    def statistics(
        self,
        counts: Int64[np.ndarray, "m cells"],
        k: Float64[np.ndarray, " m"],
        widths: Float64[np.ndarray, " m"],
        beyond: Int64[np.ndarray, "m tails"],
    ) -> Float64[np.ndarray, "m s"]:
        """The statistics of ensembles, each against its own chi2(k); large values disagree."""
        n = int(counts[0].sum())
        above = n - np.cumsum(counts, axis=1)[:, :-1]
        difference = above / n - (self.sf if (k == self.k).all() else chdtrc(k[:, None], self.edges))
        squared = n * difference**2
        # dF / (F (1 - F)) is the step in logit F, and dF / (1 - F) is F times that.
        return np.column_stack(
            [
                np.abs(difference).max(axis=1),
                _STEP * squared.sum(axis=1),
                _STEP * squared @ (1 - self.sf),
                np.abs(widths - 1),
                np.abs(beyond - n * np.array(_tails(n))),
            ]
        )
