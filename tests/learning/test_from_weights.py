"""Log-ratios learned from the weights of events, against exact ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm import Sample
from nplm.learning.checks import coverage, validate_ratio
from nplm.learning.from_weights import learn_from_scores, learn_from_weights
from nplm.learning.relative_weights import looks_relative
from nplm.learning.settings import RatioSettings
from nplm.nuisance.ratios.base import log_ratio
from tests.learning.learned_problems import exponential, latent, of_exponential, of_latent, rms

QUICK = RatioSettings(members=3, hidden=(4,))
POINTS = (-0.4, -0.2, 0.2, 0.4)


def test_the_variance_of_the_score_is_part_of_the_second_order() -> None:
    """Latent Gaussian, 30,000 events: d1 = x / 5, d2 = -1/5 within the ensemble's errors, and -1/4 without the term."""
    rng = np.random.default_rng(2)
    central, z = latent(rng, 30_000)
    t = z / 4
    ratio = learn_from_scores(central, {"mean": t}, {"mean": -0.25 + t**2}, {"mean": 0.3}, settings=QUICK)
    ratio.require_valid()
    x = np.sqrt(5) * rng.normal(size=10_000)
    exact = of_latent(x)
    assert (rms(ratio.basis(x[:, None]) - exact) < [0.01, 0.01]).all()
    assert (coverage(ratio, x[:, None], exact) < 3).all()
    # Negative control: E[dt/dnu | x], without E[t^2 | x] - d1^2.
    biased = learn_from_scores(
        central, {"mean": t}, {"mean": -0.25 + (central.events[:, 0] / 5) ** 2}, {"mean": 0.3}, settings=QUICK
    )
    assert biased.basis(x[:, None])[:, 1].mean() == pytest.approx(-0.25, abs=0.01)


def test_weights_at_points_give_what_scores_give() -> None:
    """The same from w(nu) = N(z; nu, 2) / N(z; 0, 2) at four points: polynomials of fourth order are near enough."""
    rng = np.random.default_rng(3)
    central, z = latent(rng, 20_000)
    varied = [({"mean": nu}, np.exp(nu * z / 4 - nu**2 / 8)) for nu in POINTS]
    ratio = learn_from_weights(central, varied, settings=QUICK)
    ratio.require_valid()
    x = np.sqrt(5) * rng.normal(size=5000)
    assert (rms(ratio.basis(x[:, None]) - of_latent(x)) < [0.01, 0.01]).all()


def test_exact_weights_give_the_exact_exponential() -> None:
    """w(nu) = r(x; nu) of the scale: d1 = x - 1 and d2 = -x, far better than samples can tell."""
    rng = np.random.default_rng(4)
    central = exponential(rng, 20_000)
    x = central.events[:, 0]
    varied = [({"scale": nu}, central.weights * np.exp(-nu - x * np.expm1(-nu))) for nu in (-0.2, -0.1, 0.1, 0.2)]
    ratio = learn_from_weights(central, varied, settings=QUICK)
    ratio.require_valid()
    there = rng.exponential(size=10_000)
    assert (rms(ratio.basis(there[:, None]) - of_exponential(there)) < [0.02, 0.06]).all()


def test_the_given_points_are_passed_whatever_the_signs() -> None:
    """Weights of both signs whose ratios depend on x and on more: r(x; nu) is their mean at x, at the points given."""
    rng = np.random.default_rng(5)
    n = 40_000
    x, z = rng.normal(size=n), rng.normal(size=n)
    central = Sample(x, rng.choice([1.0, -0.2], size=n, p=[0.8, 0.2]), ["x"])
    up, down = 1.25 + 0.1 * x + 0.2 * z, 0.85 - 0.03 * x + 0.1 * z
    varied = [({"scale": 1.0}, central.weights * up), ({"scale": -1.0}, central.weights * down)]
    ratio = learn_from_weights(central, varied, settings=QUICK)
    ratio.require_valid()
    there = np.linspace(-1.5, 1.5, 13)
    for nu, exact in ((1.0, 1.25 + 0.1 * there), (-1.0, 0.85 - 0.03 * there)):
        np.testing.assert_allclose(np.exp(log_ratio(ratio, there[:, None], {"scale": nu})), exact, rtol=0.01)
        moved = central.weights @ np.exp(log_ratio(ratio, central.events, {"scale": nu}))
        assert moved == pytest.approx(central.weights @ (up if nu > 0 else down), rel=2e-3)
    # Negative control: the Taylor series at 0 of weights that are quadratic in nu misses them by more.
    d1, d2 = (1.25 - 0.85) / 2, (1.25 + 0.85) - 2 - ((1.25 - 0.85) / 2) ** 2
    assert abs(np.exp(d1 + d2 / 2) - 1.25) > 0.005


def scales(rng: np.random.Generator, n: int) -> tuple[Sample, dict[tuple[float, float], np.ndarray]]:
    """Events of a steeply falling pt with a coupling that runs: weights at nine points (muR, muF), as ratios.

    alpha_s(muR)^2 moves the yield by some 20%, muF by 5 to 10% with a slope in x, and both together not by the product.
    """
    x = rng.exponential(size=n)
    signs = rng.choice([1.0, -1.0], size=n, p=[0.85, 0.15])
    central = Sample(x, 1.7e4 * signs, ["x"])

    def ratio(r: float, f: float) -> np.ndarray:
        running = (1 / (1 + 0.075 * r * np.log(4) / (1 + 0.1 * x))) ** 2
        return running * (1 + f * 0.06 * (1 - 0.4 * x / (1 + x)) - 0.02 * f**2 + 0.01 * r * f)

    return central, {(r, f): ratio(r, f) for r in (-1.0, 0.0, 1.0) for f in (-1.0, 0.0, 1.0) if r or f}


def test_a_set_of_nine_scales_is_learned_from_ratios() -> None:
    """As NanoAOD has them: ratios beside signed weights of 17,000. 60,000 events, all eight variations at once."""
    rng = np.random.default_rng(11)
    central, ratios = scales(rng, 60_000)
    varied = [({k: v for k, v in (("muR", r), ("muF", f)) if v}, w) for (r, f), w in ratios.items()]
    central = Sample(central.events, central.weights, ["x"]).scaled_to(8000.0)
    ratio = learn_from_weights(central, varied, settings=RatioSettings(members=2, hidden=(4,)))
    ratio.require_valid()
    # At the points of one nuisance r is what was given; at the corners, which share one term, nearly.
    x = central.events[:2000]
    for (r, f), w in ratios.items():
        found = np.exp(log_ratio(ratio, x, {"muR": r, "muF": f}))
        np.testing.assert_allclose(found, w[:2000], rtol=0.02 if r and f else 0.01)
    declared = learn_from_weights(central, varied, relative=True, settings=RatioSettings(members=2, hidden=(4,)))
    np.testing.assert_array_equal(declared.basis(x), ratio.basis(x))


def test_ratios_are_told_from_weights() -> None:
    rng = np.random.default_rng(1)
    ratios = 1 + 0.2 * rng.normal(size=1000)
    for size in (1e-6, 0.04, 3e4):
        for signs in (np.ones(1000), rng.choice([1.0, -1.0], size=1000, p=[0.8, 0.2])):
            weights = size * signs
            assert looks_relative(weights, ratios)
            assert not looks_relative(weights, weights * ratios)
    # The members of a set are judged together, also where one alone would pass for weights.
    members = np.column_stack([ratios] * 9 + [5e-3 * ratios])
    assert looks_relative(np.full(1000, 1e-3), members)
    assert not looks_relative(np.full(1000, 1e-3), members[:, 9])
    # Weights of about 1, all positive, are weights.
    assert not looks_relative(np.full(1000, 0.9), ratios)
    assert looks_relative(rng.choice([1.0, -1.0], size=1000, p=[0.8, 0.2]), ratios)


def test_a_systematic_of_one_side_is_linear_in_nu() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=20_000)
    central = Sample(x, features=["x"])
    ratio = learn_from_weights(central, [({"up": 1.0}, np.exp(0.1 * x))], settings=QUICK)
    ratio.require_valid()
    assert ratio.term_names == ("up",)
    there = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(log_ratio(ratio, there[:, None], {"up": -2.0}), -0.2 * there, atol=0.01)


def test_a_bias_fails_if_data_would_see_it() -> None:
    """A constant bias of 0.3% in r: nothing at 12,000 expected events, a failed check at a million."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=60_000)
    up = np.exp(0.1 * x)
    ratio = learn_from_weights(Sample(x, features=["x"]), [({"s": 1.0}, up), ({"s": -1.0}, 1 / up)], settings=QUICK)
    for expected, passed in ((12_000.0, True), (1e6, False)):
        central = Sample(x, np.full(60_000, expected / 60_000), ["x"])
        varied = [({"s": 1.0}, replace(central, weights=central.weights * up * 1.003))]
        assert validate_ratio(ratio, central, varied, paired=True).passed is passed


def test_cross_terms_from_scores() -> None:
    """A Gaussian of mean m and deviation e^s, everything known at x: t_m = x, t_s = x^2 - 1, dt_m/ds = -2 x."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=5000)
    first = {"m": x, "s": x**2 - 1}
    second = {"m": x**2 - 1, "s": (x**2 - 1) ** 2 - 2 * x**2}
    cross = {("s", "m"): -2 * x + x * (x**2 - 1)}
    ratio = learn_from_scores(
        Sample(x, features=["x"]), first, second, {"m": 0.1, "s": 0.1}, cross=cross, settings=RatioSettings(members=2)
    )
    there = np.linspace(-2, 2, 21)
    errors = ratio.basis(there[:, None]) - np.column_stack(
        [there, there**2 - 1, -np.ones(21), -2 * there**2, -2 * there]
    )
    assert (rms(errors) < [0.02, 0.02, 0.05, 0.3, 0.15]).all()


def test_what_is_wrong_is_named() -> None:
    central, z = latent(np.random.default_rng(1), 1000)
    up, down = 1 + z / 10, 1 - z / 10
    with pytest.raises(ValueError, match=r"weights at nu = .* must have shape \(1000,\)"):
        learn_from_weights(central, [({"m": 1}, up[:5]), ({"m": -1}, down)])
    with pytest.raises(ValueError, match="is nan for event 3"):
        learn_from_weights(central, [({"m": 1}, np.where(np.arange(1000) == 3, np.nan, up)), ({"m": -1}, down)])
    with pytest.raises(ValueError, match="weights add up to"):
        learn_from_weights(central, [({"m": 1}, -up), ({"m": -1}, down)])
    with pytest.raises(ValueError, match="is for samples"):
        learn_from_scores(central, {"m": z}, {"m": z}, {"m": 1}, settings=RatioSettings(form="positive"))
    with pytest.raises(ValueError, match="scale of 'm' must be a positive number, not 0"):
        learn_from_scores(central, {"m": z}, {"m": z}, {"m": 0})
    with pytest.raises(ValueError, match="second is for k, but first is for m"):
        learn_from_scores(central, {"m": z}, {"k": z}, {"m": 1})
    with pytest.raises(ValueError, match="the pair m, m"):
        learn_from_scores(central, {"m": z}, {"m": z}, {"m": 0.01}, cross={("m", "m"): z})
    with pytest.warns(UserWarning, match="no effect"):
        learn_from_weights(
            central, [({"m": 1}, central.weights), ({"m": -1}, down)], settings=RatioSettings(members=1, hidden=(2,))
        )
