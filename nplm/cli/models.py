"""The model that the options ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from nplm.cli.options import ModelOptions

if TYPE_CHECKING:
    from nplm.hypothesis_test import NPLMTest
    from nplm.models.base import Model
    from nplm.models.kernel_centers import Selection
    from nplm.models.kernel_fit import Solver
    from nplm.models.kernel_keops import Engine
    from nplm.nuisance.nuisances import Nuisances
    from nplm.sample import Sample


def test_of(options: ModelOptions, reference: Sample, expected_yield: float | None) -> NPLMTest:
    """The test that the options ask for.

    Raises:
        ValueError: if the reference cannot serve, or a prepared model is that of another test.
    """
    from nplm.hypothesis_test import NPLMTest

    return NPLMTest(
        reference,
        model_of(options),
        expected_yield=expected_yield,
        shape_only=options.shape_only,
        standardize=options.standardize,
        nuisances=nuisances_of(options),
        prepared=None if options.prepared is None else Path(options.prepared),
    )


def nuisances_of(options: ModelOptions) -> Nuisances | None:
    """The nuisances that the options name.

    Raises:
        ValueError: if their file is bad.
    """
    if options.nuisances is None:
        return None
    from nplm.nuisance.nuisance_file import read_nuisances

    return read_nuisances(options.nuisances)


def model_of(options: ModelOptions) -> Model:
    """The model with its settings."""
    if options.model == "histogram":
        from nplm.models.histogram import HistogramModel

        return HistogramModel(bins=options.bins)
    if options.model == "kernel":
        from nplm.models.kernel import KernelModel

        return KernelModel(
            width=options.width,
            centers=options.centers,
            penalty=options.penalty,
            selection=cast("Selection", options.selection),
            solver=cast("Solver", options.solver),
            engine=cast("Engine", options.engine),
        )
    if options.model == "falkon":
        from nplm.models.falkon import FalkonModel

        return FalkonModel(
            width=options.width,
            centers=options.centers,
            penalty=options.penalty,
            selection=cast("Selection", options.selection),
        )
    from nplm.models.network import NetworkModel

    return NetworkModel(hidden=options.hidden, clip=options.clip, clip_biases=options.clip_biases)
