"""Parameters of interest from a YAML file: yields, expressions of features, learned log-ratios, bounds and starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.lib.mixins import NDArrayOperatorsMixin

from nplm.config.documents import NuisanceFileError, read_document
from nplm.cuts.columns import ReadError
from nplm.cuts.expression import Expression, parse_expression
from nplm.learning.store import read_ratio
from nplm.measure.parameters import Parameters
from nplm.nuisance.ratios.pointwise import AnyLogRatio, JaxLogRatio
from nplm.nuisance.ratios.separable import Normalization

_NAMES = re.compile(r"[\s,]+")


class _Traced(NDArrayOperatorsMixin):
    """A value that NumPy's functions hand on to JAX, so that an expression of it can be differentiated."""

    dtype = np.dtype(np.float64)

    def __init__(self, value: Array | float) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        if method != "__call__" or settings:
            return NotImplemented
        plain = [each.value if isinstance(each, _Traced) else each for each in inputs]
        return _Traced(getattr(jnp, ufunc.__name__)(*plain))


def read_parameters(path: str | Path, features: Sequence[str], *, allow_failed: bool = False) -> Parameters:
    """Parameters of interest that a YAML file describes.

        yields: [norm]                          # logarithms of the yield relative to the reference's
        log_ratios:                             # log r, in features and the parameters that are named
          scale: -scale - x*(exp(-scale) - 1)
        ratios:                                 # r itself
          mu: 1 + mu*signal_over_background
          c1, c2: 1 + c1*interference + c2*x + c1**2*square
        learned: [theta.npz]                    # files of `nplm learn`, relative to this one
        bounds: {mu: [0, 10]}
        start: {scale: 0.1}
        scale: {c1: 0.5}                        # where the effect at 0 does not say how far a fit may move it

    Arguments:
        path: the file.
        features: of the reference, which expressions may use.
        allow_failed: use learned log-ratios that failed their checks.

    Raises:
        NuisanceFileError: if the file cannot be read, a key makes no sense, or an expression is none.
        ValueError: if a learned log-ratio cannot be used.
    """
    source = Path(path)
    document = read_document(source, "parameters-1")
    ratios: list[AnyLogRatio] = [
        read_ratio(source.parent / name, allow_failed=allow_failed) for name in document.get("learned", [])
    ]
    ratios += [Normalization(str(name)) for name in document.get("yields", [])]
    for key, is_log in (("log_ratios", True), ("ratios", False)):
        for names, text in document.get(key, {}).items():
            ratios.append(_expression(source, f"{key}.{names}", str(names), str(text), features, is_log=is_log))
    if not ratios:
        raise NuisanceFileError(f"{source} names no parameter: give yields, log_ratios, ratios or learned")
    try:
        return Parameters(
            ratios,
            start=document.get("start"),
            bounds={str(name): (float(low), float(high)) for name, (low, high) in document.get("bounds", {}).items()},
            scale=document.get("scale"),
            allow_failed=allow_failed,
        )
    except ValueError as error:
        raise NuisanceFileError(f"{source}: {error}") from error


def _expression(source: Path, key: str, names: str, text: str, features: Sequence[str], *, is_log: bool) -> JaxLogRatio:
    """The log-ratio of an expression in features and in parameters, whose names are its key."""
    parameters = [name for name in _NAMES.split(names.strip()) if name]
    if both := [name for name in parameters if name in features]:
        raise NuisanceFileError(
            f"{source}: {key}: '{both[0]}' is a feature of the reference; call the parameter another name"
        )
    try:
        parsed = parse_expression(text, (*parameters, *features))
    except ReadError as error:
        raise NuisanceFileError(f"{source}: {key}: {error}") from error
    if missing := [name for name in parameters if name not in parsed.columns]:
        raise NuisanceFileError(f"{source}: {key}: '{missing[0]}' does not appear in '{text}'")
    return JaxLogRatio(parameters, _function(parsed, tuple(parameters), tuple(features), is_log=is_log), text)


def _function(
    parsed: Expression, parameters: tuple[str, ...], features: tuple[str, ...], *, is_log: bool
) -> Callable[[Float[Array, "n d"], Float[Array, " k"]], Float[Array, " n"]]:
    def of(events: Array, nu: Array) -> Array:
        columns: Mapping[str, _Traced] = {name: _Traced(events[:, j]) for j, name in enumerate(features)} | {
            name: _Traced(nu[i]) for i, name in enumerate(parameters)
        }
        found = parsed.of(columns)
        value = jnp.broadcast_to(found.value if isinstance(found, _Traced) else found, (len(events),))
        return value if is_log else jnp.log(value)

    return of
