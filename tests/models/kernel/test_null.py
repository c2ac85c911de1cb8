"""The asymptotic null of the kernel model: exact cases, and simulation with weighted and signed references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.model import KernelModel
from tests.models.kernel.kernel_problems import prepare

EXPECTED, EVENTS = 2000.0, 6000
MODEL = KernelModel(width=0.5, centers=300, penalty=1e-4, selection="covering", reference_exact=True)


def weights(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Weights of a reference that add up to 2000 on average."""
    if kind == "lognormal":
        w, mean = rng.lognormal(0, 0.6, EVENTS), np.exp(0.18)
    else:
        w, mean = np.where(rng.random(EVENTS) < 0.2, -1.0, 1.0), 0.6
    return w * EXPECTED / EVENTS / mean


def draw(n: int, rng: np.random.Generator) -> np.ndarray:
    """Events whose tail is cut off, as sparse tails are another matter."""
    return np.minimum(rng.exponential(size=(n, 1)), 2.0)


def test_equal_weights_widen_the_null_by_one_factor(rng: np.random.Generator) -> None:
    """t -> (1 + N(R) / n_R) sum_i c_i z_i^2, but for the number of reference events, which does not fluctuate."""
    x = draw(EVENTS, rng)
    prepared = prepare(Sample(x, np.full(EVENTS, EXPECTED / EVENTS)), x[:200], 0.5, 0.5)
    fixed = prepared.null(fixed_reference=True)
    np.testing.assert_allclose(np.sort(fixed.weights), np.sort(prepared.modes.shrinkage), atol=1e-6)
    ratio = prepared.null().mean / fixed.mean
    assert 1 + EXPECTED / EVENTS - 1 / fixed.mean < ratio < 1 + EXPECTED / EVENTS


def test_a_shape_has_about_one_degree_of_freedom_less(rng: np.random.Generator) -> None:
    x = draw(EVENTS, rng)
    prepared = prepare(Sample(x, np.full(EVENTS, EXPECTED / EVENTS)), x[:200], 0.5, 0.5)
    both, shape = (prepared.null(shape_only=only, fixed_reference=True).mean for only in (False, True))
    assert both - shape == pytest.approx(1, abs=0.02)


def test_weights_of_the_data_scale_the_null(rng: np.random.Generator) -> None:
    x = draw(EVENTS, rng)
    prepared = prepare(Sample(x, np.full(EVENTS, EXPECTED / EVENTS)), x[:200], 0.5, 0.5)
    # The reference itself as data of weight 3: V = 3 sum_R w phi phi^T, if it has N(R) / 3 of them.
    data = Sample(x[: int(EXPECTED)], np.full(int(EXPECTED), 3.0))
    scaled = prepared.null(data, fixed_reference=True).mean / prepared.null(fixed_reference=True).mean
    assert scaled == pytest.approx(3 * 3, rel=0.1)


@pytest.mark.parametrize(("weight", "exact"), [(1.0, True), (3.0, True), (3.0, False)])
def test_a_shape_of_another_yield_has_the_null_of_toys(weight: float, exact: bool, rng: np.random.Generator) -> None:
    """A reference of unit weights, ten times as many as data: 30 references of 8 toys, within four standard errors.

    The null for data of the reference's own yield is rejected, and so is twice the null.
    """
    model = replace(MODEL, reference_exact=exact)
    t, means, unscaled = [], [], []
    for seed in range(30):
        test = NPLMTest(draw(4000, rng), replace(model, seed=seed), shape_only=True, coordinates="raw")
        data = [Sample(draw(400, rng), np.full(400, weight)) for _ in range(8)]
        t.append(test.fit(data).t.mean())
        means.append(test.asymptotic_null(data[0]).mean)
        unscaled.append(test.asymptotic_null().mean)
    error = np.std(t, ddof=1) / np.sqrt(len(t))
    assert abs(np.mean(t) - np.mean(means)) < 4 * error
    assert abs(np.mean(t) - np.mean(unscaled)) > 4 * error
    assert abs(np.mean(t) - 2 * np.mean(means)) > 4 * error


def test_signed_references_without_a_maximum_have_no_t() -> None:
    x = np.linspace(0, 1, 400)
    reference = Sample(x, np.where((x > 0.4) & (x < 0.6), -1.0, 1.0))
    model = KernelModel(width=0.1, centers=50, penalty=1e-9, reference_exact=True)
    data = [Sample(x[:200]), Sample(np.full(50, 0.5))]
    fits = model.prepare(reference, Scaler.identity(1)).fit(data)
    bad = ~fits.converged
    assert bad.any()
    assert np.isnan(fits.t[bad]).all()
    assert all("negative weights" in reason for reason in fits.failure[bad])
    # Weights that are averaged with their neighbours leave no such place.
    assert replace(model, reference_exact=False).prepare(reference, Scaler.identity(1)).fit(data).converged.all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lognormal", "negative"])
@pytest.mark.parametrize("exact", [True, False])
def test_the_general_null_is_that_of_toys(kind: str, exact: bool, rng: np.random.Generator) -> None:
    """80 references of 6 toys each, within four standard errors; the factor for equal weights is rejected."""
    t, means, scalar = [], [], []
    for seed in range(80):
        reference = Sample(draw(EVENTS, rng), weights(kind, rng))
        prepared = replace(MODEL, seed=seed, reference_exact=exact).prepare(reference, Scaler.identity(1))
        toys = [Sample(draw(rng.poisson(EXPECTED), rng)) for _ in range(6)]
        t.append(prepared.fit(toys).t.mean())
        means.append(prepared.null().mean)
        scalar.append((1 + EXPECTED / EVENTS) * prepared.null(fixed_reference=True).mean)
    error = np.std(t, ddof=1) / np.sqrt(len(t))
    assert abs(np.mean(t) - np.mean(means)) < 4 * error
    if kind == "negative":
        assert abs(np.mean(t) - np.mean(scalar)) > 4 * error
