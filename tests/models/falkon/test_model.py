"""The adapter of LogisticFalkon: what it does without the library, and against the library where it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.falkon import model as falkon
from nplm.models.falkon.fit import PreparedFalkon
from nplm.models.falkon.model import FalkonModel
from nplm.models.kernel.centers import choose_centers
from nplm.models.kernel.model import KernelModel
from nplm.toys.engines.processes import LocalProcesses
from nplm.toys.run import run_campaign
from tests.models.kernel.kernel_problems import prepare, set_up_a

needs_falkon = pytest.mark.skipif(
    find_spec("falkon") is None or find_spec("torch") is None, reason="the library falkon is not installed"
)
WIDTH = 0.5


@pytest.fixture
def small(rng: np.random.Generator) -> tuple[Sample, Sample]:
    """A reference of 3000 events for 300 that are expected, and data with a few too many."""
    reference = Sample(rng.exponential(size=3000), np.full(3000, 0.1), name="reference")
    return reference, Sample(np.concatenate([rng.exponential(size=290), rng.normal(4, 0.2, 8)]), name="data")


def adapter(reference: Sample, penalty: float = 3.3e-3) -> PreparedFalkon:
    """The adapter on 30 centres with Lambda / 2 = penalty."""
    centers = choose_centers(reference.events, reference.weights, 30, "covering", 1)
    kernel = prepare(reference, centers, WIDTH, 2 * penalty, "falkon-step")
    return PreparedFalkon(kernel, reference.events, float(reference.weights[0]), penalty)


@pytest.mark.parametrize("library", ["torch", "falkon"])
def test_a_missing_library_is_named_with_the_way_to_get_it(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falkon, "find_spec", lambda name: None if name == library else find_spec("numpy"))
    with pytest.raises(ValueError, match=rf"needs {library}, .*pip install .*FalkonML/falkon.*solver='falkon-step'"):
        FalkonModel()


def test_settings_are_checked_before_the_library_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falkon, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="the penalty must be a positive number"):
        FalkonModel(penalty=0.0)


# Whoever asks for a module asks the finders first, so that the test sees it whether or not the library is there.
WATCH = """
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "falkon", "pykeops"):
            print(name)

sys.meta_path.insert(0, Watch())
"""
OTHER_MODELS = """
import numpy as np, nplm
nplm.models.FalkonModel
events = np.linspace(0, 1, 200)
for model in (nplm.HistogramModel(), nplm.KernelModel(centers=5)):
    nplm.NPLMTest(events, model).statistic(events[::2])
"""


@pytest.mark.parametrize(("code", "asked"), [(OTHER_MODELS, False), (f"{OTHER_MODELS}\nimport torch", True)])
@pytest.mark.slow
def test_other_models_ask_for_no_library(code: str, asked: bool) -> None:
    done = subprocess.run([sys.executable, "-c", WATCH + code], capture_output=True, text=True)
    assert (done.stdout != "") is asked, done.stderr
    assert asked or done.returncode == 0, done.stderr


def test_its_null_is_that_of_the_same_step(small) -> None:
    reference, _ = small
    prepared = adapter(reference)
    np.testing.assert_array_equal(prepared.null().weights, prepared.kernel.null().weights)
    shape = prepared.null(shape_only=True, fixed_reference=True).weights
    np.testing.assert_array_equal(shape, prepared.kernel.null(shape_only=True, fixed_reference=True).weights)
    assert shape.sum() < prepared.null().weights.sum()


def test_the_log_ratio_is_the_sum_of_its_kernels(small, rng: np.random.Generator) -> None:
    reference, data = small
    prepared = adapter(reference)
    a = rng.normal(size=prepared.parameters)
    named = prepared.named_parameters(a)
    f = np.exp(-cdist(data.events, named["centers"], "sqeuclidean") / (2 * WIDTH**2)) @ named["coefficients"]
    np.testing.assert_allclose(prepared.log_ratio(a, data.events), f, atol=1e-12)


@pytest.mark.parametrize("weights", [(1.0, 2.0), (-1.0, -1.0), (0.0, 1.0)])
def test_weights_that_falkon_cannot_fit_are_refused(small, weights: tuple[float, float]) -> None:
    reference, data = small
    weighted = Sample(data.events, np.resize(weights, len(data)), name="sample 7")
    prepared = adapter(reference)
    for refused in (prepared.null, lambda d: prepared.fit([d])):
        with pytest.raises(ValueError, match=r"sample 7 .*one positive weight .*falkon-step"):
            refused(weighted)


@needs_falkon
def test_a_reference_of_several_weights_is_refused(small) -> None:
    reference, _ = small
    weights = np.resize([0.1, 0.2], len(reference))
    with pytest.raises(ValueError, match=r"reference .*between 0.1 and 0.2.*falkon-step"):
        NPLMTest(Sample(reference.events, weights, name="reference"), FalkonModel(centers=30))


@needs_falkon
def test_the_fit_is_one_newton_step_on_the_weighted_cross_entropy(small, capfd: pytest.CaptureFixture[str]) -> None:
    reference, data = small
    prepared = adapter(reference)
    fits = prepared.fit([data])
    assert capfd.readouterr().out == ""
    c = prepared.kernel.modes.centers
    k_reference, k_data, k_centers = (
        np.exp(-(cdist(x, c) ** 2) / (2 * WIDTH**2)) for x in (reference.events, data.events, c)
    )
    gradient = k_data.sum(axis=0) / 2 - 0.1 * k_reference.sum(axis=0) / 2
    curvature = (k_data.T @ k_data + 0.1 * k_reference.T @ k_reference) / 4
    a = np.linalg.solve(curvature + prepared.penalty * k_centers, gradient)
    f_reference, f_data = k_reference @ a, k_data @ a
    np.testing.assert_allclose(prepared.log_ratio(fits.parameters[0], data.events), f_data, atol=0.01)
    assert fits.t[0] == pytest.approx(-2 * (0.1 * np.expm1(f_reference).sum() - f_data.sum()), abs=0.01)
    assert fits.converged[0]
    # Without the penalty t is another one, by more than the tolerance.
    free = np.linalg.lstsq(curvature, gradient, rcond=1e-12)[0]
    assert abs(-2 * (0.1 * np.expm1(k_reference @ free).sum() - (k_data @ free).sum()) - fits.t[0]) > 0.1


@needs_falkon
def test_t_is_that_of_its_scores_and_scales_with_all_weights(small) -> None:
    reference, data = small
    fits = adapter(reference).fit([data])
    prepared = adapter(Sample(reference.events, 2.5 * reference.weights), 2.5 * 3.3e-3)
    scaled = prepared.fit([Sample(data.events, np.full(len(data), 2.5))])
    assert scaled.t[0] == pytest.approx(2.5 * fits.t[0], rel=1e-9)
    f_reference, f_data = (prepared.log_ratio(scaled.parameters[0], s.events) for s in (reference, data))
    assert scaled.t[0] == pytest.approx(-5 * (0.1 * np.expm1(f_reference).sum() - f_data.sum()), rel=1e-9)


@needs_falkon
@pytest.mark.parametrize(("with_peak", "published"), [(False, 6.49648256), (True, 17.98670208)])
def test_t_is_the_published_one_and_that_of_our_own_step(with_peak: bool, published: float) -> None:
    reference, null, signal = set_up_a()
    data = signal if with_peak else null
    settings = {"width": 2.3, "centers": 1000, "selection": "covering"}
    t = NPLMTest(reference, FalkonModel(**settings), coordinates="raw").statistic(data)
    own = NPLMTest(reference, KernelModel(**settings, solver="falkon-step"), coordinates="raw").statistic(data)
    assert t == pytest.approx(published, abs=0.03)
    assert t == pytest.approx(own, abs=0.02)


@needs_falkon
@pytest.mark.parametrize("shape_only", [False, True])
def test_toys_in_processes_are_those_of_one_process_and_of_our_own_step(small, shape_only: bool) -> None:
    reference, data = small
    settings = {"width": 1.0, "centers": 50, "selection": "covering"}
    tests = [
        NPLMTest(Sample(reference.events, np.full(3000, 0.2)), model, shape_only=shape_only)
        for model in (FalkonModel(**settings), KernelModel(**settings, solver="falkon-step"))
    ]
    here, own = (run_campaign(test.campaign(data), 6) for test in tests)
    there = run_campaign(tests[0].campaign(data), 6, engine=LocalProcesses(2))
    np.testing.assert_allclose(there.t, here.t, rtol=1e-9)
    np.testing.assert_allclose(here.t, own.t, atol=0.05)
    result = tests[0].run(data, toys=0)
    assert result.model == "falkon"
    assert result.configuration["model"]["libraries"]["falkon"]
    assert result.t == pytest.approx(tests[1].statistic(data), abs=0.05)


@needs_falkon
def test_a_failure_of_the_library_is_a_failed_fit(small) -> None:
    reference, data = small
    prepared = adapter(reference)
    broken = PreparedFalkon(prepared.kernel, prepared.events, prepared.weight, -1e6)
    fits = broken.fit([data])
    assert np.isnan(fits.t[0])
    assert not fits.converged[0]
    assert fits.failure[0].startswith("LogisticFalkon failed: ")
