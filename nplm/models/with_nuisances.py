"""Prepared models with nuisances."""

from __future__ import annotations

from nplm.models.base import PreparedModel
from nplm.models.histogram import PreparedHistogram
from nplm.models.histogram_nuisance import PreparedHistogramWithNuisances
from nplm.models.kernel_fit import PreparedKernel
from nplm.models.kernel_nuisance import PreparedKernelWithNuisances
from nplm.models.network_fit import PreparedNetwork
from nplm.models.network_nuisance import PreparedNetworkWithNuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.sample import Sample

WithNuisances = PreparedNetworkWithNuisances | PreparedKernelWithNuisances | PreparedHistogramWithNuisances


def with_nuisances(prepared: PreparedModel, nuisances: Nuisances, reference: Sample) -> WithNuisances:
    """The same model of the same reference, which may be wrong by what the nuisances allow.

    Raises:
        ValueError: if the model cannot be fitted together with nuisances.
    """
    if isinstance(prepared, PreparedNetwork):
        return PreparedNetworkWithNuisances.of(prepared, nuisances, reference)
    if isinstance(prepared, PreparedKernel):
        return PreparedKernelWithNuisances.of(prepared, nuisances, reference)
    if isinstance(prepared, PreparedHistogram):
        return PreparedHistogramWithNuisances.of(prepared, nuisances, reference)
    raise ValueError("nuisances go with the models network, kernel and histogram")
