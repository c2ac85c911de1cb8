"""Counts in intervals less what a fit absorbs: beside regressions, exact tails and normal integrals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import hypergeom, multivariate_normal, norm

from nplm.data.sample import Sample
from nplm.family.intervals import Intervals
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family
from nplm.measure import goodness_of_fit
from nplm.measure.left import LeftFamily, PointOfFit
from nplm.measure.projected_intervals import ProjectedIntervals
from nplm.two_sample.pooled import Pool

BOXES = FamilySettings(classes=("intervals",), interval_cells=(2, 12), hump_cells=(8,), end_masses=(32.0,))


def _normal(n_a: int, n_b: int, fitted: bool, seed: int = 3) -> tuple[LeftFamily, Intervals, np.ndarray]:
    """Two samples of a normal distribution whose mean and width are fitted or known, and the scores of the pool."""
    rng = np.random.default_rng(seed)
    a, b = Sample(rng.normal(size=n_a)), Sample(rng.normal(size=n_b))
    of_a, of_b = (
        np.column_stack([x, x**2 - 1]) if fitted else np.zeros((len(x), 1)) for x in (a.events[:, 0], b.events[:, 0])
    )
    at = PointOfFit(a, b, of_a, of_b, False, np.zeros((of_a.shape[1],) * 2))
    left = LeftFamily.of(at, BOXES, 1)
    (before,) = Family.of(Pool.of(a, b), BOXES).intervals
    return left, before, left.fitted.scores


def _only(left: LeftFamily) -> ProjectedIntervals:
    (found,) = left.intervals
    assert isinstance(found, ProjectedIntervals)
    return found


def test_what_is_left_of_a_count_is_the_residual_of_its_regression_on_the_scores() -> None:
    """kappa is the share of the variance that a least-squares regression on the parameters' scores leaves."""
    left, before, scores = _normal(900, 300, True)
    found = _only(left)
    columns = np.column_stack([np.ones(len(scores)), scores])
    for v, kappa in zip(before.weights, found.kappa, strict=True):
        counted = v[before.grid.on[before.grid.of_event]]
        residual = counted - columns @ np.linalg.lstsq(columns, counted, rcond=None)[0]
        assert kappa == pytest.approx(residual @ residual / (counted @ counted), rel=1e-8)
    # What events add to cells does not know the parameters, and has that covariance.
    rows = found.cell_modes(np.arange(len(scores))) * np.sqrt(found.variance)
    np.testing.assert_allclose(rows.T @ scores, 0, atol=1e-8)
    np.testing.assert_allclose(rows.T @ rows * left.fitted.second[0], found.covariance, atol=1e-8)
    # Control: the counts themselves do.
    raw = before.cell_modes(np.arange(len(scores)))
    assert np.abs(raw.T @ scores).max() > 1


def test_the_expected_count_is_where_the_parameters_have_followed() -> None:
    """What is observed less what is expected, times 1 - q, is the score that is left: with the scores taken off."""
    left, before, _ = _normal(900, 300, True)
    found = _only(left)
    q, response = left.q, found.part.response
    y = (1 - q) * before.mass_b - q * before.mass_a
    np.testing.assert_allclose((1 - q) * (before.mass_b - found.expected), y - response @ left.fitted.left, atol=1e-9)
    assert found.expected.sum() == pytest.approx(before.mass_b.sum())
    best = found.best
    inside = slice(best.start, best.stop)
    assert best.observed == pytest.approx(before.mass_b[inside].sum())
    assert best.expected == pytest.approx(found.expected[inside].sum())


def test_few_events_are_no_rarer_than_their_exact_law_says() -> None:
    """With nothing fitted a count has the hypergeometric law, whose two-sided tails are at most 1.15 those of the root.

    Control: with a quarter of the events inside, a root that is not divided by the share that is left is far off.
    """
    left, before, _ = _normal(160, 40, False)
    found = _only(left)
    total, n_b = 200, 40
    seen = set()
    for i, v in enumerate(found.weights):
        held = round(float(v @ (found.mass_a + found.mass_b)))
        if not set(np.unique(v)) <= {0.0, 1.0} or held in seen:
            continue
        seen.add(held)
        assert found.kappa[i] == pytest.approx(1 - held / total)
        k = np.arange(held + 1)
        scores = np.zeros((len(k), found.cells))
        scores[:, int(np.argmax(v))] = k - n_b / total * held
        mass = hypergeom.pmf(k, total, held, n_b)
        for each, unlike in ((found, False), (before, True)):
            roots = np.abs(each.of_scores(scores, left.q)[:, i])
            exact = np.array([mass[roots >= r - 1e-9].sum() for r in roots])
            tail = np.minimum(2 * norm.sf(roots), 1.0)
            rare = (exact > 1e-7) & (roots > 0)
            if not unlike:
                assert (exact[rare] <= 1.15 * tail[rare]).all()
            elif held > 50:
                assert (exact[rare & (roots > 2.5)] < 0.35 * tail[rare & (roots > 2.5)]).all()
    assert min(seen) <= 5
    assert max(seen) > 50


def test_the_tail_of_intervals_is_that_of_their_normal_distribution() -> None:
    """Of two intervals that a fit ties to each other P(either exceeds) is an integral over two dimensions."""
    left, before, _ = _normal(2000, 500, True)
    found = _only(left)
    sizes = found.weights @ found.covariance @ found.weights.T
    correlation = sizes / np.sqrt(np.outer(found.held, found.held))
    apart = before.weights @ before.weights.T == 0
    pair = np.unravel_index(np.argmin(np.where(apart, correlation, 0.0)), correlation.shape)
    two = ProjectedIntervals.of_those(_some(before, np.array(pair)), left.fitted)
    assert two is not None
    rho = correlation[pair]
    root = 1.8
    corners = multivariate_normal(cov=[[1, rho], [rho, 1]])
    inside = corners.cdf([root, root], lower_limit=[-root, -root])
    assert np.exp(two.log_tail(root, 1)) == pytest.approx(1 - inside, rel=0.02)
    # Control: counts that are not tied.
    free = 1 - (1 - 2 * norm.sf(root)) ** 2
    assert free / (1 - inside) > 1.05


def _some(before: Intervals, chosen: np.ndarray) -> Intervals:
    rows = {name: getattr(before, name)[chosen] for name in ("start", "stop", "weights", "unit_a", "unit_b")}
    return replace(before, **rows)


def test_roots_of_samples_without_a_difference_have_variance_one() -> None:
    """2000 samples tell a standard deviation to 1.6%. Control: the counts before, in the same samples."""
    left, before, _ = _normal(4000, 4000, True)
    found = _only(left)
    drawn = left.null(2000, 5)
    many = found.weights @ (found.mass_a + found.mass_b) > 600
    spread = found.of_scores(found.scores(drawn), left.q)[:, many].std(axis=0)
    assert np.abs(spread - 1).max() < 0.06
    unlike = before.of_scores(before.scores(drawn.events), left.q)[:, many].std(axis=0)
    assert unlike.min() < 0.85


def test_excesses_and_deficits_of_wide_intervals_are_as_likely() -> None:
    """Of 60 events beside two fitted parameters, 3 standard deviations in 20000 samples without a difference.

    The tails are known to about 12%. Control: roots without the skewness that is left.
    """
    left, _, _ = _normal(300, 60, True)
    found = _only(left)
    drawn = left.null(20_000, 1)
    scores = found.scores(drawn)
    wide = found.weights @ (found.mass_a + found.mass_b) > 60
    assert found.kappa[wide].max() < 0.7
    shares = []
    for each in (found, replace(found, bend=0 * found.bend)):
        roots = each.of_scores(scores, left.q)[:, wide]
        shares.append([(sign * roots > 3).mean() / norm.sf(3) for sign in (1, -1)])
    (more, fewer), (more_unbent, fewer_unbent) = shares
    assert max(more, fewer) < 1
    assert 0.7 < more / fewer < 1.4
    assert more_unbent / fewer_unbent < 0.6


def test_an_interval_that_leads_is_named() -> None:
    """A narrow peak beside the fitted scale of an exponential."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.exponential(size=900), rng.normal(1.5, 0.03, 40)])
    scale = x.mean()
    found = goodness_of_fit(
        x,
        rng.exponential(scale, 9000),
        lambda events, theta: -events[:, 0] / theta[0] - np.log(theta[0]),
        {"scale": scale},
        resamples=99,
    )
    assert found.z > 4
    assert found.tests[found.leading] == "interval of x0"
    assert found.leading_features == ("x0",)
    assert found.leading_words.startswith("in one interval between x0 = 1.4")
    assert "events of the data where" in found.leading_words
    assert found.leading_words.endswith("are expected from the fit")
    assert found.to_dict()["leading"]["local_p"] == pytest.approx(np.exp(found.log_p[found.leading]))
