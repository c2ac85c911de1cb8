"""The network model with an imperfect reference: tau over network and nuisances together, and t = tau - Delta."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.base import WithNuisancesDefaults
from nplm.models.network.events import chunked
from nplm.models.network.fit import PreparedNetwork, projected_seconds
from nplm.models.network.joint import JointNetwork
from nplm.models.network.search import Data, Level, NetworkSearch
from nplm.nuisance.minima import best_of
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances
from nplm.optimize.adam import Adam
from nplm.stats.chi2 import Chi2Null


@dataclass(frozen=True, eq=False)
class PreparedNetworkWithNuisances(WithNuisancesDefaults):
    """The network model with its reference and its nuisances.

    tau = -2 min over (theta, nu) of { sum_R w (exp[f + log r] - 1) - sum_D [f + log r] - log [L(nu|A) / L(0|A)] } with
    theta in the box and nu free (arXiv:2111.13633), by the network's own search; t = tau - Delta. t is not negative:
    where the search ends below Delta, it goes on from f = 0 at Delta's nu.

    With a finite reference both have the likelihood of `of_reference` with f + log r in the place of f: r moves the
    weight w of a reference event to w r(x; nu).

    Arguments:
        network: the model with the reference as given.
        profile: the nuisances with the reference.
        search: for the network and nu together.
    """

    network: PreparedNetwork
    profile: PreparedNuisances
    search: NetworkSearch

    @classmethod
    def of(cls, network: PreparedNetwork, nuisances: Nuisances, reference: Sample) -> PreparedNetworkWithNuisances:
        """Adds the nuisances' columns to the events and the cells of a prepared network.

        Raises:
            ValueError: for the published recipe.
        """
        alone = network.search
        if isinstance(alone.optimizer, Adam):
            raise ValueError(
                "nuisances need the maximum of the likelihood, which the published recipe does not reach: use the"
                " default search"
            )
        columns, weights = nuisances.columns(reference.events), network.weights
        events = np.column_stack([network.scaler(reference.events), columns[:, 1:]])
        with jax.enable_x64(True):
            levels = tuple(Level.of(level.cells, events, weights, level.precision) for level in alone.levels)
            full = chunked(events, weights, 0)
        search = replace(
            alone,
            family=JointNetwork(network.layout, nuisances),
            bound=np.append(network.bound, np.full(nuisances.count, np.inf)),
            levels=levels,
            full=full,
        )
        profile = PreparedNuisances.of(nuisances, columns, weights, network.event_weight or 0.0)
        return cls(network, profile, search)

    @property
    def alone(self) -> PreparedNetwork:
        return self.network

    @property
    def quick(self) -> bool:
        return False

    @property
    def nuisances(self) -> Nuisances:
        return self.profile.nuisances

    @property
    def parameters(self) -> int:
        return self.search.family.parameters

    @property
    def batch_size(self) -> int:
        return self.search.batch_size

    def fit(self, data: Sequence[Sample], held: Collection[str] = ()) -> Fits:
        """Fits each sample, with the nuisances of `held` at 0: Delta first, then tau, every start from Delta's nu.

        Where Delta has several minima the network is sought at each of them.
        """
        background = self.profile.fit(data, held)
        reach = np.where(self.nuisances.free(held) > 0, np.inf, 0.0)
        search = replace(self.search, bound=np.append(self.network.bound, reach)) if held else self.search
        owner, nu, delta = background.starts()
        found = search.fit(self._rows([data[i] for i in owner], nu, delta))
        found = found.take(best_of(found.t, owner, len(data)))
        t = found.t - background.delta
        failure = found.failure.copy()
        failure[(failure == "") & ~np.isfinite(t)] = "the likelihood without f overflowed"
        return replace(
            found,
            t=t,
            converged=found.converged & background.converged,
            failure=failure,
            delta=background.delta,
            nu_delta=background.nu,
            nu_tau=found.parameters[:, self.network.parameters :],
        )

    def null(self, data: Sample | None = None, **fluctuations: bool) -> Chi2Null:
        """A chi2 with the degrees of freedom of the network alone: the nuisances of tau and Delta cancel."""
        return self.network.null()

    def log_ratio(self, parameters: Float[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        return self.network.log_ratio(parameters[: self.network.parameters], events)

    def named_parameters(self, parameters: Float[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        p = self.network.parameters
        return {**self.network.named_parameters(parameters[:p]), "nu": parameters[p:]}

    def projected_seconds(self, data: Sample, fits: int) -> float:
        background = self.profile.fit([data])
        return projected_seconds(self.search, self._rows([data], background.nu, background.delta)[0], fits)

    def _rows(
        self, data: Sequence[Sample], nu: Float64[np.ndarray, "J k"], delta: Float64[np.ndarray, " J"]
    ) -> list[Data]:
        """Samples as the search needs them, each with the nu that it begins at and Delta there."""
        auxiliary = self.profile.auxiliary(data)
        with jax.enable_x64(True):
            return [
                Data(
                    np.column_stack([self.network.scaler(d.events), self.nuisances.ratio.basis(d.events)]),
                    d.weights,
                    jnp.asarray(a),
                    at,
                    float(least),
                    self.network.log_rho(d),
                )
                for d, a, at, least in zip(data, auxiliary, nu, delta, strict=True)
            ]
