"""The model that the options ask for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nplm.cli.coordinates_options import periods
from nplm.cli.model_options import ModelOptions, settings_of
from nplm.models.registry import named_model

if TYPE_CHECKING:
    from nplm.data.coordinates import CoordinateKind
    from nplm.data.sample import Sample
    from nplm.hypotest.test import NPLMTest
    from nplm.models.base import Model
    from nplm.nuisance.nuisances import Nuisances

IN_PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def test_of(options: ModelOptions, reference: Sample, expected_yield: float | None) -> NPLMTest:
    """The test that the options ask for.

    Raises:
        ValueError: if the reference cannot serve, nuisances are bad, or a prepared model is that of another test.
    """
    return test_with(nuisances_of(options), options, reference, expected_yield)


def test_with(
    nuisances: Nuisances | None, options: ModelOptions, reference: Sample, expected_yield: float | None
) -> NPLMTest:
    """The test that the options ask for, with the nuisances that were read from them before.

    Raises:
        ValueError: if the reference cannot serve, or a prepared model is that of another test.
    """
    from nplm.hypotest.test import NPLMTest

    return NPLMTest(
        reference,
        model_of(options),
        expected_yield=expected_yield,
        shape_only=options.shape_only,
        coordinates=cast("CoordinateKind", options.coordinates),
        circular=periods(options.circular),
        nuisances=nuisances,
        overflow=options.overflow,
        prepared=None if options.prepared is None else Path(options.prepared),
    )


def nuisances_of(options: ModelOptions) -> Nuisances | None:
    """The nuisances that the options name: a file, or MODULE:NAME of nuisances or of a function that makes them.

    Raises:
        ValueError: if their file is bad, or there are none of that name.
    """
    return None if options.nuisances is None else nuisances_named(options.nuisances)


def nuisances_named(name: str) -> Nuisances:
    """Those of a file, or of MODULE:NAME.

    Raises:
        ValueError: if their file is bad, or there are none of that name.
    """
    if IN_PYTHON.fullmatch(name) and not Path(name).exists():
        from nplm.toys.problem import load_nuisances

        return load_nuisances(name)
    from nplm.config.nuisances import read_nuisances

    return read_nuisances(name)


def model_of(options: ModelOptions) -> Model:
    """The model with its settings.

    Raises:
        ValueError: if a setting is out of its range, or a model from outside cannot be loaded, or does not know how to
            take the reference as exact.
    """
    model = named_model(options.model, **settings_of(options))
    if not options.reference_exact:
        return model
    exact = model.taking_reference_as_exact()
    if not exact.reference_exact:
        raise ValueError(
            f"the model {options.model} always takes the reference as a finite sample: leave out --reference-exact"
        )
    return exact
