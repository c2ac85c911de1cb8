"""Likelihoods, limits and K: against minimizers of scipy, integrals, and examples that were worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import norm, poisson

from nplm.channels.graph import compatibility_graph
from nplm.channels.likelihood import JointRegions, log_likelihood
from nplm.channels.limits import UpperLimits
from nplm.channels.score import Scorer, protomodel_cost
from nplm.channels.table import Covariance, RegionTable
from nplm.channels.templates import Templates


def test_one_region_has_the_largest_likelihood_in_closed_form() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        b0 = float(np.exp(rng.uniform(-1, 4)))
        error, n, s = b0 * rng.uniform(0.05, 2), float(rng.poisson(b0)), float(rng.uniform(0, 5))

        def loss(b: float, b0: float = b0, error: float = error, n: float = n, s: float = s) -> float:
            return b + s - n * math.log(b + s) + ((b - b0) / error) ** 2 / 2

        best = minimize_scalar(loss, bounds=(1e-12, b0 + 9 * error + n), method="bounded", options={"xatol": 1e-11})
        found = float(log_likelihood(*(np.array([v]) for v in (n, b0, error, s)))[0])
        assert found == pytest.approx(-min(best.fun, loss(1e-12)), abs=1e-8)
    certain = log_likelihood(np.array([3.0]), np.array([2.0]), np.array([0.0]), np.array([1.0]))
    assert certain[0] == pytest.approx(3 * math.log(3) - 3)


def test_regions_with_a_covariance_have_the_largest_likelihood_of_a_minimizer() -> None:
    """Six regions with few and many events, where backgrounds end at zero, too; one region is the closed form."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        root = rng.normal(size=(6, 6))
        b0 = np.exp(rng.uniform(-1, 4, 6))
        error = b0 * rng.uniform(0.05, 1.5, 6)
        covariance = root @ root.T
        d = np.sqrt(np.diag(covariance))
        covariance *= np.outer(error / d, error / d)
        n, s = rng.poisson(b0).astype(float), rng.uniform(0, 3, 6) * (rng.random(6) < 0.5)
        regions = JointRegions(n, b0, covariance)
        found = regions.log_likelihood(np.vstack([s, 2 * s]))[0]
        bounds = [(1e-12 if n[j] > 0 and s[j] == 0 else 0, None) for j in range(6)]
        best = min(
            minimize(
                lambda b: -regions._value(b[None], s[None])[0],  # noqa: B023
                np.maximum(start, 0.1),
                bounds=bounds,
                method="L-BFGS-B",
                options={"maxiter": 5000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9},
            ).fun
            for start in (b0, n)
        )
        assert found >= -best - 1e-9  # the minimizer ends early at times
        assert found == pytest.approx(-best, abs=0.05)
        one = JointRegions(n[:1], b0[:1], covariance[:1, :1]).log_likelihood(s[None, :1])
        assert one[0] == pytest.approx(log_likelihood(n[:1], b0[:1], error[:1], s[:1])[0], abs=1e-8)


def test_limits_are_those_of_cls_by_an_integral() -> None:
    table = RegionTable.from_columns(
        {"region": list("abc"), "analysis": ["x"] * 3, "observed": [0, 4, 30], "expected": [0.0, 2.5, 25.0],
         "error": [0.5, 1.0, 6.0]}
    )  # fmt: skip
    limits = UpperLimits(table).of(np.arange(3), table.observed)
    for i in range(3):
        n, b0, error = table.observed[i], table.expected[i], table.error[i]

        def below(s: float, n: float = n, b0: float = b0, error: float = error) -> float:
            value = quad(lambda b: norm.pdf(b, b0, error) * poisson.cdf(n, b + s), 0, b0 + 9 * error, epsabs=1e-13)[0]
            return float(value)

        assert below(float(limits[i])) / below(0.0) == pytest.approx(0.05, rel=1e-6)
    # Without events and with next to no error, -log(0.05) whatever the background.
    sure = RegionTable.from_columns(
        {"region": ["a"], "analysis": ["x"], "observed": [0], "expected": [3.0], "error": [1e-6]}
    )
    assert UpperLimits(sure).of(np.zeros(1, dtype=np.int64), np.zeros(1))[0] == pytest.approx(-math.log(0.05), rel=1e-6)


def small(observed: list[int], error: float = 0.0) -> RegionTable:
    """Three analyses of one region each; x and y exclude each other, and both go with z."""
    return RegionTable.from_columns(
        {"region": ["A", "B", "C"], "analysis": ["x", "y", "z"], "experiment": ["1", "1", "2"], "observed": observed,
         "expected": [5.0, 5.0, 8.0], "error": [error or 1e-9] * 3}
    )  # fmt: skip


def test_k_of_a_worked_example() -> None:
    """n = 15 where 5 are expected and the signal is 10 mu, of analyses whose errors are negligible.

    mu^ = 1: 2 log L(1) / L(0) = 2 [15 log(15 / 5) - 10] = 12.958, less 2 for the one template: K = 10.958.
    """
    table = small([15, 5, 8])
    templates = Templates(("t",), np.array([[10.0, 0.0, 0.0]]))
    scorer = Scorer(table, templates, compatibility_graph(table, "experiment"), None)
    found = scorer.score(np.array([1.0]))
    assert found.mu == pytest.approx(1.0, abs=1e-4)
    assert found.k == pytest.approx(2 * (15 * math.log(3) - 10) - 2, abs=1e-6)
    assert found.combination == ("x",)
    # As a protomodel of two particles, three branching ratios and four multipliers, it would pay 2 (1 + 3/4 + 1/2).
    dear = Templates(("t",), templates.yields, np.array([protomodel_cost(2, 3, 4)]))
    other = Scorer(table, dear, scorer.graph, None).score(np.array([1.0]))
    assert other.k == pytest.approx(found.k + 2 - 4.5, abs=1e-9)


def test_the_combination_is_the_best_maximal_one_and_takes_what_lowers_k() -> None:
    """Signal in all: x (excess) and y (none) exclude each other; z, a little low, may be combined and so must be."""
    table = small([15, 5, 6])
    templates = Templates(("t",), np.array([[10.0, 10.0, 2.0]]))
    scorer = Scorer(table, templates, compatibility_graph(table, "experiment"), None)
    found = scorer.score(np.array([1.0]))
    assert found.combination == ("x", "z")

    def loss(mu: float) -> float:
        x = 15 * math.log((5 + 10 * mu) / 5) - 10 * mu
        return -2 * (x + 6 * math.log((8 + 2 * mu) / 8) - 2 * mu)

    best = minimize_scalar(loss, bounds=(0, 3), method="bounded", options={"xatol": 1e-10})
    assert found.mu == pytest.approx(best.x, abs=1e-3)
    assert found.k == pytest.approx(-best.fun - 2, abs=1e-6)
    assert found.gains["z"] < 0


def test_mu_stays_below_what_other_regions_exclude() -> None:
    """The excess of x alone wants mu = 1; y, which cannot be combined with x, excludes more than its own limit."""
    table = small([15, 2, 8])
    templates = Templates(("t",), np.array([[10.0, 10.0, 0.0]]))
    graph = compatibility_graph(table, "experiment")
    free = Scorer(table, templates, graph, None).score(np.array([1.0]))
    limits = UpperLimits(table)
    found = Scorer(table, templates, graph, limits).score(np.array([1.0]))
    allowed = float(limits.of(np.array([1]), np.array([2.0]))[0]) / 10
    assert free.mu == pytest.approx(1.0, abs=1e-4)
    assert (found.limited_by, found.combination) == ("y", ("x",))
    assert found.mu == pytest.approx(allowed, rel=1e-6)
    expected = 2 * (15 * math.log((5 + 10 * allowed) / 5) - 10 * allowed) - 2
    assert found.k == pytest.approx(expected, abs=1e-5)
    assert found.k < free.k


def test_an_analysis_enters_with_its_most_sensitive_region_or_with_its_covariance() -> None:
    columns = {"region": ["A", "B"], "analysis": ["x", "x"], "observed": [9, 40], "expected": [4.0, 36.0],
               "error": [1.0, 3.0]}  # fmt: skip
    apart = RegionTable.from_columns(columns)
    templates = Templates(("t",), np.array([[3.0, 2.0]]))
    graph = compatibility_graph(apart, "analysis")
    # s^2 / (b + error^2) is 9 / 5 in A and 4 / 45 in B.
    alone = Scorer(apart, templates, graph, None).score(np.array([1.0]))
    mean = np.array([0.0, alone.mu])
    n, b, error = (np.array([v]) for v in (9.0, 4.0, 1.0))
    values = log_likelihood(n[:, None], b[:, None], error[:, None], 3.0 * mean)[0]
    assert alone.k == pytest.approx(2 * (values[1] - values[0]) - 2, abs=1e-8)
    matrix = np.array([[1.0, 1.5], [1.5, 9.0]])
    joint = RegionTable.from_columns(columns, {"x": {"order": ["A", "B"], "covariance": matrix.tolist()}})
    together = Scorer(joint, templates, graph, None).score(np.array([1.0]))
    regions = JointRegions.of(joint.observed, joint.expected, Covariance(np.arange(2), matrix))
    best = minimize_scalar(
        lambda mu: -float(regions.log_likelihood(np.array([[3.0, 2.0]]) * mu)[0]), bounds=(0, 6), method="bounded"
    )
    gain = 2 * (-best.fun - float(regions.log_likelihood(np.zeros((1, 2)))[0]))
    assert together.k == pytest.approx(gain - 2, abs=1e-5)
