"""The constraint terms of a pyhf workspace as auxiliary likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.nuisance.constraints.base import with_measured
from nplm.nuisance.constraints.pyhf_terms import Terms, model_of, parameters_of, require_pyhf


@dataclass(frozen=True, eq=False)
class PyhfConstraint:
    """The constraint terms of a pyhf model: what its auxiliary data, and not its channels, say about its parameters.

    A nuisance nu is a parameter of the model less its central value, the one that pyhf suggests to start from (0 for
    normsys and histosys, 1 for shapesys and staterror), for which the reference must stand. All constraint terms of
    HistFactory are Normal(a; p, sigma^2) or Poisson(a; factor p), so the values are pyhf's own, without running it;
    terms of parameters that are not chosen are constants. `PyhfLikelihood` has the channels too.

    Arguments:
        model: pyhf.Model.
        names: for each nuisance the parameter it stands for, as in `model.config.par_names`: "lumi", or "gamma[0]" for
            a component of several. Default: all constrained parameters that the measurement does not fix, by their
            names in the model.

    Raises:
        ValueError: if pyhf is not installed, or a name is no constrained parameter of the model.
    """

    nuisances: tuple[str, ...]
    parameters: tuple[str, ...]
    central: Float64[np.ndarray, " k"]
    auxiliary: Float64[np.ndarray, " k"]
    _terms: Terms

    def __init__(self, model: Any, names: Mapping[str, str] | None = None) -> None:
        require_pyhf()
        config, terms = model.config, Terms.of(model)
        fixed = config.suggested_fixed()
        constrained = [config.par_names[at] for at in terms.positions if names is not None or not fixed[at]]
        chosen = parameters_of(model, names, constrained, "which no auxiliary data constrain")
        place = {int(at): row for row, at in enumerate(terms.positions)}
        selected = terms.select(np.array([place[at] for at in chosen.values()]))
        values = {
            "nuisances": tuple(chosen),
            "parameters": tuple(config.par_names[at] for at in chosen.values()),
            "central": np.asarray(config.suggested_init(), dtype=np.float64)[selected.positions],
            "auxiliary": selected.auxiliary,
            "_terms": selected,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    @classmethod
    def from_workspace(
        cls, workspace: Mapping[str, Any], measurement: str | None = None, names: Mapping[str, str] | None = None
    ) -> PyhfConstraint:
        """From a workspace, as a document of pyhf's JSON schema.

        Arguments:
            workspace: the document.
            measurement: which of its measurements; None for the first.
            names: see the constructor.

        Raises:
            ValueError: as the constructor, and if pyhf does not accept the workspace.
        """
        return cls(model_of(workspace, measurement)[0], names)

    @property
    def sigma(self) -> Float64[np.ndarray, " k"]:
        """sigma of normal terms, 1 / sqrt(factor) of Poisson terms."""
        return self._terms.sigma

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """pyhf's `constraint_logpdf`, less the terms of parameters that are no nuisances."""
        return self._terms.logpdf(nu + self.central, self.auxiliary)

    def with_auxiliary(self, auxiliary: Float[Array, " k"] | Float64[np.ndarray, " k"]) -> PyhfConstraint:
        """With other auxiliary data."""
        return with_measured(self, auxiliary, len(self.nuisances))

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> PyhfConstraint:
        """With auxiliary data drawn at nu_true."""
        return self.with_auxiliary(self._terms.draw(self.central + np.asarray(nu_true), rng))

    def document(self) -> dict[str, Any]:
        """Kind, names, parameters, their central values and uncertainties, and the auxiliary data."""
        return {
            "kind": "pyhf",
            "nuisances": list(self.nuisances),
            "parameters": list(self.parameters),
            "central": self.central.tolist(),
            "sigma": self.sigma.tolist(),
            "auxiliary": np.asarray(self.auxiliary).tolist(),
        }
