"""A whole test with nuisances: result, JSON, report, toys, several models together."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from importlib.resources import files

import jsonschema
import numpy as np
import pytest

from nplm import GaussianConstraint, KernelModel, MultipleTest, NPLMTest, Nuisances, Sample
from nplm.hypotest import kernel_widths
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.report.page import report_page
from nplm.stats.asymptotic import asymptotic_document
from nplm.toys import Campaign, InjectionSampler, PoolSampler
from nplm.toys.nuisance_sampler import NuisanceSampler
from tests.nuisance.problems import SIGMA, draw_data, draw_reference, scale_and_normalization
from toys.exponential_nuisances import NUISANCES, exact_ratio

MODEL = KernelModel(width=2.0, centers=40)


@pytest.fixture(scope="module")
def reference() -> Sample:
    return draw_reference(np.random.default_rng(1), 20_000)


@pytest.fixture(scope="module")
def test(reference: Sample) -> NPLMTest:
    return NPLMTest(reference, MODEL, nuisances=scale_and_normalization())


def moved() -> Sample:
    """Data whose scale is three of its standard deviations away, measured as if it were not."""
    return draw_data(np.random.default_rng(2), 3 * SIGMA).with_auxiliary(np.zeros(2))


def error_of_the_scale(nu: float, rho: float) -> float:
    """That of 2000 events of data beside a reference of finite size, from the information on scale and normalization.

    It is sum_D g g' / (1 + rho r) + 1 / sigma^2 with g = (y - 1, 1), where y is exponential and r(y) the ratio of the
    data to the reference, whose events are few where r is large; rho = 0 leaves 1 / sqrt(2000 + 1 / sigma^2).
    """
    y = np.linspace(0.0, 60.0, 60_001)
    g = np.stack([y - 1, np.ones_like(y)])
    density = 2000 * np.exp(-y) / (1 + rho * np.exp(y * np.expm1(nu) - nu))
    information = np.trapezoid(density * g[:, None] * g, y) + np.eye(2) / SIGMA**2
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


@pytest.mark.slow
def test_what_nuisances_explain_is_no_discovery(test: NPLMTest, reference: Sample) -> None:
    result = test.run(moved(), 100)
    assert NPLMTest(reference, MODEL).run(moved(), 0).z > 8
    assert abs(result.z) < 3
    assert result.calibration.kind == "analytic"
    fit = result.nuisances
    assert fit is not None
    assert fit.tau - fit.delta == pytest.approx(result.t)
    assert fit.nu[0] == pytest.approx(3 * SIGMA, abs=0.1)
    # The data alone know the scale to 1 / sqrt(n) beside an exact reference, and less well beside one of finite size.
    assert fit.errors[0] == pytest.approx(error_of_the_scale(fit.nu[0], 0.1), rel=0.05)
    exact = NPLMTest(reference, replace(MODEL, reference_exact=True), nuisances=scale_and_normalization())
    assert exact.run(moved(), 0).nuisances.errors[0] == pytest.approx(1 / np.sqrt(2000 + SIGMA**-2), rel=0.1)
    assert fit.pulls == pytest.approx(fit.nu / SIGMA)


def test_json_and_report_tell_of_the_nuisances(test: NPLMTest) -> None:
    result = test.run(moved(), 0)
    document = result.to_dict()
    schema = json.loads(files("nplm").joinpath("schema/result-1.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    assert [row["name"] for row in document["nuisances"]["fitted"]] == ["scale", "normalization"]
    page = report_page(result, [])
    assert "fitted without f" in page
    assert "tau" in repr(result)


def test_toys_are_drawn_where_delta_found_the_data(test: NPLMTest) -> None:
    data = moved()
    campaign = test.campaign(data)
    assert isinstance(campaign.sampler, NuisanceSampler)
    table = campaign.run(range(50))
    assert table.nu_delta is not None
    assert table.delta is not None
    # Each toy finds the truth to about its error; nu = 0 is twenty errors away.
    assert abs(table.nu_delta[:, 0].mean() - campaign.sampler.nu[0]) < 4 * 0.022 / np.sqrt(50)
    assert table.delta.mean() > 100


def test_stored_toys_stand_beside_the_asymptotic_null_for_where_they_are_drawn(test: NPLMTest) -> None:
    campaign = test.campaign(moved())
    assert isinstance(campaign.sampler, NuisanceSampler)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    there = test.prepared.null_at(campaign.sampler.nu, fixed_reference=True)
    assert campaign.describe()["formula"] == asymptotic_document(there)
    assert asymptotic_document(test.asymptotic_null(fixed_reference=True)) != asymptotic_document(there)


def test_a_signal_keeps_the_measurements_of_its_background(test: NPLMTest) -> None:
    background = test.campaign(moved()).sampler
    with_signal = InjectionSampler(background, PoolSampler(Sample(np.full(10, 3.0)), 50.0))
    toy = Campaign(test, with_signal).draw(0)
    assert toy.auxiliary is not None
    assert toy.auxiliary.shape == (2,)


def test_measurements_of_another_number_are_refused(test: NPLMTest) -> None:
    with pytest.raises(ValueError, match=r"measurements of shape \(3,\), but the constraint is about 2"):
        test.run(moved().with_auxiliary(np.zeros(3)), 0)


def test_a_test_of_the_shape_is_refused_before_any_work(reference: Sample) -> None:
    for model in (MODEL, "network", "histogram"):
        with pytest.raises(ValueError, match="add a normalization with a wide constraint"):
            NPLMTest(reference, model, nuisances=scale_and_normalization(), shape_only=True)


@pytest.mark.slow
def test_a_test_with_nuisances_goes_to_other_processes(reference: Sample) -> None:
    data = [draw_data(np.random.default_rng(3))]
    nuisances = Nuisances(exact_ratio(), GaussianConstraint(NUISANCES, SIGMA))
    test = NPLMTest(reference, MODEL, nuisances=nuisances)
    there = pickle.loads(pickle.dumps(test))
    assert there.fit(data).t == pytest.approx(test.fit(data).t)


def test_plans_of_other_nuisances_differ(test: NPLMTest, reference: Sample) -> None:
    other = NPLMTest(reference, MODEL, nuisances=scale_and_normalization(0.05))
    plans = [Campaign(t, PoolSampler(reference, 2000.0)).plan() for t in (test, other, NPLMTest(reference, MODEL))]
    assert len({plan.hash for plan in plans}) == 3


@pytest.mark.slow
def test_several_widths_are_counted_together(reference: Sample) -> None:
    nuisances = scale_and_normalization()
    several = MultipleTest(kernel_widths(reference, [0.7, 2.0], KernelModel(centers=40), nuisances=nuisances))
    assert several.names == ("width 0.7", "width 2")
    result = several.run(moved(), 60)
    assert 0.001 < result.p_value <= 1
    with pytest.raises(ValueError, match="with nuisances is not known without toys"):
        several.run(moved(), 0)
    others = kernel_widths(reference, [0.7], KernelModel(centers=40), nuisances=scale_and_normalization())
    with pytest.raises(ValueError, match="have different nuisances"):
        MultipleTest([*several.tests, *others])
