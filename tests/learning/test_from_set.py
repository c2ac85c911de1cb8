"""Sets of weights in few directions, against sets whose directions are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample
from nplm.learning.from_set import learn_from_set
from nplm.learning.settings import RatioSettings
from nplm.nuisance.ratios.base import log_ratio

QUICK = RatioSettings(members=2, hidden=(4,))


def problem(rng: np.random.Generator, n: int = 30_000, k: int = 30) -> tuple[Sample, np.ndarray, np.ndarray]:
    """Ratios of k members that move events by two functions of x only, and by noise that x does not know of."""
    x = rng.normal(size=n)
    functions = np.column_stack([0.05 * x, 0.03 * (x**2 - 1) + 0.04])
    mixing = np.linalg.qr(rng.normal(size=(k, 2)))[0]
    ratios = 1 + functions @ mixing.T + 0.02 * rng.normal(size=(n, k))
    return Sample(x, np.full(n, 5000 / n), ["x"]), ratios, mixing


def test_two_directions_of_thirty_are_found() -> None:
    rng = np.random.default_rng(1)
    central, ratios, mixing = problem(rng)
    learned = learn_from_set(central, ratios, "pdf", "symmetric hessian", relative=True, settings=QUICK)
    assert learned.ratio.nuisances == ("pdf_1", "pdf_2")
    learned.ratio.require_valid()
    assert learned.loss < 0.01
    assert "2 of 30 directions keep 99." in learned.describe()
    # They span what the members move, and the information is that of the functions, by their moments.
    assert np.linalg.svd(learned.directions @ mixing)[1] == pytest.approx([1, 1], abs=0.01)
    exact = 5000 * np.array([[0.05**2, 0.0], [0.0, 0.03**2 * 2 + 0.04**2]])
    assert learned.information[:2] == pytest.approx(sorted(np.diag(exact))[::-1], rel=0.06)
    # log r of a direction is what its combination of functions says.
    there = np.linspace(-1.5, 1.5, 13)
    functions = np.column_stack([0.05 * there, 0.03 * (there**2 - 1) + 0.04])
    for j, direction in enumerate(learned.directions, 1):
        found = log_ratio(learned.ratio, there[:, None], {f"pdf_{j}": 1.0})
        np.testing.assert_allclose(np.exp(found), 1 + functions @ mixing.T @ direction, atol=0.006)


def test_kinds_of_sets_differ_by_what_members_mean() -> None:
    rng = np.random.default_rng(2)
    central, ratios, _ = problem(rng, n=5000, k=6)
    up = learn_from_set(central, ratios, "p", "symmetric hessian", relative=True, settings=QUICK)
    pairs = np.stack([2 - ratios, ratios], axis=2).reshape(len(ratios), -1)
    both = learn_from_set(central, pairs, "p", "hessian", relative=True, settings=QUICK)
    np.testing.assert_allclose(both.information, up.information, rtol=1e-9)
    at_90 = learn_from_set(central, pairs, "p", "hessian", relative=True, level=0.9, settings=QUICK)
    np.testing.assert_allclose(at_90.information, up.information / 1.6448536**2, rtol=1e-6)
    weights = central.weights[:, None] * ratios
    absolute = learn_from_set(central, weights, "p", "symmetric hessian", relative=False, settings=QUICK)
    np.testing.assert_allclose(absolute.information, up.information, rtol=1e-9)
    # Replicas drawn with unit Gaussians around the central member have the same covariance, to 1 / sqrt(400).
    draws = 1 + (ratios - 1) @ rng.normal(size=(6, 400))
    replicas = learn_from_set(central, draws, "p", "replicas", relative=True, settings=QUICK)
    assert replicas.information[:2] == pytest.approx(up.information[:2], rel=0.25)


@pytest.mark.slow
def test_t_of_varied_toys_keeps_its_size() -> None:
    """200 toys at nu = 1.5 of a random member: p-values of a kernel test with the directions' nuisances are uniform."""
    rng = np.random.default_rng(3)
    central, ratios, _ = problem(rng, n=40_000)
    learned = learn_from_set(central, ratios, "pdf", "symmetric hessian", relative=True, settings=QUICK)
    names = learned.ratio.nuisances
    nuisances = Nuisances(learned.ratio, GaussianConstraint(names, np.ones(len(names))))
    test = NPLMTest(central, KernelModel(width=1.0, centers=40), nuisances=nuisances)
    nu = rng.normal(size=30)
    nu *= 1.5 / np.linalg.norm(learned.directions @ nu)
    truth = central.weights * (1 + (ratios - 1) @ nu)
    data = []
    for _ in range(200):
        events = np.repeat(central.events[:, 0], rng.poisson(np.maximum(truth, 0)))
        measured = learned.directions @ nu + rng.normal(size=len(names))
        data.append(Sample(events, features=["x"]).with_auxiliary(measured))
    # Toys of the reference's own events do not fluctuate with it.
    asymptotic = test.prepared.null(data[0], fixed_reference=True)
    assert kstest(asymptotic.pvalues(test.fit(data).t), "uniform").pvalue > 0.01
    # Negative control: without nuisances the variation is seen.
    plain = NPLMTest(central, KernelModel(width=1.0, centers=40))
    assert plain.prepared.null().pvalues(plain.fit(data[:40]).t).mean() < 0.2


def test_what_is_wrong_is_named() -> None:
    rng = np.random.default_rng(4)
    central, ratios, _ = problem(rng, n=2000, k=5)
    for members, kind, how, message in (
        (ratios[:10], "replicas", {}, r"must have shape \(2000, m\)"),
        (ratios, "hessian", {}, "has pairs of members, not 5"),
        (ratios, "asymmetric", {}, "no set 'asymmetric': choose symmetric hessian"),
        (ratios, "replicas", {"loss": 0.0}, "between 0 and 1, not 0"),
        (ratios, "hessian", {"level": 90.0}, "such as 0.9, not 90"),
        (np.where(ratios > 1.05, np.nan, ratios), "replicas", {}, "weight of event"),
        (np.ones_like(ratios), "symmetric hessian", {}, "do not move the density"),
    ):
        with pytest.raises(ValueError, match=message):
            learn_from_set(central, members, "p", kind, relative=True, **how)  # type: ignore[arg-type]
