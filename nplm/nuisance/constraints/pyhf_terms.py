"""The constraint terms of a pyhf model, and pyhf's JAX backend without its effect on the rest of the program."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Float64, Int64

_BACKEND = "pyhf.tensor.jax_backend"
# Held while pyhf is on another backend than its user's; a thread may enter again.
_SWITCHED = RLock()


@dataclass(frozen=True, eq=False)
class Terms:
    """Auxiliary measurements of m components of a model's parameters, in the order of pyhf's auxiliary data.

    A component p is measured as a ~ Normal(p, scale^2), or as a ~ Poisson(scale p).

    Arguments:
        positions: of the components among the parameters.
        poisson: which of the two each is.
        scale: width of a normal, factor of a Poisson term.
        auxiliary: the measured values.
    """

    positions: Int64[np.ndarray, " m"]
    poisson: Bool[np.ndarray, " m"]
    scale: Float64[np.ndarray, " m"]
    auxiliary: Float64[np.ndarray, " m"]

    @classmethod
    def of(cls, model: Any) -> Terms:
        """All constraint terms of a pyhf model."""
        config = model.config
        positions: list[int] = []
        poisson: list[bool] = []
        scale: list[float] = []
        auxiliary: list[float] = []
        for name in config.auxdata_order:
            parameters, where = config.param_set(name), config.par_slice(name)
            is_poisson = parameters.pdf_type == "poisson"
            positions += range(where.start, where.stop)
            poisson += [is_poisson] * parameters.n_parameters
            scale += list(parameters.factors if is_poisson else parameters.width())
            auxiliary += list(parameters.auxdata)
        return cls(
            np.array(positions, dtype=np.int64),
            np.array(poisson, dtype=bool),
            np.array(scale, dtype=np.float64),
            np.array(auxiliary, dtype=np.float64),
        )

    def select(self, rows: Int64[np.ndarray, " l"]) -> Terms:
        """Some of the terms."""
        return Terms(self.positions[rows], self.poisson[rows], self.scale[rows], self.auxiliary[rows])

    def logpdf(
        self, values: Float[Array, " m"], auxiliary: Float[Array, " m"] | Float64[np.ndarray, " m"]
    ) -> Float[Array, ""]:
        """Logarithm of the terms' product at values of the components. Traced by JAX."""
        normal, poisson = np.flatnonzero(~self.poisson), np.flatnonzero(self.poisson)
        a, width = jnp.asarray(auxiliary), self.scale[normal]
        pull = (a[normal] - values[normal]) / width
        mean, count = self.scale[poisson] * values[poisson], a[poisson]
        of_normal = -jnp.sum(pull**2) / 2 - float(np.log(width * np.sqrt(2 * np.pi)).sum())
        return of_normal + jnp.sum(count * jnp.log(mean) - mean - gammaln(count + 1))

    def draw(self, values: Float64[np.ndarray, " m"], rng: np.random.Generator) -> Float64[np.ndarray, " m"]:
        """Measures all components anew at their true values."""
        normal = values + self.scale * rng.standard_normal(len(values))
        counts = rng.poisson(np.where(self.poisson, self.scale * values, 0.0))
        return np.where(self.poisson, counts, normal)

    @property
    def sigma(self) -> Float64[np.ndarray, " m"]:
        """Width of a normal term; of a Poisson term, whose parameter is about 1, 1 / sqrt(factor)."""
        return np.where(self.poisson, 1 / np.sqrt(np.where(self.poisson, self.scale, 1.0)), self.scale)


def require_pyhf() -> ModuleType:
    """pyhf.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        return import_module("pyhf")
    except ImportError as error:
        raise ValueError(f'{error}: workspaces need pyhf; pip install "nplm-jax[hep]"') from error


def model_of(workspace: Mapping[str, Any], measurement: str | None) -> tuple[Any, Float64[np.ndarray, " n"]]:
    """The model of a measurement of a workspace, and the counts that were observed in its channels.

    A workspace of the background alone names the strength of a signal that is added later: it has no parameter of
    interest.

    Raises:
        ValueError: if pyhf does not accept the workspace, or has no such measurement.
    """
    pyhf = require_pyhf()
    try:
        parsed = pyhf.Workspace(workspace)
        try:
            model = parsed.model(measurement_name=measurement)
        except pyhf.exceptions.InvalidModel:
            model = parsed.model(measurement_name=measurement, poi_name=None)
        return model, np.asarray(parsed.data(model, include_auxdata=False), dtype=np.float64)
    except (
        pyhf.exceptions.InvalidSpecification,
        pyhf.exceptions.InvalidMeasurement,
        pyhf.exceptions.InvalidModel,
    ) as error:
        raise ValueError(f"pyhf does not accept the workspace: {error}") from error


def parameters_of(model: Any, names: Mapping[str, str] | None, eligible: Iterable[str], what: str) -> dict[str, int]:
    """Position of the parameter that each nuisance stands for; without names all that are eligible, by their own.

    Raises:
        ValueError: if a name is no parameter, is not eligible, or is given twice; or if none is left.
    """
    known, allowed = list(model.config.par_names), list(eligible)
    chosen = dict(zip(allowed, allowed, strict=True)) if names is None else dict(names)
    for nuisance, parameter in chosen.items():
        if parameter not in known:
            raise ValueError(
                f"{nuisance} stands for {parameter}, which is no parameter of the workspace: it has {', '.join(known)}"
            )
        if parameter not in allowed:
            raise ValueError(f"{nuisance} stands for {parameter}, {what}")
    if len(set(chosen.values())) < len(chosen):
        raise ValueError(f"each nuisance must stand for a parameter of its own, not {chosen}")
    if not chosen:
        raise ValueError("the workspace has no parameter that could be a nuisance")
    return {nuisance: known.index(parameter) for nuisance, parameter in chosen.items()}


@contextmanager
def jax_backend(pyhf: ModuleType) -> Iterator[None]:
    """pyhf on JAX in float64 within, and afterwards on the backend it was on, with JAX configured as it was.

    One thread at a time: the backend is that of the whole program.
    """
    with _SWITCHED:
        backend, before = _jax_backend(), pyhf.get_backend()
        _set_backend(pyhf, backend, None)
        try:
            with jax.enable_x64(True):
                yield
        finally:
            _set_backend(pyhf, *before)


def _set_backend(pyhf: ModuleType, backend: Any, optimizer: Any) -> None:
    # Models keep constants of the backend: while JAX traces, they must not become tracers, which would outlive it.
    with jax.ensure_compile_time_eval(), jax.enable_x64(backend.precision == "64b"):
        pyhf.set_backend(backend, optimizer)


def _jax_backend() -> Any:
    if _BACKEND not in sys.modules:
        # In a thread of its own, where scopes that the caller has entered do not hide JAX's global precision.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_import_backend).result()
    return sys.modules[_BACKEND].jax_backend(precision="64b")


def _import_backend() -> None:
    """The import switches JAX to float64 for good; this switches it back.

    Who uses pyhf's JAX backend beside this one switches JAX to float64 himself.
    """
    before = bool(jnp.result_type(float) == jnp.float64)
    try:
        import_module(_BACKEND)
    finally:
        jax.config.update("jax_enable_x64", before)  # type: ignore[no-untyped-call]
