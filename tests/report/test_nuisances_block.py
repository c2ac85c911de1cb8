"""Nuisances on a page: tables, pictures, and the checks of learned log-ratios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm import GaussianConstraint, HistogramModel, NPLMTest, Nuisances, Sample
from nplm.learning import RatioSettings, learn_from_samples
from nplm.learning.checks import validate_ratio
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.report.nuisances_block import learned_block, nuisances_block
from nplm.report.write_run import write_run
from tests.nuisance.summaries import summary


def test_t_is_taken_apart() -> None:
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
