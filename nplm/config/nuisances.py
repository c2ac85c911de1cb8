"""Nuisances from a YAML file: learned log-ratios, normalizations, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nplm.config.documents import NuisanceFileError, read_document
from nplm.learning.store import read_ratio
from nplm.nuisance.constraints.base import Constraint
from nplm.nuisance.constraints.gaussian import CorrelatedGaussian, GaussianConstraint
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.base import LogRatio
from nplm.nuisance.ratios.separable import AsymmetricNormalization, Normalization, SumOfLogRatios


def read_nuisances(path: str | Path, *, allow_failed: bool = False) -> Nuisances:
    """Nuisances that a YAML file describes.

        learned: [scale.npz]              # files of `nplm learn`, relative to this one
        sigma: {scale: 0.15}              # of each learned nuisance, in the units of its nu
        normalizations:
          lumi: 0.025                     # relative uncertainty of the yield; nu is its logarithm, and so Gaussian
          xsec: {up: 1.5, down: 0.9}      # factors of the yield at nu = +-1, whose sigma is 1; with interpolation:
                                          # polynomial (the default) or exponential
        measured: {scale: 0.03}           # auxiliary measurements, where they are not 0
        correlations: [[scale, lumi, 0.4]]

    Arguments:
        path: the file.
        allow_failed: use learned log-ratios that failed their checks.

    Raises:
        NuisanceFileError: if the file cannot be read or a key makes no sense.
        ValueError: if a learned log-ratio cannot be used.
    """
    source = Path(path)
    document = read_document(source, "nuisances-1")
    learned = [read_ratio(source.parent / name, allow_failed=allow_failed) for name in document.get("learned", [])]
    yields, factors = _normalizations(source, document)
    sigma = _numbers(document, "sigma")
    measured = _numbers(document, "measured")
    names = tuple(dict.fromkeys([*(name for ratio in learned for name in ratio.nuisances), *yields, *factors]))
    if not names:
        raise NuisanceFileError(f"{source} names no nuisance: give learned log-ratios, normalizations, or both")
    for key, values in (("sigma", sigma), ("measured", measured)):
        if unknown := [name for name in values if name not in names]:
            raise NuisanceFileError(f"{source}: {key} of '{unknown[0]}', but the nuisances are {', '.join(names)}")
    if both := [name for name in sigma if name in yields or name in factors]:
        raise NuisanceFileError(f"{source}: '{both[0]}' has its uncertainty in normalizations; leave out its sigma")
    if missing := [name for name in names if not (name in sigma or name in yields or name in factors)]:
        raise NuisanceFileError(f"{source}: give the sigma of '{missing[0]}'")
    known = {name: float(np.log1p(uncertainty)) for name, uncertainty in yields.items()} | dict.fromkeys(factors, 1.0)
    widths = np.array([sigma.get(name, known.get(name, 0.0)) for name in names])
    centers = np.array([measured.get(name, 0.0) for name in names])
    ratios: list[LogRatio] = [*learned, *(Normalization(name) for name in yields), *factors.values()]
    constraint = _constraint(source, document, names, widths, centers)
    return Nuisances(SumOfLogRatios(ratios), constraint, allow_failed)


def _normalizations(
    source: Path, document: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, AsymmetricNormalization]]:
    """Relative uncertainties of yields, and yields that move by other factors up than down."""
    equal, factors = {}, {}
    for name, value in document.get("normalizations", {}).items():
        if not isinstance(value, Mapping):
            equal[str(name)] = float(value)
            continue
        up, down, interpolation = value["up"], value["down"], value.get("interpolation", "polynomial")
        try:
            factors[str(name)] = AsymmetricNormalization(str(name), float(up), float(down), interpolation)
        except ValueError as error:
            raise NuisanceFileError(f"{source}: {error}") from error
    return equal, factors


def _constraint(
    source: Path, document: Mapping[str, Any], names: tuple[str, ...], sigma: np.ndarray, measured: np.ndarray
) -> Constraint:
    correlation = np.eye(len(names))
    entries = document.get("correlations", [])
    for first, second, rho in entries:
        for name in (first, second):
            if name not in names:
                raise NuisanceFileError(f"{source}: correlation of '{name}', but the nuisances are {', '.join(names)}")
        i, j = names.index(first), names.index(second)
        if i == j:
            raise NuisanceFileError(f"{source}: the correlation of '{first}' with itself is 1; leave it out")
        correlation[i, j] = correlation[j, i] = rho
    try:
        if entries:
            return CorrelatedGaussian.from_correlation(names, sigma, correlation, measured)
        return GaussianConstraint(names, sigma, measured)
    except ValueError as error:
        raise NuisanceFileError(f"{source}: {error}") from error


def _numbers(document: Mapping[str, Any], key: str) -> dict[str, float]:
    return {str(name): float(value) for name, value in document.get(key, {}).items()}
