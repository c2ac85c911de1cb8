"""The histogram model: f constant in bins, maximized in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nplm._util.whole_numbers import require_whole
from nplm.data.coordinates import Coordinates
from nplm.data.partition import equal_weight_cells
from nplm.data.sample import Sample
from nplm.models.base import ModelDefaults, PreparedModel
from nplm.models.histogram.fit import Binning, CellBinning, GridBinning, PreparedHistogram
from nplm.models.histogram.with_nuisances import PreparedHistogramWithNuisances
from nplm.nuisance.nuisances import Nuisances


@dataclass(frozen=True)
class HistogramModel(ModelDefaults):
    """f(x) = f_b in bin b; the maximum is f_b = log(n_b / nu_b), and t compares two Poisson samples bin by bin.

    The reference is a sample of finite size: a bin of weights w stands for N_b = (sum w)^2 / sum w^2 events, of which
    the data are expected to have rho_b = nu_b / N_b for each, see `PreparedHistogram.fit`.

    Arguments:
        bins: number of bins, each with the same share of the reference (rectangular cells in several dimensions).
        edges: instead of `bins`, the inner and outer bin edges of each feature in its own units, strictly increasing;
            bins are their product, and the outermost ones reach to infinity.
        reference_exact: take nu_b as exact, as published: t is Baker and Cousins' chi2 then. So it is with nuisances.

    Raises:
        ValueError: if there is no bin, or edges are not increasing.
    """

    bins: int = 10
    edges: tuple[tuple[float, ...], ...] | None = None
    reference_exact: bool = False

    def __post_init__(self) -> None:
        if self.edges is None and require_whole(self.bins, "bins") < 1:
            raise ValueError(f"the histogram model needs at least 1 bin, not {self.bins}")
        for edges in self.edges or ():
            if len(edges) < 2 or not np.all(np.diff(edges) > 0):
                raise ValueError(f"bin edges must be two or more increasing numbers, not {edges}")

    @property
    def name(self) -> str:
        return "histogram"

    @property
    def depends_on_scale(self) -> bool:
        return False

    def with_nuisances(
        self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample
    ) -> PreparedHistogramWithNuisances:
        assert isinstance(prepared, PreparedHistogram)
        return PreparedHistogramWithNuisances.of(prepared, nuisances, reference)

    def taking_reference_as_exact(self) -> HistogramModel:
        return replace(self, reference_exact=True)

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        bins = {"bins": self.bins} if self.edges is None else {"edges": [list(e) for e in self.edges]}
        # Stored toys of an exact reference go on.
        return bins if self.reference_exact else {**bins, "loss": "finite reference"}

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedHistogram:
        """Sums the reference's weights in each bin.

        Raises:
            ValueError: if a bin's expectation is not positive, naming the bin, or edges are given for another
                number of features.
        """
        if self.edges is None:
            binning: Binning = CellBinning(
                equal_weight_cells(scaler(reference.events), reference.weights, self.bins), scaler
            )
        else:
            if len(self.edges) != reference.dimension:
                raise ValueError(
                    f"bin edges for {len(self.edges)} features, but the reference has {reference.dimension}"
                )
            binning = GridBinning(tuple(np.array(e) for e in self.edges))
        bins = binning.assign(reference.events)
        expected = np.bincount(bins, weights=reference.weights, minlength=binning.count)
        for b in np.flatnonzero(expected <= 0):
            raise ValueError(
                f"bin {b} ({binning.describe(int(b), reference)}) expects {expected[b]:g} events: the likelihood needs"
                " a positive expectation. Merge it with a neighbour or use fewer bins"
            )
        if self.reference_exact:
            return PreparedHistogram(binning, expected)
        squares = np.bincount(bins, weights=reference.weights**2, minlength=binning.count)
        return PreparedHistogram(binning, expected, expected**2 / squares)
