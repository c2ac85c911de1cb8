"""pyhf workspaces as constraints: pyhf's own values and gradients, draws around the truth, and nothing left behind."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, norm, poisson

from nplm.nuisance.constraints import pyhf_terms
from nplm.nuisance.constraints.base import Constraint, Constraints
from nplm.nuisance.constraints.gaussian import GaussianConstraint
from nplm.nuisance.constraints.pyhf_constraint import PyhfConstraint
from nplm.nuisance.constraints.pyhf_likelihood import PyhfLikelihood

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
# One channel with all kinds of constraint terms. mu has none; lumi and the staterror are not unit Gaussians.
WORKSPACE: dict[str, Any] = {
    "version": "1.0.0",
    "channels": [
        {
            "name": "control",
            "samples": [
                {
                    "name": "signal",
                    "data": [5.0, 10.0, 4.0],
                    "modifiers": [
                        {"name": "mu", "type": "normfactor", "data": None},
                        {"name": "lumi", "type": "lumi", "data": None},
                    ],
                },
                {
                    "name": "background",
                    "data": [50.0, 60.0, 70.0],
                    "modifiers": [
                        {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.85}},
                        {
                            "name": "tilt",
                            "type": "histosys",
                            "data": {"hi_data": [55.0, 60.0, 63.0], "lo_data": [44.0, 60.0, 75.0]},
                        },
                        {"name": "gamma", "type": "shapesys", "data": [5.0, 6.0, 4.0]},
                    ],
                },
                {
                    "name": "rest",
                    "data": [9.0, 8.0, 7.0],
                    "modifiers": [{"name": "stat", "type": "staterror", "data": [1.0, 1.5, 2.0]}],
                },
            ],
        }
    ],
    "observations": [{"name": "control", "data": [63.0, 80.0, 85.0]}],
    "measurements": [
        {
            "name": "fit",
            "config": {
                "poi": "mu",
                "parameters": [{"name": "lumi", "auxdata": [1.0], "sigmas": [0.017], "inits": [1.0], "fixed": False}],
            },
        }
    ],
}


def models() -> dict[str, Any]:
    """Our workspace, and the two examples of pyhf's documentation."""
    two = {"signal": [12.0, 11.0], "bkg": [50.0, 52.0]}
    return {
        "all kinds": pyhf.Workspace(WORKSPACE).model(),
        "uncorrelated": pyhf.simplemodels.uncorrelated_background(**two, bkg_uncertainty=[3.0, 7.0]),
        "correlated": pyhf.simplemodels.correlated_background(**two, bkg_up=[45.0, 57.0], bkg_down=[55.0, 47.0]),
    }


def counts_of(model: Any) -> np.ndarray:
    return np.array([63.0, 80.0, 85.0] if model.config.nmaindata == 3 else [51.0, 48.0])


def value_and_gradient(constraint: Constraint, nu: np.ndarray) -> tuple[float, np.ndarray]:
    with jax.enable_x64(True):
        value, gradient = jax.jit(jax.value_and_grad(constraint.logpdf))(jnp.asarray(nu))
    return float(value), np.asarray(gradient)


@pytest.mark.parametrize("which", ["all kinds", "uncorrelated", "correlated"])
def test_constraint_terms_are_pyhfs(which: str) -> None:
    model = models()[which]
    config = model.config
    constraint = PyhfConstraint(model)
    assert set(constraint.nuisances) == set(config.par_names) - {"mu"}
    positions = [config.par_names.index(name) for name in constraint.nuisances]
    rng = np.random.default_rng(1)
    for _ in range(3):
        nu = constraint.sigma * rng.normal(size=len(positions))
        parameters = np.array(config.suggested_init())
        parameters[positions] += nu
        exact = float(model.constraint_logpdf(np.array(config.auxdata), parameters))
        value, gradient = value_and_gradient(constraint, nu)
        assert value == pytest.approx(exact, rel=1e-12)
        for i, at in enumerate(positions):
            step = 1e-5 * np.eye(config.npars)[at]
            ends = (float(model.constraint_logpdf(np.array(config.auxdata), parameters + s * step)) for s in (1, -1))
            assert gradient[i] == pytest.approx(-np.subtract(*reversed(list(ends))) / 2e-5, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("which", ["all kinds", "uncorrelated"])
def test_the_whole_likelihood_is_pyhfs_also_compiled(which: str) -> None:
    model = models()[which]
    counts, config = counts_of(model), model.config
    likelihood = PyhfLikelihood(model, counts, fixed={"mu": 0.7})
    data = np.concatenate([counts, config.auxdata])
    positions = [config.par_names.index(name) for name in likelihood.nuisances]
    parameters = np.array(config.suggested_init())
    parameters[config.poi_index] = 0.7
    nu = likelihood.sigma * np.random.default_rng(2).normal(size=len(positions))
    parameters[positions] += nu
    value, gradient = value_and_gradient(likelihood, nu)
    assert value == pytest.approx(float(model.logpdf(parameters, data)[0]), rel=1e-12)
    for i, at in enumerate(positions):
        step = 1e-5 * np.eye(config.npars)[at]
        ends = [float(model.logpdf(parameters + s * step, data)[0]) for s in (1, -1)]
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-5)


@pytest.mark.slow
def test_gradients_are_those_of_pyhfs_own_jax_backend() -> None:
    """In a process of its own, where pyhf may have JAX as it likes."""
    program = """
import jax, numpy as np, pyhf
from nplm.nuisance.constraints.pyhf_likelihood import PyhfLikelihood
model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
likelihood = PyhfLikelihood(model, [51.0, 48.0])
jax.config.update("jax_enable_x64", True)
pyhf.set_backend("jax")
data = jax.numpy.array([51.0, 48.0, *model.config.auxdata])
point = jax.numpy.array([1.2, 0.95, 1.1])
def of(f, at):
    return jax.jit(jax.grad(f))(at), jax.jit(jax.hessian(f))(at)
pyhfs, ours = of(lambda p: model.logpdf(p, data)[0], point), of(likelihood.logpdf, point - 1.0)
assert pyhf.tensorlib.name == "jax"
for a, b in zip(pyhfs, ours):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
# The caller's backend needs JAX too: models must keep no tracers of ours.
pyhf.set_backend("jax", precision="32b")
jax.jit(likelihood.logpdf)(point - 1.0)
assert pyhf.tensorlib.name == "jax" and pyhf.tensorlib.precision == "32b"
again = jax.jit(jax.grad(lambda p: model.logpdf(p, data)[0]))(point)
np.testing.assert_allclose(again, ours[0], rtol=1e-5, atol=1e-5)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_neither_jax_nor_pyhf_is_configured_by_it() -> None:
    program = """
import jax, numpy as np, pyhf
import jax.numpy as jnp
from nplm.nuisance.constraints.pyhf_constraint import PyhfConstraint
from nplm.nuisance.constraints.pyhf_likelihood import PyhfLikelihood
model = pyhf.simplemodels.uncorrelated_background([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
other = pyhf.simplemodels.correlated_background([12.0, 11.0], [50.0, 52.0], [45.0, 57.0], [55.0, 47.0])
def state():
    return jax.config.jax_enable_x64, jnp.ones(1).dtype, pyhf.get_backend(), pyhf.get_backend(default=True)
before = state()
assert not before[0]
with jax.enable_x64(True):
    likelihood = PyhfLikelihood(model, [51.0, 48.0])
    jax.jit(jax.vmap(likelihood.logpdf))(jnp.zeros((2, 3)))
    assert jax.config.jax_enable_x64
PyhfConstraint(model).sample(np.zeros(2), np.random.default_rng(1))
likelihood.sample(np.zeros(3), np.random.default_rng(1))
assert state() == before
# Models of the caller's work on, and hold no tracers.
for m in (model, other):
    assert np.isfinite(m.logpdf(m.config.suggested_init(), m.expected_data(m.config.suggested_init()))).all()
# A user who wants float64 keeps it.
jax.config.update("jax_enable_x64", True)
jax.jit(likelihood.logpdf)(jnp.zeros(3))
assert jax.config.jax_enable_x64
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("guarded", [True, False])
def test_threads_switch_the_backend_one_after_the_other(guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the guard the second thread takes JAX for what pyhf was on, and leaves it on that."""
    if not guarded:
        monkeypatch.setattr(pyhf_terms, "_SWITCHED", nullcontext())
    before, outside = pyhf.get_backend(), [Event() for _ in range(2)]
    inside = [Event() for _ in range(2)]

    def visit(number: int) -> None:
        with pyhf_terms.jax_backend(pyhf):
            inside[number].set()
            outside[number].wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(visit, 0)
        assert inside[0].wait(10)
        second = pool.submit(visit, 1)
        assert inside[1].wait(0.3) is not guarded
        outside[0].set()
        first.result()
        outside[1].set()
        second.result()
    assert (pyhf.get_backend()[0].name == before[0].name) is guarded
    pyhf.set_backend(*before)


def test_the_backend_may_be_entered_again() -> None:
    with pyhf_terms.jax_backend(pyhf), pyhf_terms.jax_backend(pyhf):
        assert pyhf.get_backend()[0].name == "jax"
    assert pyhf.get_backend()[0].name == "numpy"


def test_sigma_is_the_width_of_the_terms_and_less_with_the_channels() -> None:
    model = models()["all kinds"]
    constraint = PyhfConstraint(model)
    sigma = dict(zip(constraint.nuisances, constraint.sigma, strict=True))
    assert sigma["scale"] == sigma["tilt"] == 1.0
    assert sigma["lumi"] == 0.017
    assert sigma["gamma[1]"] == pytest.approx(0.1)
    assert sigma["stat[2]"] == pytest.approx(2.0 / 7.0)
    with_channels = PyhfLikelihood(model, counts_of(model), fixed={"mu": 1.0})
    known = dict(zip(with_channels.nuisances, with_channels.sigma, strict=True))
    assert all(known[name] < sigma[name] for name in sigma)
    # With mu free the channels know less of the rest.
    free = PyhfLikelihood(model, counts_of(model))
    assert free.nuisances == tuple(model.config.par_names)
    assert free.sigma[free.nuisances.index("scale")] > known["scale"]


def test_chosen_parameters_under_other_names() -> None:
    model = models()["all kinds"]
    constraint = PyhfConstraint(model, {"lumi": "lumi", "bin": "gamma[1]", "norm": "scale"})
    assert constraint.nuisances == ("lumi", "bin", "norm")
    nu = np.array([0.01, -0.05, 1.3])
    # (60 / 6)^2 = 100 events measure gamma[1].
    exact = norm.logpdf(1.0, 1.01, 0.017) + poisson.logpmf(100, 95.0) + norm.logpdf(0.0, 1.3)
    assert value_and_gradient(constraint, nu)[0] == pytest.approx(exact, rel=1e-10)
    both = Constraints([GaussianConstraint("jet", 0.1), constraint])
    assert both.nuisances == ("jet", "lumi", "bin", "norm")
    assert PyhfConstraint.from_workspace(WORKSPACE, "fit", {"norm": "scale"}).nuisances == ("norm",)


@pytest.mark.slow
def test_data_fluctuate_around_the_truth(rng: np.random.Generator) -> None:
    model = models()["all kinds"]
    names = {"lumi": "lumi", "bin": "gamma[1]", "norm": "scale"}
    terms = PyhfConstraint(model, names)
    fixed = dict(zip(model.config.par_names, model.config.suggested_init(), strict=True))
    channels = PyhfLikelihood(model, counts_of(model), names, {n: fixed[n] for n in fixed if n not in names.values()})
    nu = np.array([0.02, 0.3, -1.0])
    drawn = np.array([terms.sample(nu, rng).auxiliary for _ in range(3000)])
    assert kstest(drawn[:, 0], norm(1.02, 0.017).cdf).pvalue > SIZE
    assert kstest(drawn[:, 0], norm(1.0, 0.017).cdf).pvalue < SIZE
    reach = norm.isf(SIZE / 2)
    assert drawn[:, 1].mean() == pytest.approx(130.0, abs=reach * np.sqrt(130.0 / 3000))
    assert drawn[:, 1].var() == pytest.approx(130.0, rel=reach * np.sqrt(2 / 3000))
    measured = np.array([channels.sample(nu, rng).auxiliary for _ in range(1000)])
    # scale at -1 sigma, gamma[1] at 1.3: the second bin has 10 x 1.02 + 60 x .85 x 1.3 + 8 events.
    assert measured[:, 1].mean() == pytest.approx(10.2 + 66.3 + 8.0, abs=reach * np.sqrt(84.5 / 1000))
    assert measured.shape == (1000, 3 + len(model.config.auxdata))


def test_a_pickled_likelihood_is_the_same() -> None:
    model = models()["uncorrelated"]
    likelihood = PyhfLikelihood(model, counts_of(model), fixed={"mu": 1.0})
    again = pickle.loads(pickle.dumps(likelihood))
    nu = 0.3 * likelihood.sigma
    with jax.enable_x64(True):
        values = [float(jax.jit(one.logpdf)(jnp.asarray(nu))) for one in (again, likelihood)]
    assert values[0] == pytest.approx(values[1], rel=1e-14)
    assert again.document() == likelihood.document()
    constraint = PyhfConstraint(model)
    assert pickle.loads(pickle.dumps(constraint)).document() == constraint.document()


def test_bad_input_is_refused_by_name() -> None:
    model = models()["uncorrelated"]
    with pytest.raises(ValueError, match="a stands for tilt, which is no parameter of the workspace: it has mu"):
        PyhfConstraint(model, {"a": "tilt"})
    with pytest.raises(ValueError, match="a stands for mu, which no auxiliary data constrain"):
        PyhfConstraint(model, {"a": "mu"})
    twice = {"a": "uncorr_bkguncrt[0]", "b": "uncorr_bkguncrt[0]"}
    with pytest.raises(ValueError, match="each nuisance must stand for a parameter of its own"):
        PyhfConstraint(model, twice)
    with pytest.raises(ValueError, match=r"one count >= 0 for each of the 2 bins of the channels singlechannel"):
        PyhfLikelihood(model, np.ones(3))
    with pytest.raises(ValueError, match="nu is fixed, but the workspace has mu"):
        PyhfLikelihood(model, np.ones(2), fixed={"nu": 1.0})
    with pytest.raises(ValueError, match=r"mu, uncorr_bkguncrt\[1\] of the workspace is neither a nuisance nor fixed"):
        PyhfLikelihood(model, np.ones(2), {"a": "uncorr_bkguncrt[0]"})
    with pytest.raises(ValueError, match="a stands for mu, which is fixed"):
        PyhfLikelihood(model, np.ones(2), {"a": "mu"}, {"mu": 1.0})
    with pytest.raises(ValueError, match="pyhf does not accept the workspace"):
        PyhfConstraint.from_workspace({"channels": []})
    with pytest.raises(ValueError, match="pyhf does not accept the workspace"):
        PyhfConstraint.from_workspace(WORKSPACE, "other")


def test_parameters_that_the_data_do_not_determine_are_refused() -> None:
    def channel(factors: list[str]) -> Any:
        modifiers = [{"name": name, "type": "normfactor", "data": None} for name in factors]
        sample = {"name": "s", "data": [20.0, 30.0], "modifiers": modifiers}
        return pyhf.Model({"channels": [{"name": "c", "samples": [sample]}]}, poi_name=None)

    with pytest.raises(ValueError, match="determine only a combination of a, b: hold one of them fixed"):
        PyhfLikelihood(channel(["a", "b"]), np.array([20.0, 30.0]))
    assert PyhfLikelihood(channel(["a"]), np.array([20.0, 30.0])).sigma == pytest.approx([1 / np.sqrt(50)], rel=1e-9)
