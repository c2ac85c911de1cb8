"""The network model: a sigmoid network whose weights are clipped to a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from operator import mul
from typing import Any

import jax
import numpy as np

from nplm.data.averaged_weights import averaged, event_weight
from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.models.base import ModelDefaults, PreparedModel
from nplm.models.network.events import chunked
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.mlp import Layout
from nplm.models.network.search import Level, NetworkSearch
from nplm.models.network.search_settings import BoxSearch
from nplm.models.network.with_nuisances import PreparedNetworkWithNuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.adam import Adam

# Of all layers after the first, at most: every one is a direction that a fit climbs in.
_MOST_WEIGHTS = 1_000_000


@dataclass(frozen=True)
class NetworkModel(ModelDefaults):
    """f(x; w): a fully connected network, sigmoid hidden layers, one linear output, |w| <= clip.

    Clipping is the regularizer: a clip that is chosen well makes t on null toys chi2 with as many degrees of freedom
    as the network has parameters (arXiv:1912.12155, section 3.2).

    Arguments:
        hidden: neurons of each hidden layer.
        clip: bound on every weight and bias.
        clip_biases: whether biases are clipped too; some published results leave them free.
        optimizer: a `BoxSearch`, or the published recipe `Adam`; None for the default search.
        reference_exact: take the reference as the exact expectation, L = sum_R w (e^f - 1) - sum_D f, as the published
            results do; else as a finite sample, see `nplm.likelihood.finite.of_reference`; signed weights are then
            averaged over neighbouring events.

    Raises:
        ValueError: if a layer has no neuron, there is no hidden layer, they have too many weights, or the clip is not
            positive.
    """

    hidden: tuple[int, ...] = (4,)
    clip: float = 9.0
    clip_biases: bool = True
    optimizer: BoxSearch | Adam | None = None
    reference_exact: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.hidden, int):
            raise ValueError(f"hidden must hold the neurons of each layer, such as ({self.hidden},), not {self.hidden}")
        if not self.hidden or any(h < 1 for h in self.hidden):
            raise ValueError(f"a network needs hidden layers of one neuron or more, not {self.hidden}")
        if (count := sum(map(mul, self.hidden, (*self.hidden[1:], 1)))) > _MOST_WEIGHTS:
            raise ValueError(
                f"hidden layers of {'x'.join(map(str, self.hidden))} neurons have {count:,} weights: take fewer"
                f" neurons, {_MOST_WEIGHTS:,} weights at most"
            )
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise ValueError(f"the clip must be a positive number, not {self.clip:g}")

    @property
    def name(self) -> str:
        return "network"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        optimizer = self._optimizer(dimension)
        return {
            "hidden": list(self.hidden),
            "clip": self.clip,
            "clip_biases": self.clip_biases,
            "optimizer": {"name": type(optimizer).__name__, **asdict(optimizer)},
            # Stored toys of tests without it go on.
            **({} if self.reference_exact else {"loss": "finite reference"}),
        }

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedNetwork:
        """Sums the reference in cells and lays its events out for the compiled loss."""
        layout = self._layout(scaler.dimension)
        bound = np.where(layout.is_bias & (not self.clip_biases), np.inf, self.clip)
        events, weights, one = scaler(reference.events), reference.weights, None
        if not self.reference_exact:
            one = event_weight(weights)
            weights = averaged(events, weights)
        optimizer = self._optimizer(scaler.dimension)
        levels: tuple[Level, ...] = ()
        if isinstance(optimizer, BoxSearch):
            with jax.enable_x64(True):
                levels = (Level.build(events, weights, optimizer.cells, np.float32),)
                if optimizer.fine_cells is not None:
                    levels += (Level.build(events, weights, optimizer.fine_cells, np.float64),)
        with jax.enable_x64(True):
            full = chunked(events, weights, 0)
        room = int(reference.total_weight + 6 * np.sqrt(reference.total_weight)) + 1
        search = NetworkSearch(layout, bound, optimizer, levels, full, room)
        return PreparedNetwork(layout, scaler, search, weights, one)

    def with_nuisances(
        self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample
    ) -> PreparedNetworkWithNuisances:
        assert isinstance(prepared, PreparedNetwork)
        return PreparedNetworkWithNuisances.of(prepared, nuisances, reference)

    def taking_reference_as_exact(self) -> NetworkModel:
        return replace(self, reference_exact=True)

    @property
    def null_is_tuned(self) -> bool:
        return True

    def tunable(self) -> NetworkModel:
        if isinstance(self.optimizer, Adam):
            raise ValueError("the published recipe cannot follow maxima from clip to clip: tune with the search")
        return self

    def with_clip(self, clip: float) -> NetworkModel:
        return replace(self, clip=clip)

    def clipped(self, prepared: PreparedModel, clip: float) -> PreparedNetwork:
        assert isinstance(prepared, PreparedNetwork)
        return prepared.with_clip(clip)

    def _layout(self, dimension: int) -> Layout:
        return Layout((dimension, *self.hidden, 1))

    def _optimizer(self, dimension: int) -> BoxSearch | Adam:
        return self.optimizer or BoxSearch.default(self._layout(dimension))
