"""Measurements: fits of many kinds of log-ratios, the reference's own fluctuation, and bad input."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from nplm import FamilyTest, load_result
from nplm.data.sample import Sample
from nplm.measure import Measurement, Parameters
from nplm.measure.model import ParametricModel
from nplm.nuisance import (
    CallableLogRatio,
    GaussianConstraint,
    JaxLogRatio,
    Normalization,
    Nuisances,
    SumOfLogRatios,
)
from toys.exponential_nuisances import scale_ratio

PARAMETERS = Parameters([scale_ratio(), Normalization("norm")])


def _draw(rng: np.random.Generator, n_reference: int, total: float = 400.0) -> tuple[Sample, Sample]:
    reference = Sample(rng.exponential(size=n_reference), np.full(n_reference, total / n_reference), ["x"], "reference")
    return reference, Sample(rng.exponential(size=rng.poisson(total)), features=["x"], name="data")


def test_errors_count_the_reference_that_is_drawn_anew() -> None:
    """With as many reference events as data the scale scatters sqrt 2 times as much; the naive error fails.

    120 trials tell a standard deviation to 6.5%.
    """
    rng = np.random.default_rng(8)
    found, naive, full = [], [], []
    for _ in range(120):
        reference, data = _draw(rng, 400)
        model = ParametricModel.of(reference, PARAMETERS)
        observed = model.observed(data)
        end = model.descend(observed, np.zeros(2))
        inverse = np.linalg.inv(end.hessian)
        found.append(end.point[0])
        naive.append(inverse[0, 0])
        full.append((inverse + inverse @ model.noise_of_reference(end.point) @ inverse)[0, 0])
    spread = np.std(found)
    assert abs(spread / np.sqrt(np.mean(full)) - 1) < 3 * 0.065
    assert spread / np.sqrt(np.mean(naive)) > 1 + 3 * 0.065
    assert np.sqrt(np.mean(full) / np.mean(naive)) == pytest.approx(np.sqrt(2), rel=0.05)


def test_nuisances_alone_are_taken_out_of_the_family() -> None:
    """Scale and yield move by two standard deviations of their constraints: p of 10 samples is uniform (KS at 1%).

    Without nuisances the same data differ from the reference (control), and a peak is seen beside them.
    """
    rng = np.random.default_rng(12)
    ratio = SumOfLogRatios([scale_ratio(), Normalization("norm")])
    nuisances = Nuisances(ratio, GaussianConstraint({"scale": 0.1, "norm": 0.1}))
    p = []
    for _ in range(10):
        reference = Sample(rng.exponential(size=3000), np.full(3000, 0.2), ["x"], "reference")
        data = Sample(np.exp(0.2) * rng.exponential(size=rng.poisson(600 * np.exp(0.2))), features=["x"], name="data")
        result = Measurement(reference, nuisances=nuisances).run(data, resamples=199)
        assert result.goodness_of_fit is not None
        p.append(result.goodness_of_fit.p_value)
    assert kstest(p, "uniform").pvalue > 0.01
    assert result.names == ("scale", "norm")
    assert result["scale"] == pytest.approx(0.2, abs=0.12)
    assert "The reference describes the data" in repr(result)
    assert FamilyTest(reference, data, expected_ratio=1.0).run(resamples=199).p_value < 1e-3
    peak = Sample(np.append(data.events[:, 0], rng.normal(4, 0.05, 60)), features=["x"], name="data")
    left = Measurement(reference, nuisances=nuisances).run(peak, resamples=199)
    assert left.goodness_of_fit is not None
    assert left.goodness_of_fit.z > 4
    assert "interval of x" in left.goodness_of_fit.tests
    assert "between x = 3." in left.goodness_of_fit.leading_words
    assert "events of the data where" in left.goodness_of_fit.leading_words
    assert "The nuisances leave something over" in repr(left)


def test_toys_say_what_intervals_cover_and_give_thresholds() -> None:
    reference, data = _draw(np.random.default_rng(1), 800)
    result = Measurement(reference, PARAMETERS).run(data, toys=60, goodness_of_fit=False, contours=[], seed=3)
    assert result.toys is not None
    assert result.toys.count == 60
    for each in result.intervals:
        assert each.by_toys
        assert each.coverage is not None
        # 60 toys: within three binomial errors of the level.
        assert abs(each.coverage[0] - each.level) < 3 * np.sqrt(each.level * (1 - each.level) / 60) + 0.01
    assert result.interval("scale", 0.95).low < result.interval("scale").low


def test_an_event_split_into_signed_parts_changes_no_estimate() -> None:
    """Weights 2 and -1 in the place of 1: the same fit and error by the data, and more noise of the reference."""
    reference, data = _draw(np.random.default_rng(2), 500)
    w = reference.weights
    split = Sample(np.repeat(reference.events, 2, axis=0), np.column_stack([2 * w, -w]).ravel(), ["x"], "signed")
    one, other = (
        Measurement(each, PARAMETERS).run(data, goodness_of_fit=False, contours=[]) for each in (reference, split)
    )
    np.testing.assert_allclose(other.values, one.values, atol=1e-7)
    np.testing.assert_allclose(other.of_data, one.of_data, rtol=1e-6)
    # The sum of squares is five times as large.
    assert other.errors_of_reference[0] == pytest.approx(np.sqrt(5) * one.errors_of_reference[0], rel=0.05)
    assert any("finite size of the reference" in note for note in other.notes)


def test_an_interpolated_callable_agrees_with_the_closed_form() -> None:
    reference, data = _draw(np.random.default_rng(3), 2000)

    def log_r(x: np.ndarray, nu: float) -> np.ndarray:
        return -nu - x[:, 0] * np.expm1(-nu)

    points = []
    for ratio in (CallableLogRatio("scale", log_r, reach=0.3, order=5), scale_ratio()):
        model = ParametricModel.of(reference, Parameters(ratio))
        points.append(model.descend(model.observed(data), np.zeros(1)).point)
    np.testing.assert_allclose(points[0], points[1], atol=1e-5)


def test_a_square_has_two_minima_and_a_scale_of_its_own() -> None:
    """log r depends on c^2: the information at 0 is none, and -c is as good as c."""
    reference = Sample(np.linspace(-1, 1, 400), np.full(400, 1.0), ["x"], "reference")
    ratio = JaxLogRatio("c", lambda x, c: jnp.log1p(c[0] ** 2 * (1 + x[:, 0])))
    data = Sample(np.concatenate([np.linspace(-1, 1, 400), np.full(100, 0.5)]), features=["x"], name="data")
    result = Measurement(reference, ratio).run(data, goodness_of_fit=False)
    assert len(result.others) == 1
    assert result.others[0][0][0] == pytest.approx(-result["c"], abs=1e-5)
    assert any("nearly as well at c" in note for note in result.notes)


def test_a_bound_holds_the_fit_and_its_intervals() -> None:
    reference = Sample(np.linspace(0, 1, 100), np.full(100, 1.0), ["x"], "reference")
    data = Sample(np.linspace(0, 1, 80), features=["x"], name="data")
    ratio = JaxLogRatio("mu", lambda x, mu: jnp.log1p(0.2 * mu[0]) + 0 * x[:, 0])
    free = Measurement(reference, Parameters(ratio, bounds={"mu": (-4.0, 10.0)})).run(data, goodness_of_fit=False)
    held = Measurement(reference, Parameters(ratio, bounds={"mu": (0.0, 10.0)})).run(data, goodness_of_fit=False)
    assert free["mu"] == pytest.approx(-1.0, abs=1e-5)
    assert held["mu"] == 0.0
    assert held.interval("mu").low == 0.0
    assert any("at its bound" in note for note in held.notes)


def test_weights_of_the_data_widen_errors() -> None:
    """Data of weight 2 have sqrt 2 times the error of as large a yield of ones."""
    rng = np.random.default_rng(4)
    reference = Sample(rng.exponential(size=4000), np.full(4000, 0.1), ["x"], "reference")
    data = Sample(rng.exponential(size=200), np.full(200, 2.0), ["x"], "data")
    result = Measurement(reference, Normalization("norm")).run(data, goodness_of_fit=False)
    assert result["norm"] == pytest.approx(0.0, abs=1e-6)
    assert np.sqrt(result.of_data[0, 0]) == pytest.approx(np.sqrt(2) / np.sqrt(400), rel=1e-4)
    low, high = result.interval("norm").low, result.interval("norm").high
    assert (high - low) / 2 == pytest.approx(np.sqrt(2 / 400), rel=0.02)


def test_the_goodness_of_fit_knows_yields_and_constraints() -> None:
    """A yield that no parameter moves is compared; one that is fitted is not."""
    rng = np.random.default_rng(5)
    reference = Sample(rng.exponential(size=3000), np.full(3000, 0.1), ["x"], "reference")
    data = Sample(rng.exponential(size=390), features=["x"], name="data")
    without = Measurement(reference, scale_ratio()).run(data, resamples=99, contours=[])
    assert without.goodness_of_fit is not None
    assert "yield" in without.goodness_of_fit.tests
    assert without.goodness_of_fit.leading_words == "in the yield"
    assert without.goodness_of_fit.z > 3
    nuisances = Nuisances(Normalization("norm"), GaussianConstraint("norm", 0.3))
    within = Measurement(reference, scale_ratio(), nuisances).run(data, resamples=99, contours=[])
    assert within.goodness_of_fit is not None
    assert within.goodness_of_fit.z < 2
    # The yield is 26% high, of an uncertainty of 30%.
    assert within["norm"] == pytest.approx(np.log(1.3) * 0.09 / (0.09 + 1 / 345), rel=0.03)


def test_toys_of_the_goodness_of_fit_are_fitted_each() -> None:
    """T of toys lies about that of samples without a difference, whose fits follow to first order only."""
    reference, data = _draw(np.random.default_rng(6), 400, 100.0)
    result = Measurement(reference, PARAMETERS).run(data, goodness_toys=20, resamples=99, contours=[])
    found = result.goodness_of_fit
    assert found is not None
    assert found.toys is not None
    assert found.toy_p_value is not None
    assert found.toy_p_value >= 1 / 21
    assert abs(np.median(found.toys) - np.median(found.null)) < 5 * np.std(found.null) / np.sqrt(20)


def test_a_result_is_saved_and_read(tmp_path) -> None:
    reference, data = _draw(np.random.default_rng(1), 400, 150.0)
    result = Measurement(reference, PARAMETERS).run(data, resamples=99, limits=["norm"])
    result.save(tmp_path / "measured.npz")
    again = load_result(tmp_path / "measured.npz")
    assert repr(again) == repr(result)
    assert again.to_dict() == result.to_dict()


def _zero(x: jnp.ndarray, nu: jnp.ndarray) -> jnp.ndarray:
    return 0 * x[:, 0] * nu[0]


REFERENCE, DATA = _draw(np.random.default_rng(1), 200)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Measurement(REFERENCE, JaxLogRatio("a", _zero)), "nothing depends on a"),
        (
            lambda: Measurement(REFERENCE, [Normalization("a"), Normalization("b")]),
            "only on a combination of a, b",
        ),
        (lambda: Measurement(REFERENCE, JaxLogRatio("a", lambda x, nu: jnp.log(nu[0]) + x[:, 0])), "must be 0 at 0"),
        (
            lambda: Measurement(REFERENCE, JaxLogRatio("a", lambda x, nu: nu[0] * jnp.log(x[:, 0] - 5))),
            "must be 0 at 0",
        ),
        (
            lambda: Measurement(
                REFERENCE, Parameters(JaxLogRatio("a", lambda x, nu: jnp.log1p(nu[0] * x[:, 0])), start={"a": -3.0})
            ),
            "log-ratio of a is nan for event",
        ),
        (
            lambda: Measurement(
                REFERENCE, Normalization("a"), Nuisances(Normalization("a"), GaussianConstraint("a", 0.1))
            ),
            "'a' is both a parameter of interest and a nuisance",
        ),
        (lambda: Parameters(Normalization("a"), start={"a": 2.0}, bounds={"a": (-1, 1)}), "outside of its bounds"),
        (lambda: Parameters(Normalization("a"), bounds={"a": (1, 2)}), "leave out 0"),
        (lambda: Parameters(Normalization("a"), bounds={"a": (1, -1)}), "two increasing numbers"),
        (lambda: Parameters(Normalization("a"), bounds={"b": (1, 2)}), "bounds of 'b', but the parameters are a"),
        (lambda: Parameters(Normalization("a"), scale={"a": 0.0}), "must be a positive number"),
        (lambda: Measurement(REFERENCE, PARAMETERS).run(DATA, limits=["mu"]), "an upper limit of 'mu'"),
        (lambda: Measurement(REFERENCE, PARAMETERS).run(DATA, levels=[1.2]), "between 0 and 1"),
        (lambda: Measurement(REFERENCE, PARAMETERS).run(DATA, toys=3), "3 toys are too few"),
        (lambda: Measurement(REFERENCE, PARAMETERS).run(DATA, contours=[("norm", "norm")]), "twice"),
        (lambda: Measurement(REFERENCE, PARAMETERS).expected({"b": 1.0}), "'b' was asked for"),
        (
            lambda: Measurement(REFERENCE, PARAMETERS).run(Sample(np.ones((5, 2)))),
            "features",
        ),
        (lambda: Measurement(Sample(np.ones(3), -np.ones(3)), PARAMETERS), "a yield must be positive"),
    ],
)
def test_bad_input_is_refused_in_one_line(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)
