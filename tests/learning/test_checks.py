"""Checks of learned log-ratios: a right one passes, a wrong one does not; and files of ratios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm import Sample
from nplm.learning.checks import coverage, describe_checks, validate_ratio
from nplm.learning.from_samples import learn_from_samples
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.settings import RatioSettings, held_out
from nplm.learning.store import RatioFileError, read_ratio, write_ratio
from tests.learning.learned_problems import SIGMA, exponential

SETTINGS = RatioSettings(members=3, hidden=(4,))


def samples(
    seed: int, moved: float = SIGMA, events: int = 20_000
) -> tuple[Sample, list[tuple[dict[str, float], Sample]]]:
    rng = np.random.default_rng(seed)
    varied = [({"scale": SIGMA * u}, exponential(rng, events, moved * u)) for u in (-1, 1)]
    return exponential(rng, events), varied


@pytest.fixture(scope="module")
def learned() -> LearnedLogRatio:
    return learn_from_samples(*samples(1), settings=SETTINGS)


def test_a_right_ratio_passes_on_other_events_and_a_wrong_one_fails(learned: LearnedLogRatio) -> None:
    """Size: 1% over all checks. The wrong ratio is that of samples that were moved by half as much."""
    fresh = validate_ratio(learned, *samples(2))
    assert fresh.passed, fresh.describe_failures()
    assert learned.with_validation(fresh).validation is fresh
    wrong = validate_ratio(learned, *samples(2, SIGMA / 2))
    assert not wrong.passed
    assert {"feature", "calibration", "term"} <= {check.kind for check in wrong.failures}
    with pytest.raises(ValueError, match=r"failed its checks: .*p = .*more events"):
        learned.with_validation(wrong).require_valid()
    assert any("FAILED" in row[3] for row in describe_checks(wrong))
    assert not any("FAILED" in row[3] for row in describe_checks(fresh))
    # A yield that is off by 5% while the shape is right.
    central, varied = samples(2)
    more = [(nu, replace(sample, weights=1.05 * sample.weights)) for nu, sample in varied]
    assert "yield" in {check.kind for check in validate_ratio(learned, central, more).failures}


def test_p_values_of_a_right_ratio_are_not_small_too_often() -> None:
    """An exact ratio, put in place of a learned one, against 40 sets of fresh samples: p < .05 in 5% of 120 checks.

    Size: 13 or more of 120 have a chance of about 1%.
    """
    ratio = _exact()
    p = [
        check.p_value
        for seed in range(40)
        for check in validate_ratio(ratio, *samples(100 + seed, events=4000)).checks
        if check.kind == "feature" or (check.kind == "calibration" and check.nu["scale"] > 0)
    ]
    assert len(p) == 120
    assert sum(value < 0.05 for value in p) <= 12
    assert sum(value > 0.5 for value in p) > 40


def _exact() -> LearnedLogRatio:
    """A network without neurons' contributions whose linear part is x - 1 and -x, and the third order left out."""
    ratio = learn_from_samples(*samples(1, events=2000), settings=replace(SETTINGS, members=1))
    (part,) = ratio.parts
    thetas = np.zeros_like(part.thetas)
    bias = part.network.layout.parameters - 1
    x = part.scaler
    # log r through +-sigma: (sinh s / s) and (cosh s - 1) 2 / s^2 instead of 1 make it exact there.
    first, second = np.sinh(SIGMA) / SIGMA, 2 * (np.cosh(SIGMA) - 1) / SIGMA**2
    thetas[0, 0, [bias, bias + 1]] = SIGMA * (first * x.location[0] - 1), SIGMA * first * x.scale[0]
    thetas[0, 1, [bias, bias + 1]] = -(SIGMA**2) * second * x.location[0], -(SIGMA**2) * second * x.scale[0]
    return replace(ratio, parts=(replace(part, thetas=thetas),))


def test_the_spread_covers_the_difference_of_two_halves(learned: LearnedLogRatio) -> None:
    """Two ensembles of three from independent events. Size: a ratio above 4 has a chance of about 2%."""
    other = learn_from_samples(*samples(9), settings=SETTINGS)
    events = exponential(np.random.default_rng(5), 5000).events
    pulls = coverage(learned, events, other)
    assert ((pulls > 0.1) & (pulls < 4)).all()
    exact = _exact().basis(events)
    assert (coverage(learned, events, exact) < 6).all()
    # Negative control: a truth that is off by half its size.
    assert coverage(learned, events, 0.5 * exact)[0] > 6


def test_held_out_events_are_not_those_of_the_training() -> None:
    central, varied = samples(1, events=2000)
    kept, _ = held_out(central, varied, SETTINGS)
    assert kept.total_weight == pytest.approx(central.total_weight)
    train, held = SETTINGS.split(central, 0)
    assert len(kept) == len(held) == 400
    assert not set(train) & set(held)
    assert set(train) | set(held) == set(range(2000))


def test_files_give_back_the_ratio_and_refuse_another_reference(learned: LearnedLogRatio, tmp_path: Path) -> None:
    path = tmp_path / "ratio.npz"
    write_ratio(path, learned)
    central, _ = samples(1)
    read = read_ratio(path, central)
    events = central.events[:100]
    np.testing.assert_array_equal(read.basis(events), learned.basis(events))
    np.testing.assert_array_equal(read.spread(events), learned.spread(events))
    assert read.document() == learned.document()
    assert read.validation is not None
    assert learned.validation is not None
    assert read.validation.to_dict() == learned.validation.to_dict()
    with pytest.raises(ValueError, match=r"learned on another reference than exponential at 0 .*mean"):
        read_ratio(path, samples(2)[0])
    other = Sample(central.events, central.weights, ["y"])
    with pytest.raises(ValueError, match="features"):
        read_ratio(path, other)


def test_failed_or_unchecked_ratios_are_not_used_silently(learned: LearnedLogRatio, tmp_path: Path) -> None:
    path = tmp_path / "ratio.npz"
    write_ratio(path, learned.with_validation(validate_ratio(learned, *samples(2, SIGMA / 2))))
    with pytest.raises(ValueError, match="failed its checks"):
        read_ratio(path)
    assert read_ratio(path, allow_failed=True).validation is not None
    write_ratio(path, replace(learned, validation=None))
    with pytest.raises(ValueError, match="never checked"):
        read_ratio(path)
    (part,) = learned.parts
    stuck = replace(part, records=(replace(part.records[0], converged=False), *part.records[1:]))
    with pytest.raises(ValueError, match="1 of the 3 fits"):
        replace(learned, parts=(stuck,)).require_valid()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    with pytest.raises(RatioFileError, match="cannot be read"):
        read_ratio(path)
    np.savez(path, header=np.array('{"schema": "something/1"}'))
    with pytest.raises(RatioFileError, match="schema something/1"):
        read_ratio(path)
    np.savez(path, x=np.arange(3))
    with pytest.raises(RatioFileError, match="holds no learned"):
        read_ratio(path)
    np.savez(path, header=np.array({"a": 1}, dtype=object), allow_pickle=True)
    with pytest.raises(RatioFileError, match="holds no learned"):
        read_ratio(path)


def test_one_member_has_no_spread_and_other_features_are_refused() -> None:
    ratio = _exact()
    with pytest.raises(ValueError, match="no spread"):
        ratio.spread(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="2 features"):
        ratio.basis(np.zeros((2, 2)))
    assert ratio.basis(np.empty((0, 1))).shape == (0, 2)


def test_edited_contents_are_refused(learned: LearnedLogRatio, tmp_path: Path) -> None:
    path = tmp_path / "ratio.npz"
    write_ratio(path, learned.with_validation(validate_ratio(learned, *samples(1, SIGMA))))
    with np.load(path) as file:
        arrays = dict(file)
    edited = {**arrays, "header": np.array(str(arrays["header"]).replace('"yields": "keep"', '"yields": "factor-out"'))}
    for changed in ({**arrays, "thetas_0": 1.1 * arrays["thetas_0"]}, edited):
        np.savez(path, **changed)
        with pytest.raises(RatioFileError, match=r"ratio.npz was changed: its contents .*: learn it anew"):
            read_ratio(path, allow_failed=True)
    del arrays["digest"]
    older = str(arrays["header"]).replace("nplm-learned-ratio/2", "nplm-learned-ratio/1")
    np.savez(path, **{**arrays, "header": np.array(older)})  # as an earlier version wrote it
    assert read_ratio(path, allow_failed=True).nuisances == learned.nuisances
