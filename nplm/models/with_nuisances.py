"""Prepared models with nuisances."""

from __future__ import annotations

from dataclasses import replace

from nplm.data.sample import Sample
from nplm.models.base import Model, PreparedModel
from nplm.models.histogram.model import HistogramModel, PreparedHistogram
from nplm.models.histogram.with_nuisances import PreparedHistogramWithNuisances
from nplm.models.kernel.fit import PreparedKernel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.model import NetworkModel
from nplm.models.network.with_nuisances import PreparedNetworkWithNuisances
from nplm.nuisance.nuisances import Nuisances

WithNuisances = PreparedNetworkWithNuisances | PreparedKernelWithNuisances | PreparedHistogramWithNuisances


# N(R) over effective reference events up to which the reference is taken as exact. With nuisances its fluctuation
# widens t by 6% at most then, and a nominal 5% test fires in 7% where its null does not know that; without them t
# differs by 0.1%.
LARGEST_FOR_EXACT, LARGEST_WITHOUT_NUISANCES = 0.06, 1e-3


def fitted_to(model: Model, reference: Sample, *, with_nuisances: bool) -> Model:
    """The model, which takes a large reference as exact: the limit in which both likelihoods are one.

    With nuisances that is one of more than 16 times the data, as published methods do, and without 1000 times. A
    smaller one is a finite sample, unless the model says otherwise.
    """
    most = LARGEST_FOR_EXACT if with_nuisances else LARGEST_WITHOUT_NUISANCES
    large = reference.total_weight <= most * reference.effective_size
    if large and isinstance(model, NetworkModel | KernelModel | HistogramModel):
        return replace(model, reference_exact=True)
    return model


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
