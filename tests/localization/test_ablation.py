"""t without each feature, against tests that never had it."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import GaussianConstraint, HistogramModel, KernelModel, NPLMTest, Nuisances, Sample
from nplm.data.scaler import Scaler
from nplm.localization.ablation import leave_one_out, project_out
from nplm.localization.comparison import Comparison, compared
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.models.kernel.without_feature import KernelWithout
from nplm.nuisance import Normalization

MODEL = KernelModel(width=1.5, centers=40, penalty=1e-4)


def samples(rng: np.random.Generator, shift: float = 0.3) -> tuple[Sample, Sample]:
    """Three features, of which x1 is shifted in the data."""
    reference = Sample(rng.normal(size=(1500, 3)), np.full(1500, 0.2))
    return reference, Sample(rng.normal((0.0, shift, 0.0), 1.0, size=(300, 3)))


def without(sample: Sample, feature: int) -> Sample:
    names = tuple(name for j, name in enumerate(sample.features) if j != feature)
    return Sample(np.delete(sample.events, feature, axis=1), sample.weights, names)


@pytest.mark.parametrize("kind", ["yield and shape", "shape", "nuisances"])
def test_it_is_the_test_of_the_other_features_on_the_same_centres(rng: np.random.Generator, kind: str) -> None:
    reference, data = samples(rng)
    shape_only = kind == "shape"
    nuisances = None
    if kind == "nuisances":
        nuisances = Nuisances(Normalization("yield"), GaussianConstraint(("yield",), np.array([0.1])))
        data = Sample(np.concatenate([data.events, data.events[:60]]))
    test = NPLMTest(reference, MODEL, shape_only=shape_only, nuisances=nuisances)
    found = leave_one_out(test, data)
    assert [row.feature for row in found.rows] == [None, "x0", "x1", "x2"]
    assert found.rows[0].t == pytest.approx(test.statistic(data))
    assert min(found.rows[1:], key=lambda row: row.t).feature == "x1"

    less, given, row = without(reference, 1), without(data, 1), found.rows[2]
    size = len(reference) + reference.total_weight
    whole = MODEL.prepare(reference, test.coordinates).modes
    exact: PreparedKernel | PreparedKernelWithNuisances = PreparedKernel.of(
        less, Scaler.fit(less), np.delete(whole.centers, 1, axis=1), whole.width, 2e-4 * size
    )
    if nuisances is not None:
        exact = PreparedKernelWithNuisances.of(exact, nuisances, less)
    scale = given.total_weight / less.total_weight if shape_only else 1.0
    t = scale * exact.fit([given.scaled_to(less.total_weight) if shape_only else given]).t[0]
    null = exact.null(given, shape_only=shape_only)
    assert row.t == pytest.approx(t, rel=1e-5)
    assert row.change == pytest.approx(t - found.rows[0].t, rel=1e-5)
    assert row.null_mean == pytest.approx(null.mean, rel=1e-6)
    assert row.null_sd == pytest.approx(null.sd, rel=1e-6)


def test_modes_that_are_filled_up_change_nothing(rng: np.random.Generator) -> None:
    reference, data = samples(rng)
    test = NPLMTest(reference, MODEL)
    assert isinstance(test.prepared, PreparedKernel)
    size = len(reference) + reference.total_weight
    same = test.with_model(KernelWithout(test.prepared, 2e-4 * size, 40))
    assert isinstance(same.prepared, PreparedKernel)
    assert same.prepared.modes.count == 64 > test.prepared.modes.count
    weighted = Sample(data.events, rng.exponential(size=300))
    for sample in (data, weighted):
        # Fits end at the minimum to this; the null is summed.
        assert same.statistic(sample) == pytest.approx(test.statistic(sample), rel=1e-6)
        assert same.asymptotic_null(sample).mean == pytest.approx(test.asymptotic_null(sample).mean, rel=1e-9)
        assert same.asymptotic_null(sample).sd == pytest.approx(test.asymptotic_null(sample).sd, rel=1e-9)


@pytest.mark.slow
def test_fewer_centres_serve_all_rows(rng: np.random.Generator) -> None:
    reference, data = samples(rng)
    model = KernelModel(width=1.5, centers=130, penalty=1e-4)
    test = NPLMTest(reference, model)
    found = leave_one_out(test, data, most_centers=100)
    assert found.centers == 100
    assert found.rows[0].t < test.statistic(data)


def test_what_f_says_without_a_feature_is_the_ratio_of_the_densities_that_are_left(rng: np.random.Generator) -> None:
    """f of x0 alone is lost without x0, and nothing of it without another."""
    x = rng.normal(size=(4000, 3))
    reference = Sample(x, np.full(4000, 0.5))
    comparison = Comparison(Sample(x[:10]), np.zeros(10), reference, 0.3 * x[:, 0] - 0.045)
    found = project_out(comparison)
    whole, x0, x1, x2 = (row.t for row in found.rows)
    assert found.exact == pytest.approx(2000 * 0.3**2, rel=0.2)
    assert whole == pytest.approx(found.exact, rel=0.02)
    assert x1 == pytest.approx(whole, rel=0.02)
    assert x2 == pytest.approx(whole, rel=0.02)
    # In 4000 events a few of which stand for many: functions of x1 and x2 follow x0 by chance.
    assert x0 < 0.05 * whole
    assert found.rows[0].null_mean is None


def test_another_model_is_said_by_its_f(rng: np.random.Generator) -> None:
    reference, data = samples(rng, shift=0.5)
    test = NPLMTest(reference, HistogramModel(edges=((-9, 9), (-9, -1, 0, 1, 9), (-9, 9))))
    found = project_out(compared(test, data, test.run(data, toys=0)))
    assert min(found.rows[1:], key=lambda row: row.t).feature == "x1"
    with pytest.raises(ValueError, match="the model is histogram: use project_out"):
        leave_one_out(test, data)


def test_one_feature_is_refused(rng: np.random.Generator) -> None:
    reference = Sample(rng.normal(size=(500, 1)))
    test = NPLMTest(reference, KernelModel(width=1.0, centers=20))
    with pytest.raises(ValueError, match=r"one feature only \(x0\)"):
        leave_one_out(test, reference)
    with pytest.raises(ValueError, match=r"one feature only \(x0\)"):
        project_out(Comparison(reference, np.zeros(500), reference, np.zeros(500)))
