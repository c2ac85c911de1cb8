"""Nuisances in the report: tables, pictures, and the checks of learned log-ratios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm import GaussianConstraint, HistogramModel, NPLMTest, Nuisances, RatioSettings, Sample, learn_from_samples
from nplm.learning.checks import validate_ratio
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.nuisance.summary_text import MOST_IN_MATRIX, correlation_rows, decomposition, nuisance_rows
from nplm.report.nuisances_block import learned_block, nuisances_block
from nplm.report.run import write_run


def summary(k: int, impact: float | None = 2.5) -> NuisanceSummary:
    """k nuisances n0, n1, ... of which the first two are correlated by -0.8, all others by 0.1."""
    rho = np.full((k, k), 0.1) + 0.9 * np.eye(k)
    rho[0, 1:2] = rho[1:2, 0] = -0.8
    names = tuple(f"n{i}" for i in range(k))
    sigma, measured, nu, nu_tau = (np.full(k, value) for value in (0.5, 0.25, 1.0, 0.75))
    effect = None if impact is None else np.full(k, impact)
    return NuisanceSummary.of(names, sigma, measured, nu, rho * 0.04, nu_tau, 7.0, 3.0, effect)


def test_rows_hold_constraint_fits_pull_and_impact() -> None:
    assert nuisance_rows(summary(1)) == [
        ("nuisance", "constraint", "fitted without f", "fitted with f", "pull", "impact on t"),
        ("n0", "0.25 +- 0.5", "1 +- 0.2", "0.75", "+1.50", "+2.50"),
    ]
    assert nuisance_rows(summary(1, None))[1] == ("n0", "0.25 +- 0.5", "1 +- 0.2", "0.75", "+1.50")
    unknown = replace(summary(1, np.nan), measured=np.array([np.nan]))
    assert nuisance_rows(unknown)[1] == ("n0", "no value, +- 0.5", "1 +- 0.2", "0.75", "none", "not known")


def test_a_fit_beyond_what_was_learned_is_remarked_upon() -> None:
    """nu = 1 +- 0.2 in both."""
    ends = np.array([[-0.7, 0.7], [-np.inf, np.inf]])
    (caution,) = replace(summary(2), learned_range=ends).cautions()
    assert "n0 = 1," in caution
    assert "between -0.7 and 0.7" in caution
    assert replace(summary(2), learned_range=ends + 0.15).cautions() == []
    assert summary(2).cautions() == []


def test_correlations_are_a_matrix_or_the_largest_of_it() -> None:
    assert correlation_rows(summary(1)) == []
    assert correlation_rows(summary(2)) == [
        ("correlation", "n0", "n1"),
        ("n0", "+1.00", "-0.80"),
        ("n1", "-0.80", "+1.00"),
    ]
    many = correlation_rows(summary(MOST_IN_MATRIX + 1))
    assert many[1] == ("n0", "n1", "-0.80")
    assert many[2][2] == "+0.10"


def test_t_is_taken_apart() -> None:
    assert decomposition(summary(2)) == "tau 10.00 - Delta 3.00 (n0, n1 profiled)"
    assert decomposition(summary(20)).endswith("(20 nuisances profiled)")
    page = nuisances_block(summary(2))
    assert "t = tau - Delta = 10.00 - 3.00 = 7.00" in page
    assert "0.25 ± 0.5" in page
    assert "Impact:" in page
    assert "Impact:" not in nuisances_block(summary(2, None))


def samples(seed: int, factor: float = 1.0) -> tuple[Sample, list[tuple[dict[str, float], Sample]]]:
    rng, n = np.random.default_rng(seed), 3000

    def at(nu: float) -> Sample:
        return Sample(np.exp(nu) * rng.exponential(size=n), np.full(n, 0.1), ["x"])

    return at(0.0), [({"<scale>": nu}, at(factor * nu)) for nu in (-0.2, 0.2)]


@pytest.fixture(scope="module")
def learned() -> LearnedLogRatio:
    return learn_from_samples(*samples(1), settings=RatioSettings(members=2, hidden=(2,)))


def test_checks_are_shown_with_their_verdict(learned: LearnedLogRatio) -> None:
    page = learned_block([learned])
    assert learned.validation is not None
    assert f"all {len(learned.validation.checks)} checks passed" in page
    assert "&lt;scale&gt;" in page
    assert "<scale>" not in page
    assert page.count("<tr") == 1 + len(learned.validation.checks)
    wrong = learned.with_validation(validate_ratio(learned, *samples(2, -1.0)))
    assert wrong.validation is not None
    assert f"{len(wrong.validation.failures)} of {len(wrong.validation.checks)} checks FAILED" in learned_block([wrong])
    assert "never checked" in learned_block([replace(learned, validation=None)])
    assert learned_block([]) == ""


def test_a_run_draws_pulls_and_what_was_learned(learned: LearnedLogRatio, tmp_path: Path) -> None:
    reference = samples(1)[0]
    nuisances = Nuisances(learned, GaussianConstraint("<scale>", 0.2))
    test = NPLMTest(reference, HistogramModel(4), nuisances=nuisances)
    data = Sample(1.1 * np.random.default_rng(3).exponential(size=300), features=["x"])
    page = write_run(tmp_path, test, data, test.run(data, 0)).read_text(encoding="utf-8")
    for stem in ("nuisances", "learned-01-scale"):
        assert (tmp_path / "plots" / f"{stem}.png").stat().st_size > 1000
    for title in ("Pulls and impacts", "Learned log-ratio of &lt;scale&gt;", "<h2>Learned log-ratios</h2>"):
        assert page.count(title) >= 1
    assert page.index("Pulls and impacts") < page.index("<h2>Pictures</h2>") < page.index("<h2>Learned log-ratios</h2>")
