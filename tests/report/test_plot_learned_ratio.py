"""The picture of a learned log-ratio: points, lines, pulls and verdicts are those of its validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm import Sample
from nplm.learning import LearnedLogRatio, RatioSettings, learn_from_samples
from nplm.learning.checks import validate_ratio
from nplm.plot.learned_ratio import plot_learned_ratio


def samples(seed: int, factor: float = 1.0) -> tuple[Sample, list[tuple[dict[str, float], Sample]]]:
    rng, n = np.random.default_rng(seed), 3000

    def at(nu: float) -> Sample:
        return Sample(np.column_stack([np.exp(nu) * rng.exponential(size=n), rng.normal(size=n)]), features=["x", "$y"])

    return at(0.0), [({"scale": nu}, at(factor * nu)) for nu in (-0.2, 0.2)]


@pytest.fixture(scope="module")
def learned() -> LearnedLogRatio:
    return learn_from_samples(*samples(1), settings=RatioSettings(members=2, hidden=(2,)))


def test_points_are_varied_samples_and_lines_the_reweighted_reference(learned: LearnedLogRatio) -> None:
    figure = plot_learned_ratio(learned, "scale")
    yields, pulls, *_, calibration = figure.axes
    assert len(figure.axes) == 5
    assert pulls.get_xlabel() == "x"
    assert figure.axes[3].get_xlabel() == "$y"
    assert learned.validation is not None
    for number, curve in enumerate(curve for curve in learned.validation.curves if curve.feature == "x"):
        points = yields.containers[number].lines[0].get_ydata()
        np.testing.assert_allclose(points, curve.varied / curve.central)
        errors = np.hypot(curve.varied_error, curve.reweighted_error)
        np.testing.assert_allclose(pulls.lines[number + 1].get_ydata(), (curve.varied - curve.reweighted) / errors)
    texts = [text.get_text() for text in yields.texts]
    assert [text.split(":")[0] for text in texts] == ["scale = -0.2", "scale = 0.2"]
    assert not any("FAILED" in text for text in texts)
    assert "c = 1 / (1 + r)" in calibration.get_xlabel()


def test_failed_checks_are_marked(learned: LearnedLogRatio) -> None:
    wrong = learned.with_validation(validate_ratio(learned, *samples(2, -1.0)))
    assert all("FAILED" in text.get_text() for text in plot_learned_ratio(wrong, "scale").axes[0].texts)


def test_what_cannot_be_drawn_is_said(learned: LearnedLogRatio) -> None:
    with pytest.raises(ValueError, match="no sample varied 'other' alone"):
        plot_learned_ratio(learned, "other")
    with pytest.raises(ValueError, match="never validated"):
        plot_learned_ratio(replace(learned, validation=None), "scale")
