"""The bins with a reference in them: fits of data samples in closed form."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import xlogy

from nplm.data.averaged_weights import event_weight_of
from nplm.data.coordinates import Coordinates
from nplm.data.partition import Cells
from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.base import PreparedDefaults, ShapeBy, parameter_chi2
from nplm.stats.chi2 import Chi2Null

# Memory that the events of one batch of toys may fill, and the most toys of a batch, so that progress is seen.
_BATCH_BYTES = 1 << 27
_LARGEST_BATCH = 250


@dataclass(frozen=True, eq=False)
class PreparedHistogram(PreparedDefaults):
    """The bins with what the reference has in them.

    Arguments:
        binning: finds the bin of an event.
        expected: yields nu_b, shape (bins,).
        events: effective numbers N_b of reference events, shape (bins,); None for an exact reference.
    """

    binning: Binning
    expected: Float64[np.ndarray, " bins"]
    events: Float64[np.ndarray, " bins"] | None = None

    @property
    def parameters(self) -> int:
        return len(self.expected)

    @property
    def batch_size(self) -> int:
        # So many toys that their events, and the bins these fall into, fill the memory set aside for a batch.
        dimension = self.binning.dimension
        bytes_of_a_toy = 8 * (float(self.expected.sum()) * (dimension + 3) + 4 * len(self.expected))
        return int(np.clip(_BATCH_BYTES // bytes_of_a_toy, 1, _LARGEST_BATCH))

    def counts(self, data: Sequence[Sample]) -> Float64[np.ndarray, "B bins"]:
        """n_b of each sample."""
        bins = len(self.expected)
        counts = [np.bincount(self.binning.assign(d.events), weights=d.weights, minlength=bins) for d in data]
        return np.array(counts, dtype=np.float64)  # those of no events are integers

    def fit(self, data: Sequence[Sample]) -> Fits:
        """t of two Poisson samples, or of one and an exact reference.

        Data of weight v0 = sum v^2 / sum v have n_b / v0 = m_b events, and the probability that an event of the bin is
        theirs is q_b = nu_b / (nu_b + v0 N_b) without a difference: t is v0 times the likelihood ratio,

            t = 2 v0 sum_b { m_b log [m_b / (q_b (m_b + N_b))] + N_b log [N_b / ((1 - q_b) (m_b + N_b))] },

        which for N_b -> infinity, or an exact reference, is 2 sum_b [n_b log(n_b / nu_b) - n_b + nu_b] (Baker and
        Cousins, NIM 221 (1984) 437).
        """
        nu = self.expected
        n = self.counts(data)
        possible: np.ndarray = np.all(n >= 0, axis=1)
        failure = np.full(len(data), "", dtype=object)
        for row in np.flatnonzero(~possible):
            failure[row] = f"the data's weights in bin {np.argmin(n[row])} add up to {n[row].min():g}"
        n = np.maximum(n, 0)
        if self.events is None:
            t = 2 * (xlogy(n, n / nu) - n + nu).sum(axis=1)
        else:
            size = np.array([[event_weight_of(sample)] for sample in data])
            m, both = n / size, n / size + self.events
            # log [m / (q (m + N))] = log [n (nu + v0 N) / (nu v0 (m + N))], and so on.
            common = (nu / size + self.events) / both
            t = 2 * (size * (xlogy(m, n / nu * common) + self.events * np.log(common))).sum(axis=1)
        t = np.where(possible, t, np.nan)
        with np.errstate(divide="ignore"):
            log_ratio = np.log(n / nu)
        zeros = np.zeros(len(data))
        return Fits(t, log_ratio, possible, 1, np.ones(len(data), dtype=np.int64), zeros, zeros, failure)

    def null(self, data: Sample | None = None, *, shape_only: bool = False, **fluctuations: bool) -> Chi2Null:
        """A chi2 with as many degrees of freedom as parameters: less one without the yield.

        With a finite reference it is that of samples that both fluctuate. An exact one has this chi2 only if it is held
        fixed: it widens by 1 + N(R)/n_R as the reference fluctuates.
        """
        return parameter_chi2(self.parameters, shape_only)

    def log_ratio(self, parameters: Float64[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        return parameters[self.binning.assign(events)]

    def named_parameters(self, parameters: Float64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        return {"log_ratio": parameters, "expected": self.expected, "observed": self.expected * np.exp(parameters)}

    def projected_seconds(self, data: Sample, fits: int) -> float:
        began = time.perf_counter()
        self.fit([data])
        return fits * (time.perf_counter() - began)

    @property
    def shape_by(self) -> ShapeBy:
        return "refit"


@dataclass(frozen=True, eq=False)
class CellBinning:
    cells: Cells
    scaler: Coordinates

    @property
    def dimension(self) -> int:
        return self.scaler.dimension

    @property
    def count(self) -> int:
        return self.cells.count

    def assign(self, events: Float64[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        return self.cells.assign(self.scaler(events))

    def describe(self, number: int, reference: Sample) -> str:
        inside = reference.events[self.assign(reference.events) == number]
        return _ranges(reference.features, inside.min(axis=0), inside.max(axis=0))


@dataclass(frozen=True, eq=False)
class GridBinning:
    edges: tuple[np.ndarray, ...]

    @property
    def dimension(self) -> int:
        return len(self.edges)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def count(self) -> int:
        return int(np.prod(self.shape))

    def assign(self, events: Float64[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        indices = tuple(np.searchsorted(e[1:-1], x, side="right") for e, x in zip(self.edges, events.T, strict=True))
        return np.ravel_multi_index(indices, self.shape)

    def describe(self, number: int, reference: Sample) -> str:
        index = np.unravel_index(number, self.shape)
        low, high = ([e[i + s] for e, i in zip(self.edges, index, strict=True)] for s in (0, 1))
        return _ranges(reference.features, low, high)


Binning = CellBinning | GridBinning


def _ranges(features: Sequence[str], low: Sequence[float], high: Sequence[float]) -> str:
    return ", ".join(f"{f} from {a:g} to {b:g}" for f, a, b in zip(features, low, high, strict=True))
