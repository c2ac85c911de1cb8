"""Nuisances from a YAML file: what it says is what is fitted, and each mistake is named."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from nplm import GaussianConstraint
from nplm.config.documents import NuisanceFileError
from nplm.config.nuisances import read_nuisances
from nplm.nuisance import CorrelatedGaussian

YIELDS = "normalizations: {lumi: 0.025, rate: 0.1}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "nuisances.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_normalizations_are_log_normal(tmp_path: Path) -> None:
    nuisances = read_nuisances(written(tmp_path, YIELDS + "measured: {rate: 0.2}\n"))
    assert nuisances.names == ("lumi", "rate")
    np.testing.assert_allclose(nuisances.sigma, np.log([1.025, 1.1]))
    np.testing.assert_allclose(nuisances.auxiliary, [0, 0.2])
    assert isinstance(nuisances.constraint, GaussianConstraint)
    np.testing.assert_allclose(nuisances.coefficients(jnp.array([0.3, -0.1])), [0.2], rtol=1e-6)


def test_correlations_are_those_of_the_measurements(tmp_path: Path) -> None:
    constraint = read_nuisances(written(tmp_path, YIELDS + "correlations: [[lumi, rate, 0.9]]\n")).constraint
    assert isinstance(constraint, CorrelatedGaussian)
    sigma = np.log([1.025, 1.1])
    np.testing.assert_allclose(constraint.covariance, np.outer(sigma, sigma) * [[1, 0.9], [0.9, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it must be keys and values, not nothing"),
        ("[1, 2", "is not a YAML file"),
        ("lumi: 1\n", "it has an unknown key 'lumi'; the keys are learned, normalizations"),
        ("learned: []\n", "names no nuisance"),
        (
            "normalizations: {lumi: high}\n",
            "lumi must be a positive number, or up and down .*, not 'high'",
        ),
        (
            "normalizations: {lumi: -0.1}\n",
            "lumi must be a positive number, not -0.1",
        ),
        (YIELDS + "sigma: {scale: 1}\n", "sigma of 'scale', but the nuisances are lumi, rate"),
        (YIELDS + "sigma: {lumi: 1}\n", "'lumi' has its uncertainty in normalizations; leave out its sigma"),
        (YIELDS + "measured: {scale: 1}\n", "measured of 'scale', but the nuisances are lumi, rate"),
        (YIELDS + "correlations: [[lumi, rate]]\n", r"correlations.1 must be \[name, name, number\]"),
        (YIELDS + "correlations: [[lumi, scale, 0.1]]\n", "correlation of 'scale', but"),
        (YIELDS + "correlations: [[lumi, lumi, 0.1]]\n", "the correlation of 'lumi' with itself is 1"),
        (YIELDS + "correlations: [[lumi, rate, 1.5]]\n", "positive definite"),
        ("learned: [missing.npz]\nsigma: {scale: 1}\n", "missing.npz cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_nuisances(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NuisanceFileError, match=r"none\.yaml cannot be read"):
        read_nuisances(tmp_path / "none.yaml")
