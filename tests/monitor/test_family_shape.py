"""Windows in a family of tests: the size with a small reference, the interpolated null, and what leads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from nplm import KernelModel, Monitor, Sample
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import FamilySettings
from nplm.family.test import FamilyTest
from nplm.monitor import ControlLimits, family_shape
from nplm.monitor.family_shape import FamilyShape, middle_z

_ONE = FamilySettings(classes=("one", "products", "intervals"))


@pytest.fixture(scope="module")
def line() -> FamilyShape:
    return FamilyShape.of(Sample(np.random.default_rng(1).normal(size=(3000, 1))), _ONE, 500)


@pytest.mark.slow
def test_false_alarms_are_as_stated_with_a_reference_of_five_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # 40 references with 10 windows each; the shared reference is 3% of the variance. Negative control: 20% wider.
    monkeypatch.setattr(family_shape, "RESAMPLES", 199)
    rng = np.random.default_rng(2)
    p, wide = [], []
    for _ in range(40):
        shape = FamilyShape.of(Sample(rng.exponential(size=(1500, 1))), _ONE, 300)
        p += [shape(Sample(rng.exponential(size=(300, 1)))).p for _ in range(10)]
        wide += [shape(Sample(1.2 * rng.exponential(size=(300, 1)))).p]
    assert binomtest(int((np.array(p) <= 0.1).sum()), 400, 0.1).pvalue > 0.01
    assert np.mean(np.array(wide) <= 0.1) > 0.5


def test_the_distribution_between_its_knots_is_what_it_would_be_there(line: FamilyShape) -> None:
    null = line.null(500)
    exact = FamilyNull(null.family, null.surprise, null.seed)
    for t in (4.2, 7.75, 11.3, 30.2):
        assert null.log_p(t) == pytest.approx(exact.log_p(t), abs=0.1)
    # It does not depend on what was asked before.
    again = family_shape.TabulatedNull(null.family, null.surprise, null.seed)
    assert again.log_p(11.3) == null.log_p(11.3)
    assert null.log_p(14.0) < null.log_p(12.0) - 1.5


def test_windows_of_about_one_size_share_what_was_prepared(line: FamilyShape) -> None:
    assert line.null(480) is line.null(500)
    assert line.null(250) is not line.null(500)
    # Five sizes for each factor of ten: 500, 315, 199, ...
    assert line.null(260).family.window == 315


def test_weights_count_where_they_vary(line: FamilyShape) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 1)) + 0.1
    assert line(Sample(x, np.full(500, 2.0))).p == line(Sample(x)).p
    window = Sample(x, rng.uniform(0.5, 1.5, 500))
    test = FamilyTest(line.reference, window, settings=_ONE, seed=line.seed).run()
    assert line(window).p == test.calibration.p_value


def test_the_shared_reference_correlates_windows_by_its_share_at_most(line: FamilyShape) -> None:
    assert line.shared_fluctuation(1000) == pytest.approx((1000 / 4000) ** 2)


def test_counted_p_values_have_a_z_without_bias() -> None:
    z = np.array([middle_z(k, 99) for k in range(100)])
    assert abs(z.mean()) < 1e-12
    assert z[0] == pytest.approx(-norm.ppf(0.005))


def test_counts_and_flags_are_features_and_the_leading_one_is_named() -> None:
    rng = np.random.default_rng(4)

    def draw(n: int, share: float) -> np.ndarray:
        return np.column_stack([rng.normal(size=n), rng.poisson(3, n), rng.random(n) < share])

    reference = Sample(draw(5000, 0.3), features=["pt", "jets", "tagged"])
    settings = FamilySettings(classes=("one", "products"))
    monitor = Monitor(reference, family=settings, window=500, limits=ControlLimits(0.001, drift=False))
    good, bad = monitor.watch([draw(500, 0.3), draw(500, 0.5)])
    assert good.status == "ok"
    assert "shape" in bad.alarms
    assert "most in " in bad.message
    assert "tagged" in bad.message
    assert "events of the window where" not in good.message


def test_a_window_in_which_nothing_can_be_tested_says_so() -> None:
    reference = Sample(np.random.default_rng(5).normal(size=(400, 1)))
    settings = FamilySettings(classes=("one",), one_scales=(0.01,))
    monitor = Monitor(reference, family=settings, limits=ControlLimits(drift=False), least_events=1)
    (verdict,) = monitor.watch([np.random.default_rng(6).normal(size=(3, 1))])
    assert verdict.status == "problem"
    assert "too small to compare shapes" in verdict.message
    assert verdict.p is None


def test_one_kernel_and_the_family_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Monitor(np.random.default_rng(1).normal(size=(400, 1)), KernelModel(), family=_ONE)
