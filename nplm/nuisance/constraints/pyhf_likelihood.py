"""The likelihood of a whole pyhf workspace, channels included, as auxiliary likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from nplm.nuisance.constraints.base import with_measured
from nplm.nuisance.constraints.pyhf_terms import Terms, jax_backend, model_of, parameters_of, require_pyhf


@dataclass(frozen=True, eq=False)
class PyhfLikelihood:
    """The likelihood of a pyhf model: its channels are control regions, which measure nuisances with its other data.

    A nuisance nu is a parameter of the model less its central value, the one that pyhf suggests to start from, for
    which the reference must stand. Every parameter is a nuisance or is held fixed. pyhf computes, on its JAX backend
    and in float64; its own backend and JAX's precision are afterwards what they were.

    A nuisance on which no log-ratio depends is profiled too if it has a log-ratio of 0:
    `SeparableLogRatio("gamma", lambda nu: 0 * nu)`.

    Arguments:
        model: pyhf.Model, not batched.
        counts: what was observed in the channels, in the order of the model's main data.
        names: for each nuisance the parameter it stands for, as in `model.config.par_names`: "mu", or "gamma[0]" for
            a component of several. Default: all parameters that are not fixed, by their names in the model.
        fixed: values of parameters that are held; those that the measurement fixes need not be given.

    Raises:
        ValueError: if pyhf is not installed, the model is batched, there is not one count for each bin, a name is no
            parameter of the model, a parameter is neither a nuisance nor fixed, or data do not determine a nuisance.
    """

    nuisances: tuple[str, ...]
    parameters: tuple[str, ...]
    central: Float64[np.ndarray, " k"]
    sigma: Float64[np.ndarray, " k"]
    auxiliary: Float64[np.ndarray, " a"]
    _model: Any
    _positions: Int64[np.ndarray, " k"]
    _values: Float64[np.ndarray, " p"]
    _terms: Terms

    def __init__(
        self,
        model: Any,
        counts: Float64[np.ndarray, " n"],
        names: Mapping[str, str] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        require_pyhf()
        if model.batch_size is not None:
            raise ValueError(f"the pyhf model must not be batched, but has the batch size {model.batch_size}")
        config, held = model.config, dict(fixed or {})
        observed = np.asarray(counts, dtype=np.float64)
        if observed.shape != (config.nmaindata,) or not (observed >= 0).all():
            raise ValueError(
                f"give one count >= 0 for each of the {config.nmaindata} bins of the channels"
                f" {', '.join(config.channels)}, not {observed.tolist()}"
            )
        if unknown := sorted(set(held) - set(config.par_names)):
            raise ValueError(f"{', '.join(unknown)} is fixed, but the workspace has {', '.join(config.par_names)}")
        by_model = {name for name, is_fixed in zip(config.par_names, config.suggested_fixed(), strict=True) if is_fixed}
        free = [name for name in config.par_names if name not in held and (names is not None or name not in by_model)]
        chosen = parameters_of(model, names, free, "which is fixed")
        if loose := sorted(set(free) - {config.par_names[at] for at in chosen.values()} - by_model):
            raise ValueError(
                f"{', '.join(loose)} of the workspace is neither a nuisance nor fixed: name it, or give its value in"
                " fixed"
            )
        positions, terms = np.array(list(chosen.values())), Terms.of(model)
        values = np.asarray(config.suggested_init(), dtype=np.float64)
        for name, value in held.items():
            values[config.par_names.index(name)] = value
        fields = {
            "nuisances": tuple(chosen),
            "parameters": tuple(config.par_names[at] for at in positions),
            "central": values[positions],
            "auxiliary": np.concatenate([observed, terms.auxiliary]),
            "_model": model,
            "_positions": positions,
            "_values": values,
            "_terms": terms,
        }
        for attribute, value in fields.items():
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "sigma", self._uncertainties())

    @classmethod
    def from_workspace(
        cls,
        workspace: Mapping[str, Any],
        measurement: str | None = None,
        names: Mapping[str, str] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> PyhfLikelihood:
        """From a workspace with its observations, as a document of pyhf's JSON schema.

        Arguments:
            workspace: the document.
            measurement: which of its measurements; None for the first.
            names, fixed: see the constructor.

        Raises:
            ValueError: as the constructor, and if pyhf does not accept the workspace.
        """
        model, counts = model_of(workspace, measurement)
        return cls(model, counts, names, fixed)

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """pyhf's `logpdf` of the counts and the auxiliary data."""
        with jax_backend(require_pyhf()):
            return self._model.logpdf(self._parameters(nu), jnp.asarray(self.auxiliary))[0]

    def with_auxiliary(self, auxiliary: Float[Array, " a"] | Float64[np.ndarray, " a"]) -> PyhfLikelihood:
        """With other counts, followed by other auxiliary data."""
        return with_measured(self, auxiliary, self._model.config.nmaindata + len(self._terms.auxiliary))

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> PyhfLikelihood:
        """With counts and auxiliary data drawn at nu_true."""
        with jax.enable_x64(True):
            nu = jnp.asarray(nu_true)
            parameters, expected = (np.asarray(v) for v in self._compiled(nu))
        counts = rng.poisson(expected[: self._model.config.nmaindata])
        drawn = self._terms.draw(parameters[self._terms.positions], rng)
        return self.with_auxiliary(np.concatenate([counts, drawn]))

    def document(self) -> dict[str, Any]:
        """Kind, names, parameters and all their values at nu = 0, the model's digest, and the data."""
        return {
            "kind": "pyhf likelihood",
            "nuisances": list(self.nuisances),
            "parameters": list(self.parameters),
            "values": dict(zip(self._model.config.par_names, self._values.tolist(), strict=True)),
            "model": require_pyhf().utils.digest(self._model.spec),
            "auxiliary": np.asarray(self.auxiliary).tolist(),
        }

    def __getstate__(self) -> dict[str, Any]:
        # A pyhf model that was pickled does not follow changes of the backend any more: it is made anew.
        config = self._model.config
        recipe = {"spec": self._model.spec, "poi_name": config.poi_name, "modifier_settings": config.modifier_settings}
        kept = {name: value for name, value in self.__dict__.items() if name != "_compiled"}
        return {**kept, "_model": recipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        recipe = dict(state["_model"])
        model = require_pyhf().Model(recipe.pop("spec"), validate=False, **recipe)
        for attribute, value in {**state, "_model": model}.items():
            object.__setattr__(self, attribute, value)

    def _parameters(self, nu: Float[Array, " k"]) -> Float[Array, " p"]:
        return jnp.asarray(self._values).at[self._positions].set(self.central + nu)

    @cached_property
    def _compiled(self) -> Callable[[Float[Array, " k"]], tuple[Float[Array, " p"], Float[Array, " a"]]]:
        return jax.jit(lambda nu: (self._parameters(nu), self._expected(nu)))

    def _expected(self, nu: Float[Array, " k"]) -> Float[Array, " a"]:
        """Expectation of the counts, followed by that of the auxiliary data. Traced by JAX."""
        with jax_backend(require_pyhf()):
            return self._model.expected_data(self._parameters(nu))

    def _uncertainties(self) -> Float64[np.ndarray, " k"]:
        """Roots of the inverse information's diagonal at nu = 0, with sum (d mean / d nu)^2 / variance over all data.

        Raises:
            ValueError: if the information is not positive definite.
        """
        with jax.enable_x64(True):
            zero = jnp.zeros(len(self.nuisances))
            both = jax.jit(lambda nu: (self._expected(nu), jax.jacfwd(self._expected)(nu)))
            mean, slope = (np.asarray(v) for v in both(zero))
        variance = mean.copy()
        measured = variance[self._model.config.nmaindata :]
        measured[~self._terms.poisson] = self._terms.scale[~self._terms.poisson] ** 2
        seen = variance > 0
        information = (slope[seen].T / variance[seen]) @ slope[seen]
        for name, value in zip(self.nuisances, np.diag(information), strict=True):
            if not value > 0:
                raise ValueError(
                    f"the workspace's data do not depend on {name} (information {value:g}): hold it fixed instead"
                )
        scale = np.sqrt(np.diag(information))
        size, vectors = np.linalg.eigh(information / np.outer(scale, scale))
        if not size[0] > len(scale) * np.finfo(np.float64).eps:
            mixed = [name for name, v in zip(self.nuisances, vectors[:, 0], strict=True) if abs(v) > 0.1]
            raise ValueError(
                f"the workspace's data determine only a combination of {', '.join(mixed)}: hold one of them fixed"
            )
        return np.asarray(np.sqrt(np.diag(np.linalg.inv(information))))
