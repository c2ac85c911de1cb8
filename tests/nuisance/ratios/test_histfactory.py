"""HistFactory's interpolations against pyhf's, in yields, in bins and in a test."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from nplm import GaussianConstraint, HistogramModel, NPLMTest, Nuisances, Sample
from nplm.config.nuisances import NuisanceFileError, read_nuisances
from nplm.nuisance import AsymmetricNormalization, BinnedLogRatio
from nplm.nuisance.non_monotonic import turning_remarks
from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.histfactory import Interpolated, Kind

UP, DOWN = np.array([1.5, 1.1, 0.7, 2.0]), np.array([0.9, 1.05, 1.2, 0.5])
NU = np.linspace(-3, 3, 25)


@pytest.mark.parametrize(("kind", "code"), [("exponential", "1"), ("polynomial", "4")])
def test_interpolations_are_those_of_pyhf(kind: Kind, code: str) -> None:
    pyhf = pytest.importorskip("pyhf")
    theirs = getattr(pyhf.interpolators, f"code{code}")([[[DOWN.tolist(), [1.0] * 4, UP.tolist()]]])
    expected = np.array(theirs(pyhf.tensorlib.astensor([NU.tolist()])))[0, 0]
    with jax.enable_x64(True):
        found = np.array([Interpolated(kind, np.log(UP), np.log(DOWN))(jnp.asarray(nu)) for nu in NU])
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-12)
    # Negative control: the quadratic form is another function.
    quadratic = np.outer(NU, np.log(UP / DOWN) / 2) + np.outer(NU**2, np.log(UP * DOWN) / 2)
    assert np.abs(np.exp(quadratic) / expected - 1).max() > 0.2


@pytest.mark.parametrize("kind", ["exponential", "polynomial"])
def test_bins_and_yields_take_them(kind: Kind) -> None:
    edges, yields = [0.0, 1.0, 2.0], np.array([10.0, 20.0])
    varied = [({"s": -2.0}, yields * [0.9, 0.8]), ({"s": 2.0}, yields * [1.5, 1.1])]
    binned = BinnedLogRatio({"x": edges}, yields, varied, interpolation=kind)
    events = np.array([[0.5], [1.5]])
    assert np.exp(log_ratio(binned, events, {"s": 2.0})) == pytest.approx([1.5, 1.1])
    assert np.exp(log_ratio(binned, events, {"s": -4.0})) == pytest.approx([0.81, 0.64])
    assert np.exp(log_ratio(binned, events, {"s": 0.0})) == pytest.approx([1.0, 1.0])
    both = BinnedLogRatio(
        {"x": edges}, yields, [*varied, ({"t": 1.0}, yields * 1.2), ({"t": -1.0}, yields / 1.3)], interpolation=kind
    )
    assert np.exp(log_ratio(both, events, {"s": 2.0, "t": -1.0})) == pytest.approx([1.5 / 1.3, 1.1 / 1.3])
    one = AsymmetricNormalization("y", 1.5, 0.9, kind)
    assert np.exp(log_ratio(one, events, {"y": -2.0})) == pytest.approx([0.81, 0.81])
    assert binned.document()["interpolation"] == kind


def test_what_cannot_be_interpolated_is_refused() -> None:
    yields = np.array([10.0, 20.0])
    with pytest.raises(ValueError, match="two variations of s alone, one up and one down by as much, not -1, 2"):
        BinnedLogRatio(
            {"x": [0, 1, 2]}, yields, [({"s": -1.0}, yields), ({"s": 2.0}, yields)], interpolation="polynomial"
        )
    with pytest.raises(ValueError, match="no interpolation 'cubic': choose quadratic, exponential, polynomial"):
        BinnedLogRatio(
            {"x": [0, 1, 2]},
            yields,
            [({"s": -1.0}, yields), ({"s": 1.0}, yields)],
            interpolation="cubic",  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="polynomial between them is not positive"):
        AsymmetricNormalization("y", 30.0, 0.001)
    with pytest.raises(ValueError, match="multiplied by positive numbers, not by -1"):
        AsymmetricNormalization("y", 1.2, -1.0)


@pytest.mark.parametrize("kind", ["exponential", "polynomial"])
def test_a_deficit_beyond_the_smaller_variation_is_fitted(kind: Kind) -> None:
    """Yields by 1.5 and 0.9; data with 0.75: a profile of the yield alone, found by a scalar minimizer."""
    rng = np.random.default_rng(3)
    reference = Sample(rng.exponential(size=20_000), np.full(20_000, 0.05), features=["x"], name="reference")
    data = Sample(rng.exponential(size=750), features=["x"], name="data")
    ratio = AsymmetricNormalization("y", 1.5, 0.9, kind)
    test = NPLMTest(
        reference,
        HistogramModel(bins=5, reference_exact=True),
        nuisances=Nuisances(ratio, GaussianConstraint("y", 1.0)),
    )
    result = test.run(data, toys=0)

    def loss(nu: float) -> float:
        log_r = float(log_ratio(ratio, np.zeros((1, 1)), {"y": nu})[0])
        return 1000 * np.expm1(log_r) - 750 * log_r + nu**2 / 2

    best = minimize_scalar(loss, bounds=(-5, 0), method="bounded", options={"xatol": 1e-8})
    assert result.nuisances is not None
    assert result.converged
    assert result.nuisances.delta == pytest.approx(-2 * best.fun, abs=1e-4)
    assert result.nuisances.nu[0] == pytest.approx(best.x, abs=1e-3)
    assert result.p_value > 0.01


def test_a_quadratic_form_that_turns_round_is_said() -> None:
    reference = Sample(np.random.default_rng(3).exponential(size=5000), np.full(5000, 0.2), features=["x"])
    edges, yields = [0.0, 1.0, 99.0], np.array([632.0, 368.0])

    def remarks(up: float, down: float, **how: str) -> list[str]:
        varied = [({"s": 1.0}, yields * up), ({"s": -1.0}, yields * down)]
        ratio = BinnedLogRatio({"x": edges}, yields, varied, **how)  # type: ignore[arg-type]
        return turning_remarks(Nuisances(ratio, GaussianConstraint("s", 1.0)), reference)

    (said,) = remarks(1.5, 0.9)
    assert "nuisance 's' turns round within one standard deviation of it, for 100%" in said
    assert remarks(1.5, 0.9, interpolation="polynomial") == []
    assert remarks(1.5, 0.65) == []


def test_a_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "nuisances.yaml"
    exponential = "{up: 1.2, down: 0.8, interpolation: exponential}"
    path.write_text(f"normalizations: {{lumi: 0.02, xsec: {{up: 1.5, down: 0.9}}, k: {exponential}}}\n")
    nuisances = read_nuisances(path)
    assert nuisances.names == ("lumi", "xsec", "k")
    assert nuisances.sigma == pytest.approx([np.log(1.02), 1.0, 1.0])
    r = np.exp(log_ratio(nuisances.ratio, np.zeros((1, 1)), {"xsec": -2.0, "k": 1.0}))
    assert r == pytest.approx([0.81 * 1.2])
    for text, message in (
        ("{x: {up: 1.5}}", "down of normalizations.x is missing; give the factor"),
        (
            "{x: {up: 1.5, down: 0.9, interpolation: cubic}}",
            "x.interpolation must be polynomial or exponential, not 'cubic'",
        ),
        ("{x: {up: 1.5, down: much}}", "normalizations.x.down must be a number, not 'much'"),
    ):
        path.write_text(f"normalizations: {text}\n")
        with pytest.raises(NuisanceFileError, match=message):
            read_nuisances(path)
    path.write_text("normalizations: {x: {up: 1.5, down: 0.9}}\nsigma: {x: 2}\n")
    with pytest.raises(NuisanceFileError, match="'x' has its uncertainty in normalizations"):
        read_nuisances(path)
