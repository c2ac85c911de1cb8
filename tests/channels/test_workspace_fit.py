"""All bins of a workspace together: goodness of fit against pyhf and scipy, its distribution, and limits in results."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, kstest, norm, poisson

from nplm import load_result
from nplm.channels import Templates, WorkspaceLikelihood, examine_regions
from nplm.channels.workspace import regions_of_workspace
from nplm.channels.workspace_fit import workspace_fit
from tests.channels.test_workspace_likelihood import SIGNAL, large, workspace

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")


def test_the_statistic_is_that_of_pyhfs_fit_over_the_saturated_model() -> None:
    likelihood = WorkspaceLikelihood.of(workspace())
    found = workspace_fit("search", likelihood, {"s": SIGNAL, "none": np.zeros(5)}, draws=20)
    model = pyhf.Workspace(workspace()).model()
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10, maxiter=100_000))
    twice = pyhf.infer.mle.fixed_poi_fit(
        0.0, [*likelihood.counts, *model.config.auxdata], model, return_fitted_val=True
    )[1]
    pyhf.set_backend(*before)
    terms = likelihood.model.terms
    saturated = poisson.logpmf(likelihood.counts, likelihood.counts).sum()
    saturated += poisson.logpmf(np.round(terms.auxiliary), terms.auxiliary)[terms.poisson].sum()
    saturated += norm.logpdf(0, 0, terms.scale[~terms.poisson]).sum()
    assert found.statistic == pytest.approx(float(2 * saturated + twice), abs=1e-6)
    # Five bins, of which the free factor takes one.
    assert (found.bins, found.degrees) == (5, 4)
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 4))
    (limit,) = found.limits
    assert limit.limit == likelihood.upper_limit(SIGNAL)
    assert limit.mu < limit.limit


def test_drawn_tables_have_the_chi2_where_counts_are_large() -> None:
    """300 tables of a workspace that is as it says; with another number of degrees of freedom it would not fit."""
    likelihood = WorkspaceLikelihood.of(large())
    rng, model = np.random.default_rng(1), likelihood.model
    drawn = [likelihood.drawn(rng) for _ in range(300)]
    counts, auxiliary = np.array([each.counts for each in drawn]), np.array([each.auxiliary for each in drawn])
    best = model.fit(counts, auxiliary, np.zeros(counts.shape), likelihood.truth)[0]
    statistic = 2 * (model.saturated(counts, auxiliary) - best)
    degrees = workspace_fit("search", likelihood, {}, draws=1).degrees
    assert kstest(statistic, "chi2", (degrees,)).pvalue > 1e-3
    assert kstest(statistic, "chi2", (degrees + 1,)).pvalue < 1e-3


def test_regions_have_the_fits_of_their_workspaces(tmp_path: Path) -> None:
    """A bin that is far off makes the fit odd, and the cautions say so; the result is saved with it."""
    document: dict[str, Any] = copy.deepcopy(workspace())
    document["observations"][0]["data"][0] = 80.0
    table = regions_of_workspace(document, analysis="search")
    full = {"search": WorkspaceLikelihood.of(document)}
    templates = Templates(("s",), SIGNAL[None])
    result = examine_regions(table, draws=60, likelihoods=full, templates=templates)
    (fit,) = result.fits
    assert fit.p_value < 1e-3
    assert fit.drawn_p == 1 / 61
    assert any("the bins of search together" in note for note in result.notes)
    assert "upper limit at 95%" in repr(result)
    result.save(tmp_path / "saved.npz")
    assert load_result(tmp_path / "saved.npz").to_dict() == result.to_dict()
    with pytest.raises(ValueError, match="limits on templates are set by full likelihoods"):
        examine_regions(table, draws=5, templates=templates)
