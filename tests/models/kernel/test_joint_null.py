"""The joint null of several widths: its blocks against the null of each, and against sums over simulated samples."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.multiple import MultipleTest
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.joint_null import joint_null
from nplm.models.kernel.model import KernelModel
from tests.models.kernel.kernel_problems import prepare

WIDTHS, PENALTY = (0.5, 1.5, 4.0), 0.05


def problem(rng: np.random.Generator, dimension: int, signed: bool) -> Sample:
    weights = rng.uniform(0.05, 0.15, 2000)
    if signed:
        weights = np.where(rng.random(2000) < 0.15, -0.05, 0.1)
    return Sample(rng.normal(size=(2000, dimension)), weights)


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
@pytest.mark.parametrize("exact", [False, True], ids=["finite", "exact"])
def test_each_width_alone_follows_its_own_null(
    rng: np.random.Generator, dimension: int, signed: bool, exact: bool
) -> None:
    reference = problem(rng, dimension, signed)
    kernels = [prepare(reference, reference.events[:20], width, PENALTY, reference_exact=exact) for width in WIDTHS[1:]]
    weighted = Sample(rng.normal(size=(250, dimension)), rng.uniform(0.4, 1.2, 250))
    settings = [{}, {"shape_only": True}, {"normalized": True}, {"fixed_reference": True}]
    for data in (None, weighted):
        for how in settings:
            joint = joint_null(kernels, reference, data, **how)
            for kernel, marginal in zip(kernels, joint.marginals, strict=True):
                asymptotic = kernel.null(data, **how)
                assert marginal.mean == pytest.approx(asymptotic.mean, rel=3e-5)
                assert marginal.sd == pytest.approx(asymptotic.sd, rel=3e-5)


@pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
def test_correlations_are_those_of_sums_over_samples(rng: np.random.Generator, signed: bool) -> None:
    """t to second order, u^T C u, of 3000 pairs of data and reference; correlations and means within 4 sigma."""
    reference = problem(rng, 1, signed)
    kernels = [prepare(reference, reference.events[:40], width, PENALTY) for width in WIDTHS]
    joint = joint_null(kernels, reference)
    events = len(reference)
    phi = np.column_stack([kernel.modes(reference.events) for kernel in kernels])
    shrinkage = np.concatenate([kernel.modes.shrinkage for kernel in kernels])
    starts = np.cumsum([0, *(kernel.modes.count for kernel in kernels)])[:-1]
    # Both samples are drawn from the reference. Data are Poisson counts with mean w where the weights are positive, and
    # normal vectors with the covariance that such counts would have where they are not.
    counts = rng.multinomial(events, np.full(events, 1 / events), size=3000)
    u = -(counts * reference.weights) @ phi
    if signed:
        information = phi.T @ (phi * reference.weights[:, None])
        values, vectors = np.linalg.eigh(information)
        u += rng.normal(size=(3000, len(values))) * np.sqrt(values.clip(0)) @ vectors.T
        u += reference.weights @ phi
    else:
        u += rng.poisson(reference.weights, size=(3000, events)) @ phi
    t = np.add.reduceat(u**2 * shrinkage, starts, axis=1)
    expected = np.array([marginal.mean for marginal in joint.marginals])
    error = np.array([marginal.sd for marginal in joint.marginals]) / np.sqrt(3000)
    assert (abs(t.mean(axis=0) - expected) < 4 * error).all()
    sd = np.sqrt(np.diag(joint.covariance))
    correlation = joint.covariance / np.outer(sd, sd)
    # The fourth moments of t widen the error of a correlation; 2 / sqrt(n) is more than they do here.
    assert abs(np.corrcoef(t.T) - correlation).max() < 4 * 2 / np.sqrt(3000)
    assert correlation[0, 1] > 0.3


def test_features_may_be_standardized_or_not(rng: np.random.Generator) -> None:
    """The events that stand for a line's are those of raw features, whatever the scaler."""

    reference = Sample(5 + 0.1 * rng.normal(size=4000), np.full(4000, 0.1))
    model = KernelModel(width=1.0, centers=50)
    tests = [NPLMTest(reference, model), NPLMTest(reference, KernelModel(width=0.3, centers=50), coordinates="raw")]
    joint = MultipleTest(tests).joint_null()
    for test, marginal in zip(tests, joint.marginals, strict=True):
        assert marginal.mean == pytest.approx(test.asymptotic_null().mean, rel=3e-5)
