"""Do toys follow a chi2, or another distribution? Tests of bulk, tail and width, right also if fitted to these toys.

All statistics compare counts with their expectation on a fixed grid of about 560 cells, equally spaced in the logit of
the distribution's cumulative probability, so that both tails are resolved to 1e-6. Ensembles of exactly as many toys
are simulated as multinomial counts in these cells: the cost does not depend on the number of toys, no asymptotic
formula is used, and a fit of the distribution's parameter to each simulated ensemble costs one sum. Within a cell t
varies so little that its middle stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import chdtrc, expit
from scipy.stats import chi2

from nplm._util.seed_range import require_seed
from nplm.stats.chi2 import fit_chi2, solve_degrees_of_freedom
from nplm.stats.null import Kind

# Fewer toys cannot tell one distribution from another.
LEAST_TOYS_FOR_CHECK = 50
SIMULATIONS = 1000
# At or above this overall p-value the toys are said to follow the distribution.
ACCEPTED = 0.05

_REACH, _STEP = 14.0, 0.05
_TAILS = (0.05, 0.01)
# A tail in which fewer toys are expected says little.
_LEAST_EXPECTED = 2.0


@dataclass(frozen=True)
class Tail:
    """Toys beyond a quantile of the distribution.

    Arguments:
        probability: of a toy to lie beyond it: 0.05 or 0.01.
        threshold: the quantile, as t.
        toys: number of toys beyond it.
        expected: number that the distribution expects there.
        p_value: probability of a number at least as far from the expected one, on either side.
    """

    probability: float
    threshold: float
    toys: int
    expected: float
    p_value: float


@dataclass(frozen=True)
class Compatibility:
    """How well toys follow a distribution; every p-value is the share of simulated ensembles that follow it less well.

    Arguments:
        kind: of the null: "chi2 given" or "analytic", or "chi2 fitted" or "analytic fitted", then to these toys.
        p_value: of all tests together: of the smallest of their p-values, given how many were looked at.
        kolmogorov_smirnov: p-value of the largest difference between the cumulative distributions.
        anderson_darling: p-value of their squared difference, weighted with 1 / (F (1 - F)): both tails.
        upper_tail: the same, weighted with 1 / (1 - F): the upper tail.
        tails: counts beyond the 95% quantile, and beyond the 99% quantile if at least two toys are expected there.
        width: p-value of sd^2 / (2 mean), which is 1 for a chi2.
        simulations: number of simulated ensembles; no p-value is below 1 / (1 + simulations).
    """

    kind: Kind
    p_value: float
    kolmogorov_smirnov: float
    anderson_darling: float
    upper_tail: float
    tails: tuple[Tail, ...]
    width: float
    simulations: int

    @property
    def accepted(self) -> bool:
        """Whether the toys follow the distribution as far as these tests see: p_value >= 0.05."""
        return self.p_value >= ACCEPTED

    @property
    def weakest(self) -> tuple[str, float]:
        """The test of smallest p-value, and that p-value."""
        tests = {
            "bulk": min(self.kolmogorov_smirnov, self.anderson_darling),
            "upper tail": self.upper_tail,
            **{f"toys beyond {100 * (1 - tail.probability):g}%": tail.p_value for tail in self.tails},
            "width": self.width,
        }
        name = min(tests, key=lambda each: tests[each])
        return name, tests[name]

    @property
    def unanimous(self) -> bool:
        """Whether no test, taken alone, would refuse the distribution; of all together some look odd by chance."""
        return self.accepted and self.weakest[1] >= ACCEPTED

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**vars(self), "tails": [vars(tail) for tail in self.tails], "accepted": self.accepted}


@dataclass(frozen=True)
class Chi2Compatibility(Compatibility):
    """How well toys follow a chi2.

    Arguments:
        degrees_of_freedom: of the chi2.
        error: their standard deviation, if fitted; 0 if given.
    """

    degrees_of_freedom: float
    error: float


class Distributions(Protocol):
    """A family of distributions of t with one parameter: the degrees of freedom of a chi2, or a scale."""

    def quantiles(self, logits: Float64[np.ndarray, " m"], parameter: float) -> Float64[np.ndarray, " m"]:
        """The t at which log(F / (1 - F)) has these values, shape (m,)."""
        ...

    def isf(self, p: float, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The t that each member exceeds with probability p, shape (m,)."""
        ...

    def sf(
        self, t: Float64[np.ndarray, " edges"], parameter: Float64[np.ndarray, "m 1"]
    ) -> Float64[np.ndarray, "m edges"]:
        """P(T >= t) under each member."""
        ...

    def width(self, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """sd^2 / (2 mean) of each member, shape (m,)."""
        ...

    def fitted(
        self, counts: Int64[np.ndarray, "m cells"], middles: Float64[np.ndarray, " cells"]
    ) -> Float64[np.ndarray, " m"]:
        """The parameters fitted to ensembles that are counted in cells with these middles, as they are to toys."""
        ...


def chi2_compatibility(
    t: Float64[np.ndarray, " n"],
    degrees_of_freedom: float | None = None,
    *,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> Chi2Compatibility:
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
    finite = enough_toys(t)
    fit = fit_chi2(finite) if degrees_of_freedom is None else None
    k = fit.degrees_of_freedom if fit else float(degrees_of_freedom or 0)
    tests = compare(finite, Chi2Distributions(), k, fitted=fit is not None, simulations=simulations, seed=seed)
    return Chi2Compatibility(
        kind="chi2 fitted" if fit else "chi2 given", degrees_of_freedom=k, error=fit.error if fit else 0.0, **tests
    )


def enough_toys(t: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " m"]:
    """The toys that have a t.

    Raises:
        ValueError: if they are fewer than 50.
    """
    finite = t[np.isfinite(t)]
    if len(finite) < LEAST_TOYS_FOR_CHECK:
        raise ValueError(
            f"comparing toys with a distribution needs at least {LEAST_TOYS_FOR_CHECK} of them, not {len(finite)}"
        )
    return finite


def compare(
    t: Float64[np.ndarray, " n"],
    distributions: Distributions,
    parameter: float,
    *,
    fitted: bool,
    simulations: int,
    seed: int,
) -> dict[str, Any]:
    """The tests of `chi2_compatibility` against one of any distributions, as fields of `Compatibility` less its kind.

    Arguments:
        t: the toys' test statistics, all finite, shape (n,).
        distributions, parameter: what the toys are compared with.
        fitted: whether the parameter was fitted to these toys, as `Distributions.fitted` fits it to simulated ones.
        simulations, seed: see `chi2_compatibility`.
    """
    grid = _Grid.of(parameter, distributions)
    n = len(t)
    rng = np.random.default_rng(require_seed(seed))
    counts = rng.multinomial(n, grid.probabilities, size=simulations)
    # The simulated ensembles are fitted as the toys were.
    simulated_parameters = distributions.fitted(counts, grid.middles) if fitted else np.full(simulations, parameter)
    own = np.array([parameter])
    thresholds = [float(distributions.isf(share, own)[0]) for share in _tails(n)]
    beyond = [int((t >= threshold).sum()) for threshold in thresholds]
    found = grid.statistics(grid.count(t)[None], own, np.array([_width(t)]), np.array([beyond]))
    simulated_beyond = grid.beyond(counts, simulated_parameters, rng)
    simulated = grid.statistics(counts, simulated_parameters, grid.widths(counts), simulated_beyond)
    p, overall = _ranked(np.vstack([found, simulated]))
    ks, ad, upper, width, *tails = p
    return {
        "p_value": overall,
        "kolmogorov_smirnov": ks,
        "anderson_darling": ad,
        "upper_tail": upper,
        "tails": tuple(
            Tail(share, threshold, toys, n * share, p_tail)
            for share, threshold, toys, p_tail in zip(_tails(n), thresholds, beyond, tails, strict=True)
        ),
        "width": width,
        "simulations": simulations,
    }


class Chi2Distributions:
    """The chi2 distributions, with their degrees of freedom as parameter: a `Distributions`."""

    def quantiles(self, logits: Float64[np.ndarray, " m"], parameter: float) -> Float64[np.ndarray, " m"]:
        """From whichever tail is nearer, where 1 - F does not round."""
        distribution = chi2(parameter)
        return np.where(logits < 0, distribution.ppf(expit(logits)), distribution.isf(expit(-logits)))

    def isf(self, p: float, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The t that each chi2 exceeds with probability p."""
        return np.asarray(chi2.isf(p, parameter))

    def sf(
        self, t: Float64[np.ndarray, " edges"], parameter: Float64[np.ndarray, "m 1"]
    ) -> Float64[np.ndarray, "m edges"]:
        """P(chi2 >= t)."""
        return np.asarray(chdtrc(parameter, t))

    def width(self, parameter: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """1, whatever the degrees of freedom."""
        return np.ones(parameter.shape)

    def fitted(
        self, counts: Int64[np.ndarray, "m cells"], middles: Float64[np.ndarray, " cells"]
    ) -> Float64[np.ndarray, " m"]:
        """The degrees of freedom of the largest likelihood, see `fit_chi2`."""
        return solve_degrees_of_freedom(counts @ np.log(middles) / counts.sum(axis=1))


def _tails(n: int) -> tuple[float, ...]:
    return tuple(share for share in _TAILS if n * share >= _LEAST_EXPECTED)


def _width(t: np.ndarray) -> float:
    mean = t.mean()
    # Toys that are all zero have no width to speak of, and are as far from any distribution as can be.
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
        distributions, parameter: the distribution that the cells are made for.
        edges: inner edges as t, increasing, shape (edges,); the outer cells are open.
        sf: P(T >= edge), shape (edges,).
        probabilities: of the cells, shape (edges + 1,).
        middles: t in the middle of the cells, shape (edges + 1,).
    """

    distributions: Distributions
    parameter: float
    edges: Float64[np.ndarray, " edges"]
    sf: Float64[np.ndarray, " edges"]
    probabilities: Float64[np.ndarray, " cells"]
    middles: Float64[np.ndarray, " cells"]

    @classmethod
    def of(cls, parameter: float, distributions: Distributions | None = None) -> _Grid:
        """The grid of one of several distributions; of chi2(k) if none are named."""
        distributions = distributions or Chi2Distributions()
        steps = round(_REACH / _STEP)
        logits = _STEP * np.arange(-steps, steps + 1)
        centers = np.concatenate([[logits[0] - 1], (logits[:-1] + logits[1:]) / 2, [logits[-1] + 1]])
        return cls(
            distributions=distributions,
            parameter=parameter,
            edges=distributions.quantiles(logits, parameter),
            sf=expit(-logits),
            probabilities=np.diff(np.concatenate([[0.0], expit(logits), [1.0]])),
            # For degrees of freedom near zero the lowest quantiles underflow, but their logarithms are needed.
            middles=np.maximum(distributions.quantiles(centers, parameter), 1e-300),
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
        self, counts: Int64[np.ndarray, "m cells"], parameter: Float64[np.ndarray, " m"], rng: np.random.Generator
    ) -> Int64[np.ndarray, "m tails"]:
        """Toys of each ensemble beyond the tails' quantiles of its own one of the distributions.

        A quantile cuts a cell, whose toys lie on either side at random: whole toys, as in the ensemble to be judged.
        """
        n, rows = int(counts[0].sum()), np.arange(len(counts))
        above = n - np.cumsum(counts, axis=1)
        columns = []
        for share in _tails(n):
            quantile = self.distributions.isf(share, parameter)
            cut = np.clip(np.searchsorted(self.edges, quantile), 1, len(self.edges) - 1)
            low, high = self.edges[cut - 1], self.edges[cut]
            upper_part = np.clip((high - quantile) / (high - low), 0.0, 1.0)
            columns.append(above[rows, cut] + rng.binomial(counts[rows, cut], upper_part))
        return np.stack(columns, axis=1)

    def statistics(
        self,
        counts: Int64[np.ndarray, "m cells"],
        parameter: Float64[np.ndarray, " m"],
        widths: Float64[np.ndarray, " m"],
        beyond: Int64[np.ndarray, "m tails"],
    ) -> Float64[np.ndarray, "m s"]:
        """The statistics of ensembles, each against its own one of the distributions; large values disagree."""
        n = int(counts[0].sum())
        above = n - np.cumsum(counts, axis=1)[:, :-1]
        own = (parameter == self.parameter).all()
        difference = above / n - (self.sf if own else self.distributions.sf(self.edges, parameter[:, None]))
        squared = n * difference**2
        # dF / (F (1 - F)) is the step in logit F, and dF / (1 - F) is F times that.
        return np.column_stack(
            [
                np.abs(difference).max(axis=1),
                _STEP * squared.sum(axis=1),
                _STEP * squared @ (1 - self.sf),
                np.abs(widths / self.distributions.width(parameter) - 1),
                np.abs(beyond - n * np.array(_tails(n))),
            ]
        )
