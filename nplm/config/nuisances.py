"""Nuisances from a YAML file: learned log-ratios, normalisations, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nplm.config.documents import NuisanceFileError, mapping, number, read_document, text
from nplm.learning.store import read_ratio
from nplm.nuisance.constraints.base import Constraint
from nplm.nuisance.constraints.gaussian import CorrelatedGaussian, GaussianConstraint
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.base import LogRatio
from nplm.nuisance.ratios.separable import AsymmetricNormalization, Normalization, SumOfLogRatios

NUISANCES_KEYS = ("learned", "normalizations", "sigma", "measured", "correlations")


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
    document = read_document(source, NUISANCES_KEYS)
    learned = [
        read_ratio(source.parent / text(source, name, "each of learned"), allow_failed=allow_failed)
        for name in _list(source, document, "learned")
    ]
    yields, factors = _normalizations(source, document)
    sigma = _numbers(source, document, "sigma")
    measured = _numbers(source, document, "measured")
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
    for name, uncertainty in yields.items():
        if not uncertainty > 0:
            raise NuisanceFileError(
                f"{source}: the relative uncertainty of '{name}' must be positive, not {uncertainty:g}"
            )
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
    entries = {
        str(name): value
        for name, value in mapping(source, document.get("normalizations", {}), "normalizations").items()
    }
    unequal = {name: value for name, value in entries.items() if isinstance(value, Mapping)}
    factors = {}
    for name, value in unequal.items():
        if not {"up", "down"} <= set(value) <= {"up", "down", "interpolation"}:
            raise NuisanceFileError(
                f"{source}: normalizations of '{name}' are one number, or up and down (and interpolation), not {value}"
            )
        up, down = (number(source, value[key], f"{key} of '{name}'") for key in ("up", "down"))
        try:
            factors[name] = AsymmetricNormalization(name, up, down, value.get("interpolation", "polynomial"))
        except ValueError as error:
            raise NuisanceFileError(f"{source}: {error}") from error
    equal = {
        name: number(source, value, f"normalizations of '{name}'")
        for name, value in entries.items()
        if name not in unequal
    }
    return equal, factors


def _constraint(
    source: Path, document: Mapping[str, Any], names: tuple[str, ...], sigma: np.ndarray, measured: np.ndarray
) -> Constraint:
    correlation = np.eye(len(names))
    entries = _list(source, document, "correlations")
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], int | float)):
            raise NuisanceFileError(f"{source}: a correlation is written [name, name, number], not {entry}")
        first, second, rho = entry
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


def _list(source: Path, document: Mapping[str, Any], key: str) -> list[Any]:
    values = document.get(key, [])
    if not isinstance(values, list):
        raise NuisanceFileError(f"{source}: {key} must be a list, not {values}")
    return values


def _numbers(source: Path, document: Mapping[str, Any], key: str) -> dict[str, float]:
    values = mapping(source, document.get(key, {}), key)
    return {str(name): number(source, value, f"{key} of '{name}'") for name, value in values.items()}
