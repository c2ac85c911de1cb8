"""The estimator: scikit-learn's contract, and the log-ratio of the test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nplm import KernelModel, LogRatioEstimator, NPLMTest, Sample
from nplm.models.histogram.model import HistogramModel

MODEL = KernelModel(width=1.0, centers=30, reference_exact=True)


def events(rng: np.random.Generator, n_reference: int = 4000, n_data: int = 400) -> tuple[np.ndarray, ...]:
    x = np.concatenate([rng.normal(size=(n_reference, 2)), rng.normal(0.3, 1, size=(n_data, 2))])
    y = np.repeat([0, 1], [n_reference, n_data])
    w = np.where(y == 0, n_data / n_reference, 1.0)
    order = rng.permutation(len(x))
    return x[order], y[order], w[order]


def clone(estimator: Any) -> Any:
    """As scikit-learn does it: a new object of the same arguments, which must come back as the very same ones."""
    params = estimator.get_params(deep=False)
    copy = type(estimator)(**params)
    assert all(copy.get_params(deep=False)[name] is value for name, value in params.items())
    return copy


def test_it_fits_what_the_test_fits(rng: np.random.Generator) -> None:
    x, y, w = events(rng)
    estimator = LogRatioEstimator(MODEL)
    assert estimator.fit(x, y, w) is estimator
    test = NPLMTest(Sample(x[y == 0], w[y == 0]), MODEL)
    result = test.run(x[y == 1], 0)
    assert estimator.t_ == result.t
    np.testing.assert_array_equal(estimator.predict_log_ratio(x[y == 1]), result.log_ratio)
    np.testing.assert_array_equal(estimator.decision_function(x), estimator.predict_log_ratio(x))
    # t = 2 max log-likelihood ratio.
    assert 2 * estimator.score(x, y, w) == pytest.approx(result.t, rel=1e-9)
    assert np.isfinite(estimator.score(*events(rng)))


def test_shape_only_knows_no_yield(rng: np.random.Generator) -> None:
    x, y, w = events(rng)
    model = HistogramModel(bins=5, reference_exact=True)
    ones, weighted = (LogRatioEstimator(model, shape_only=True).fit(x, y, v) for v in (None, 3 * w))
    np.testing.assert_allclose(ones.predict_log_ratio(x), weighted.predict_log_ratio(x), atol=1e-9)
    assert 2 * ones.score(x, y) == pytest.approx(ones.t_, rel=1e-9)
    both = LogRatioEstimator(model).fit(x, y)
    np.testing.assert_allclose(both.predict_log_ratio(x) - ones.predict_log_ratio(x), np.log(0.1), atol=1e-9)


def test_parameters_and_clones() -> None:
    estimator = LogRatioEstimator(MODEL, shape_only=True)
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == {"model": MODEL, "shape_only": True, "coordinates": "standardized", "circular": ()}
    assert copy.set_params(shape_only=False, model="histogram") is copy
    assert copy.get_params()["model"] == "histogram"
    assert estimator.shape_only
    with pytest.raises(ValueError, match="no parameter 'width': choose one of model, shape_only, coord"):
        copy.set_params(width=1)


def test_tables(rng: np.random.Generator) -> None:
    x, y, w = events(rng)
    table = {"a": x[:, 0], "b": x[:, 1]}
    estimator = LogRatioEstimator(MODEL).fit(table, y, w)
    turned = {"b": x[:, 1], "a": x[:, 0]}
    np.testing.assert_array_equal(estimator.predict_log_ratio(turned), estimator.predict_log_ratio(table))
    np.testing.assert_array_equal(
        estimator.predict_log_ratio(table), LogRatioEstimator(MODEL).fit(x, y, w).decision_function(x)
    )


def test_bad_input(rng: np.random.Generator) -> None:
    x, y, w = events(rng)
    with pytest.raises(ValueError, match="not fitted yet"):
        LogRatioEstimator(MODEL).predict_log_ratio(x)
    with pytest.raises(ValueError, match=r"y must be 0 \(reference\) or 1 \(data\)"):
        LogRatioEstimator(MODEL).fit(x, y + 1, w)
    with pytest.raises(ValueError, match="y must be 0"):
        LogRatioEstimator(MODEL).fit(x, y[1:], w)
    with pytest.raises(ValueError, match="X is empty"):
        LogRatioEstimator(MODEL).fit(x, np.zeros_like(y), w)
    with pytest.raises(ValueError, match="different features"):
        LogRatioEstimator(MODEL).fit(x, y, w).predict_log_ratio(x[:, :1])
