"""Log-ratios learned from the weights of events, against exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import Sample
from nplm.nuisance.learn_from_weights import learn_from_scores, learn_from_weights
from nplm.nuisance.log_ratio import log_ratio
from nplm.nuisance.ratio_settings import RatioSettings
from nplm.nuisance.validate_ratio import coverage
from tests.nuisance.learned_problems import exponential, latent, of_exponential, of_latent, rms

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


def test_polynomial_weights_of_any_sign_are_differentiated_exactly() -> None:
    """w(nu) = w (1 + a nu_1 + b nu_1^2 / 2 + c nu_2 + e nu_1 nu_2) with one a, b, c, e for all events, and weights of
    both signs: r is exactly that polynomial's quadratic logarithm, whatever x."""
    rng = np.random.default_rng(5)
    central = Sample(rng.normal(size=4000), rng.choice([1.0, -0.2], size=4000, p=[0.8, 0.2]), ["x"])
    a, b, c, e = 0.3, -0.2, 0.5, 0.7

    def weights(first: float, second: float) -> np.ndarray:
        return central.weights * (1 + a * first + b * first**2 / 2 + c * second + e * first * second)

    varied = [({"one": u}, weights(u, 0)) for u in (-0.3, 0.3, 0.6)] + [
        ({"two": u}, weights(0, u)) for u in (-0.5, 0.5)
    ]
    varied += [({"one": 0.2, "two": -0.4}, weights(0.2, -0.4))]
    settings = RatioSettings(members=1, hidden=(2,))
    ratio = learn_from_weights(central, varied, settings=settings)
    found = dict(zip(ratio.term_names, ratio.basis(np.zeros((1, 1)))[0], strict=True))
    exact = {"one": a, "one^2/2": b - a**2, "two": c, "two^2/2": -(c**2), "one two": e - a * c}
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, abs=1e-3)
    shape = learn_from_weights(central, varied, yields="factor-out", yield_effect={"one": 0.1}, settings=settings)
    np.testing.assert_allclose(shape.basis(np.linspace(-2, 2, 5)[:, None]), 0, atol=1e-3)
    np.testing.assert_allclose(log_ratio(shape, np.zeros((1, 1)), {"one": 2.0}), 0.2, atol=5e-3)


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
        learn_from_weights(central, [({"m": 1}, up), ({"m": -1}, down)], settings=RatioSettings(form="positive"))
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
