"""Models in coordinates: t does not depend on how features are measured, and all that is read is in their own units."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nplm.data.averaged_weights import event_weight
from nplm.data.coordinates import COORDINATES, CoordinateKind, coordinates_of, same_coordinates
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.multiple import MultipleTest, kernel_widths
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.without_feature import KernelWithout
from nplm.models.network.model import NetworkModel
from nplm.models.network.search_settings import BoxSearch
from toys import exponential, exponential_nuisances

KERNEL = KernelModel(width=1.0, centers=40, penalty=1e-4)


def samples_for(d: int, rng: np.random.Generator) -> tuple[Sample, Sample]:
    """A reference, and data whose events are some of its, so that an increasing change takes them along."""
    x = rng.exponential(size=(2000, d))
    data = x[np.argsort(x[:, 0] + rng.gumbel(size=2000))[-220:]]
    return Sample(x, rng.uniform(0.05, 0.15, 2000)), Sample(data)


def changed(sample: Sample) -> Sample:
    return Sample(np.sinh(sample.events) - 3, sample.weights)


@pytest.mark.parametrize("d", [1, 2])
def test_t_of_a_kernel_does_not_depend_on_how_features_are_measured(d: int, rng: np.random.Generator) -> None:
    reference, data = samples_for(d, rng)
    pairs = ((reference, data), (changed(reference), changed(data)))
    t, other = (NPLMTest(r, KERNEL, coordinates="normal-scores").statistic(x) for r, x in pairs)
    assert other == pytest.approx(t, rel=1e-9)
    t, other = (NPLMTest(r, KERNEL).statistic(x) for r, x in pairs)
    assert abs(other - t) > 0.1


def test_t_of_a_network_does_not_depend_on_how_features_are_measured(
    quick: BoxSearch, rng: np.random.Generator
) -> None:
    reference, data = samples_for(1, rng)
    model = NetworkModel(clip=3.0, optimizer=quick)
    t = NPLMTest(reference, model, coordinates="normal-scores").statistic(data)
    other = NPLMTest(changed(reference), model, coordinates="normal-scores").statistic(changed(data))
    assert other == pytest.approx(t, abs=2e-3)
    assert abs(NPLMTest(changed(reference), model, coordinates="raw").statistic(changed(data)) - t) > 0.05


@pytest.mark.parametrize(
    ("d", "model", "kind", "circular"),
    [
        (1, "kernel", "normal-scores", ()),
        (1, "kernel", "standardized", ()),
        (1, "kernel", "raw", ("x0",)),
        (2, "kernel", "normal-scores", ("x0",)),
        (2, "network", "normal-scores", ("x0",)),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_t_is_that_of_f_at_events_in_their_own_units(
    exact: bool,
    d: int,
    model: str,
    kind: CoordinateKind,
    circular: tuple[str, ...],
    quick: BoxSearch,
    rng: np.random.Generator,
) -> None:
    reference = Sample(rng.uniform(0, 2 * np.pi, size=(1500, d)), rng.uniform(0.1, 0.2, 1500))
    data = Sample(rng.normal(3, 1, size=(230, d)))
    settings = KERNEL if model == "kernel" else NetworkModel(hidden=(2,), clip=3.0, optimizer=quick)
    test = NPLMTest(reference, replace(settings, reference_exact=exact), coordinates=kind, circular=circular)
    result = test.run(data, toys=0)
    f, of_data = (test.log_ratio(result, sample.events) for sample in (reference, data))
    if exact:
        t = 2 * (of_data.sum() - reference.weights @ np.expm1(f))
    else:
        w = event_weight(reference.weights)
        own, theirs = (np.log1p(w * np.expm1(x) / (1 + w)) for x in (f, of_data))
        t = 2 * ((of_data - theirs).sum() - reference.weights @ own / w)
    assert result.t == pytest.approx(t, rel=1e-6)
    np.testing.assert_allclose(test.log_ratio(result, data.events), result.log_ratio, rtol=1e-9, atol=1e-12)
    if model == "network":
        assert test.prepared.parameters == 2 * (d + 2) + 3


def test_the_asymptotic_null_holds_in_normal_scores(rng: np.random.Generator) -> None:
    """300 toys of an exponential in one dimension: their mean t is that of the null, within three errors."""
    reference = exponential.draw_reference(rng, 20_000)
    test = NPLMTest(reference, KernelModel(width=0.7), coordinates="normal-scores")
    asymptotic = test.asymptotic_null()
    t = test.fit([exponential.draw_data(rng) for _ in range(300)]).t
    assert abs(t.mean() - asymptotic.mean) < 3 * asymptotic.sd / math.sqrt(300)


def test_joint_null_needs_no_affine_coordinates(rng: np.random.Generator) -> None:
    reference = Sample(rng.exponential(size=4000), np.full(4000, 0.1))
    widths = kernel_widths(reference, (0.5, 2.0), KERNEL, coordinates="normal-scores")
    for test, marginal in zip(widths, MultipleTest(widths).joint_null().marginals, strict=True):
        assert marginal.mean == pytest.approx(test.asymptotic_null().mean, rel=1e-5)
    tests = [NPLMTest(reference, KERNEL, coordinates=kind) for kind in COORDINATES]
    several = MultipleTest(tests, names=list(COORDINATES)).joint_null()
    for test, marginal in zip(tests, several.marginals, strict=True):
        assert marginal.mean == pytest.approx(test.asymptotic_null().mean, rel=1e-5)


@pytest.mark.slow
def test_nuisances_see_features_in_their_own_units(rng: np.random.Generator) -> None:
    # Few enough events for the event-by-event sums that columns with kinks need in coordinates that are not affine.
    reference = exponential.draw_reference(rng, 2000)
    data = Sample(1.1 * rng.exponential(size=2000), features=reference.features)
    nuisances = exponential_nuisances.nuisances()
    found = []
    for kind in ("standardized", "normal-scores"):
        test = NPLMTest(reference, KERNEL, coordinates=kind, nuisances=nuisances)
        result = test.run(data, toys=0)
        assert result.nuisances is not None
        found.append(result.nuisances.delta)
        assert 0 <= result.t < 40
    # Delta has no f in it, and so does not know what f sees.
    np.testing.assert_allclose(found, found[0], rtol=1e-4)


@pytest.mark.parametrize("model", ["kernel", "histogram", "network"])
def test_features_are_standardized_unless_told_otherwise(model: str) -> None:
    reference = Sample(np.linspace(0, 1, 300))
    test = NPLMTest(reference, model)
    assert test.coordinate_kind == "standardized"
    assert same_coordinates(test.coordinates, Scaler.fit(reference))


@pytest.mark.parametrize("circular", [(), ("b",)])
def test_a_kernel_without_a_feature_is_that_of_the_others(circular: tuple[str, ...], rng: np.random.Generator) -> None:
    reference = Sample(rng.uniform(0, 360, size=(2000, 3)), np.full(2000, 0.1), ("a", "b", "c"))
    data = Sample(rng.uniform(20, 340, size=(200, 3)), features=("a", "b", "c"))
    test = NPLMTest(reference, KERNEL, coordinates="normal-scores", circular=circular)
    assert isinstance(test.prepared, PreparedKernel)
    less, fewer = (Sample(s.events[:, [0, 2]], s.weights, ("a", "c")) for s in (reference, data))
    modes, penalty = test.prepared.modes, 2 * KERNEL.penalty * (2000 + reference.total_weight)
    centers = np.delete(modes.centers, test.coordinates.columns(1), axis=1)
    alone = PreparedKernel.of(less, coordinates_of("normal-scores", less), centers, modes.width, penalty)
    left_out = test.with_model(KernelWithout(test.prepared, penalty, len(centers), 1))
    assert left_out.statistic(data) == pytest.approx(alone.fit([fewer]).t[0], rel=1e-6)
    assert abs(left_out.statistic(data) - test.statistic(data)) > 0.1
