"""The full likelihood of workspaces: fits and limits of pyhf, derivatives, and the simplified one where it is right."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from nplm.channels import Templates, explain_excesses
from nplm.channels.graph import compatibility_graph
from nplm.channels.histfactory import HistFactory
from nplm.channels.likelihood import JointRegions
from nplm.channels.score import Scorer
from nplm.channels.table import RegionTable
from nplm.channels.workspace import regions_of_workspace, with_workspace
from nplm.channels.workspace_likelihood import WorkspaceLikelihood

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")

SIGNAL = np.array([3.0, 6.0, 0.0, 1.0, 4.0])


def workspace(small: float = 1.0) -> dict[str, Any]:
    """Two channels, each with all kinds of modifiers but the signal with none; errors are `small` times as large."""

    def modifiers(data: np.ndarray, channel: str) -> list[dict[str, Any]]:
        tilt = small * np.linspace(-0.1, 0.15, len(data)) * data
        return [
            {"name": "free", "type": "normfactor", "data": None},
            {"name": "lumi", "type": "lumi", "data": None},
            {"name": "scale", "type": "normsys", "data": {"hi": 1 + 0.1 * small, "lo": 1 - 0.15 * small}},
            # The same nuisance moves rate and shape, as it does where pyhf takes over a HistoSys of ROOT.
            {"name": "scale", "type": "histosys", "data": {"hi_data": list(data + tilt), "lo_data": list(data - tilt)}},
            {"name": "tilt", "type": "histosys", "data": {"hi_data": list(data + tilt), "lo_data": list(data)}},
            {"name": f"stat_{channel}", "type": "staterror", "data": list(0.08 * small * data)},
        ]

    def channel(name: str, b: np.ndarray, s: np.ndarray) -> dict[str, Any]:
        rest = 0.3 * b + 1
        return {
            "name": name,
            "samples": [
                {"name": "signal", "data": list(s), "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
                {"name": "background", "data": list(b), "modifiers": modifiers(b, name)},
                {
                    "name": "rest",
                    "data": list(rest),
                    "modifiers": [{"name": f"own_{name}", "type": "shapesys", "data": list(0.2 * small * rest)}],
                },
            ],
        }

    return {
        "version": "1.0.0",
        "channels": [
            channel("SR", np.array([20.0, 9.0, 4.0]), SIGNAL[:3]),
            channel("VR", np.array([90.0, 30.0]), SIGNAL[3:]),
        ],
        "observations": [{"name": "SR", "data": [31.0, 17.0, 3.0]}, {"name": "VR", "data": [120.0, 45.0]}],
        "measurements": [
            {
                "name": "fit",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0], "bounds": [[0.5, 1.5]]}
                    ],
                },
            }
        ],
    }


def large() -> dict[str, Any]:
    """The same with 400 times the counts and a twentieth of the relative errors: distributions are asymptotic."""
    document = workspace()
    for each in document["channels"]:
        for sample in each["samples"]:
            sample["data"] = [400 * v for v in sample["data"]]
            for modifier in sample["modifiers"]:
                if isinstance(modifier["data"], list):
                    modifier["data"] = [20 * v for v in modifier["data"]]
                elif modifier["type"] == "histosys":
                    modifier["data"] = {name: [400 * v for v in values] for name, values in modifier["data"].items()}
    for each in document["observations"]:
        each["data"] = [400 * v for v in each["data"]]
    return document


@pytest.fixture
def model() -> Any:
    """pyhf's, with a fit that ends where it should."""
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10, maxiter=100_000))
    yield pyhf.Workspace(workspace()).model()
    pyhf.set_backend(*before)


def test_log_l_is_that_of_pyhfs_fits(model: Any) -> None:
    likelihood = WorkspaceLikelihood.of(workspace())
    data = pyhf.Workspace(workspace()).data(model)
    mu = np.array([0.0, 0.4, 1.0, 2.5, 6.0])
    found = likelihood.log_likelihood(mu[:, None] * SIGNAL)
    for value, each in zip(found, mu, strict=True):
        twice = pyhf.infer.mle.fixed_poi_fit(each, data, model, return_fitted_val=True)[1]
        assert -2 * value == pytest.approx(float(twice), abs=1e-6)
    kept = likelihood.along(SIGNAL, np.linspace(0, 8, 60))
    np.testing.assert_allclose(kept, likelihood.log_likelihood(np.linspace(0, 8, 60)[:, None] * SIGNAL), atol=1e-4)
    np.testing.assert_allclose(likelihood.along(2 * SIGNAL, mu / 2), likelihood.along(SIGNAL, mu), atol=1e-9)


def test_bins_expect_what_pyhf_expects_and_derivatives_are_differences(model: Any) -> None:
    bins, config = HistFactory.of(model), model.config
    rng = np.random.default_rng(1)
    at = np.array(config.suggested_init()) + rng.uniform(-0.9, 2.0, (6, config.npars))  # also beyond +1 and -1
    at[:, config.par_slice("tilt")] *= -1
    for row, mean in zip(at, bins.at(at).mean, strict=True):
        np.testing.assert_allclose(mean, model.expected_data(row.tolist(), include_auxdata=False), rtol=1e-12)
    weight, step = rng.normal(size=bins.at(at).mean.shape), 1e-5
    for p in range(config.npars):
        moved = step * np.eye(config.npars)[p]
        up, down = bins.at(at + moved), bins.at(at - moved)
        np.testing.assert_allclose(bins.at(at).slope[:, :, p], (up.mean - down.mean) / (2 * step), rtol=1e-6, atol=1e-6)
        second = np.einsum("gk,gkp->gp", weight, up.slope - down.slope) / (2 * step)
        np.testing.assert_allclose(bins.at(at).curvature(weight)[:, p], second, rtol=1e-5, atol=1e-4)


def test_limits_are_those_of_pyhf(model: Any) -> None:
    data = pyhf.Workspace(workspace()).data(model)
    likelihood = WorkspaceLikelihood.of(workspace())
    limit = likelihood.upper_limit(SIGNAL)
    assert float(pyhf.infer.hypotest(limit, data, model, test_stat="qtilde")) == pytest.approx(0.05, rel=1e-4)
    assert likelihood.upper_limit(2 * SIGNAL) == pytest.approx(limit / 2, rel=1e-6)
    assert likelihood.upper_limit(SIGNAL, 0.1) < limit
    assert likelihood.upper_limit(np.zeros(5)) == np.inf


def test_it_is_the_simplified_likelihood_where_errors_are_small() -> None:
    """The free factor is fixed; with errors of 1/50 of these they are the same, with a half 2 log L differs."""

    def off(small: float) -> float:
        document = workspace(small)
        document["measurements"][0]["config"]["parameters"].append({"name": "free", "fixed": True})
        table = regions_of_workspace(document)
        joint = JointRegions.of(table.observed, table.expected, table.covariances["workspace"])
        full, mu = WorkspaceLikelihood.of(document), np.linspace(0, 3, 7)
        gains = [2 * (each.along(SIGNAL, mu) - each.along(SIGNAL, np.zeros(1))) for each in (full, joint)]
        return float(np.abs(gains[0] - gains[1]).max())

    assert off(0.02) < 1e-4
    assert off(0.5) > 0.1


def test_tables_are_drawn_with_their_auxiliary_data() -> None:
    """2 log L(0) less that of the truth is a chi2 of as many as are fitted; with auxiliary data that stay it is not."""
    likelihood = WorkspaceLikelihood.of(large())
    rng, none = np.random.default_rng(3), np.zeros((1, 5))
    fixed = replace(likelihood.model, free=np.zeros_like(likelihood.model.free), begin=likelihood.truth)

    def distance(drawn: WorkspaceLikelihood) -> float:
        at_truth = fixed.fit(drawn.counts, drawn.auxiliary, none)[0]
        return 2 * float((drawn.log_likelihood(none) - at_truth)[0])

    tables = [likelihood.drawn(rng) for _ in range(150)]
    fitted = int(likelihood.model.free.sum())
    assert kstest([distance(each) for each in tables], "chi2", (fitted,)).pvalue > 1e-3
    stayed = [distance(each.with_data(each.counts, likelihood.model.auxiliary_at(likelihood.truth))) for each in tables]
    assert kstest(stayed, "chi2", (fitted,)).pvalue < 1e-6


def table_with_workspace() -> tuple[RegionTable, Templates]:
    """Two analyses; the workspace stands for the first."""
    plain = RegionTable.from_columns(
        {"region": ["A", "B"], "analysis": ["search", "other"], "experiment": ["1", "2"], "observed": [3, 12],
         "expected": [2.0, 9.0], "error": [0.5, 1.0]}
    )  # fmt: skip
    table = with_workspace(plain, "search", regions_of_workspace(workspace(), analysis="search"))
    return table, Templates(("s",), np.array([[2.0, *SIGNAL]]))


def test_the_scorer_adds_templates_to_the_bins(model: Any) -> None:
    """K of the workspace alone is pyhf's -2 log L(0) / L(mu^) less two for the template."""
    table, templates = table_with_workspace()
    assert table.regions == ("B", "SR[0]", "SR[1]", "SR[2]", "VR[0]", "VR[1]")
    assert table.labels["experiment"] == ("2", *"11111")
    templates = Templates(("s",), templates.yields * (np.array(table.analyses) == "search"))
    full = {"search": WorkspaceLikelihood.of(workspace())}
    scorer = Scorer(table, templates, compatibility_graph(table, "experiment"), None, full)
    data = pyhf.Workspace(workspace()).data(model)
    best, value = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    nothing = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1]
    found = scorer.score(np.ones(1))
    assert found.k == pytest.approx(float(nothing - value) - 2, abs=1e-4)
    assert found.mu == pytest.approx(best[model.config.poi_index], rel=1e-3)
    assert found.combination == ("search",)


def test_walks_with_a_full_likelihood_have_their_own_fake_tables() -> None:
    table, templates = table_with_workspace()
    full = {"search": WorkspaceLikelihood.of(workspace())}
    asked = {"walkers": 1, "steps": 3, "fakes": 6, "seed": 2}
    result = explain_excesses(table, templates, "experiment", likelihoods=full, **asked)
    again = explain_excesses(table, templates, "experiment", likelihoods={"search": full["search"]}, **asked)
    np.testing.assert_array_equal(result.null, again.null)
    assert len(set(result.null)) > 1
    assert set(result.score.combination) == {"search", "other"}
    assert "full: search" in repr(result)
    simplified = explain_excesses(table, templates, "experiment", **asked)
    assert simplified.score.k != pytest.approx(result.score.k, abs=0.01)
    with pytest.raises(ValueError, match="the full likelihood of 'search' is not of its regions"):
        explain_excesses(table.with_observed(table.observed + 1), templates, "experiment", likelihoods=full)


def test_what_a_workspace_cannot_say_is_refused() -> None:
    document = workspace()
    background_alone = copy.deepcopy(document)
    for each in background_alone["channels"]:
        each["samples"] = each["samples"][1:]
    alone, whole = WorkspaceLikelihood.of(background_alone), WorkspaceLikelihood.of(document)
    np.testing.assert_allclose(alone.log_likelihood(SIGNAL[None]), whole.log_likelihood(SIGNAL[None]), atol=1e-8)
    plain, _ = table_with_workspace()
    with pytest.raises(ValueError, match="has no analysis 'third', for which there is a workspace"):
        with_workspace(plain, "third", regions_of_workspace(document, analysis="third"))
    free = {"name": "b", "data": [10.0], "modifiers": [{"name": "free", "type": "normfactor", "data": None}]}
    blind = {
        "version": "1.0.0",
        "channels": [{"name": "c", "samples": [free]}],
        "observations": [{"name": "c", "data": [12.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    assert WorkspaceLikelihood.of(blind).upper_limit(np.ones(1)) == np.inf
    table = RegionTable(("c",), ("x",), np.array([12.0]), np.array([10.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="no analysis says anything of template 's'"):
        explain_excesses(
            table, Templates(("s",), np.ones((1, 1))), "analysis", likelihoods={"x": WorkspaceLikelihood.of(blind)}
        )
