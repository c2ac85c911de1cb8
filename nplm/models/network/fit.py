"""The network with its reference: the contract of models, fulfilled by a search in the box."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nplm.data.averaged_weights import event_weight_of
from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.base import PreparedDefaults, ShapeBy, parameter_chi2
from nplm.models.network.events import CHUNK
from nplm.models.network.mlp import Layout, with_ones
from nplm.models.network.search import Data, NetworkSearch
from nplm.stats.chi2 import Chi2Null

# A projection of the time times a fit with this fraction of the steps.
PROBE = 20


@dataclass(frozen=True, eq=False)
class PreparedNetwork(PreparedDefaults):
    """The network model with its reference.

    Arguments:
        layout: of the network.
        scaler: standardizes events.
        search: finds the maximum.
        weights: of the reference's events in the likelihood, shape (n_R,).
        event_weight: w0 of a finite reference, see `of_reference`; None for an exact one.
    """

    layout: Layout
    scaler: Coordinates
    search: NetworkSearch
    weights: Float[np.ndarray, " n"]
    event_weight: float | None

    @property
    def parameters(self) -> int:
        return self.layout.parameters

    @property
    def bound(self) -> Float[np.ndarray, " p"]:
        """The largest absolute value of each parameter."""
        return self.search.bound

    @property
    def batch_size(self) -> int:
        return self.search.batch_size

    def with_clip(self, clip: float) -> PreparedNetwork:
        """The same with another clip; nothing is prepared or compiled again."""
        return replace(self, search=replace(self.search, bound=np.where(np.isinf(self.bound), np.inf, clip)))

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample; the cores and the devices share them."""
        return self.search.fit([self._rows(sample) for sample in data])

    def fit_from(self, data: Sequence[Sample], starts: Sequence[Float[np.ndarray, "_ p"]]) -> Fits:
        """Fits each sample from given starts only, clipped into the box, without a search.

        No start ends below the t it has inside the box, so a point of a smaller box bounds t in a larger one.

        Arguments:
            data: B samples.
            starts: for each sample points to climb from, shape (k, P) with k >= 1.
        """
        return self.search.fit_from([self._rows(sample) for sample in data], starts)

    def null(self, data: Sample | None = None, *, shape_only: bool = False, **fluctuations: bool) -> Chi2Null:
        """A chi2 with as many degrees of freedom as parameters: less one without the yield.

        With a finite reference it is that of samples that both fluctuate. An exact one has this chi2 only if it is held
        fixed: it widens by 1 + N(R)/n_R as the reference fluctuates.
        """
        return parameter_chi2(self.parameters, shape_only)

    def log_ratio(self, parameters: Float[np.ndarray, " p"], events: Float[np.ndarray, "n d"]) -> np.ndarray:
        """f(x) as float64, in slices that bound the memory."""
        slices = [events[start : start + 64 * CHUNK] for start in range(0, len(events), 64 * CHUNK)]
        with jax.enable_x64(True):
            theta = jnp.asarray(parameters)
            parts = [np.asarray(self.layout.forward(theta, jnp.asarray(with_ones(self.scaler(e))))) for e in slices]
        return np.concatenate([np.zeros(0), *parts])

    def named_parameters(self, parameters: Float[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        names = [f"hidden_{i + 1}" for i in range(len(self.layout.sizes) - 2)] + ["output"]
        named = {}
        with jax.enable_x64(True):
            matrices = [np.asarray(m) for m in self.layout.layers(jnp.asarray(parameters))]
        for name, matrix in zip(names, matrices, strict=True):
            named[f"{name}.weights"], named[f"{name}.biases"] = matrix[:, :-1], matrix[:, -1]
        return named

    def projected_seconds(self, data: Sample, fits: int) -> float:
        return projected_seconds(self.search, self._rows(data), fits)

    @property
    def shape_by(self) -> ShapeBy:
        return "subtraction"

    def log_rho(self, sample: Sample) -> float | None:
        """log (w0 / v0) of a data sample; None if the reference is exact."""
        return None if self.event_weight is None else float(np.log(self.event_weight / event_weight_of(sample)))

    def _rows(self, sample: Sample) -> Data:
        return Data(self.scaler(sample.events), sample.weights, log_rho=self.log_rho(sample))


def projected_seconds(search: NetworkSearch, data: Data, fits: int) -> float:
    """Times a fit with a small part of the budget, compiled before, and scales it up."""
    brief = replace(search, optimizer=search.optimizer.shortened(PROBE))
    brief.fit([data])
    began = time.perf_counter()
    brief.fit([data])
    return PROBE * (time.perf_counter() - began) * -(-fits // search.batch_size)
