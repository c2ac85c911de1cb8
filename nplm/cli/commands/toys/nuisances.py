"""The options of `nplm toys run` about nuisances: what they exclude, and where the toys are drawn."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nplm.cli.errors import UsageError
from nplm.cli.model_options import add_nuisances_option
from nplm.cli.types import NuisanceValue, nuisance_value

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float64

    from nplm.nuisance.nuisances import Nuisances
    from nplm.toys.nuisance_sampler import NuisanceSampler
    from nplm.toys.samplers import PoolSampler, Sampler


@dataclass(frozen=True, kw_only=True)
class NuisanceOptions:
    """The true nu of the toys; their nuisances are an option of the model."""

    nu: tuple[NuisanceValue, ...] = ()


def add_nuisance_options(group: argparse._ArgumentGroup) -> None:
    """Declares --nuisances and --nu."""
    add_nuisances_option(group)
    group.add_argument(
        "--nu",
        action="extend",
        nargs="+",
        type=nuisance_value,
        metavar="NAME=VALUE",
        help="true nuisances of the toys (default: 0 for each): their auxiliary measurements fluctuate around these,"
        " and their events are those of the pool or reference with weights r(x; nu), or what the --problem draws there;"
        " those of a --generator are taken as they come, and a --signal is not varied",
    )


def require_nuisances(values: Mapping[str, Any]) -> None:
    """Refuses options that contradict toys with nuisances.

    Raises:
        UsageError: naming them.
    """
    names = [given.name for given in values.get("nu", ())]
    if names and "nuisances" not in values:
        raise UsageError("--nu needs --nuisances, which says what they are")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"--nu names '{repeated[0]}' twice; leave it out once")
    if "nuisances" not in values:
        return
    if values.get("shape_only"):
        raise UsageError(
            "--shape-only and --nuisances contradict each other: let the yield be a normalization with a wide"
            " constraint instead"
        )
    if values.get("expectation"):
        raise UsageError(
            "--expectation and --nuisances contradict each other: auxiliary measurements of toys fluctuate, so their"
            " events must"
        )


@dataclass(frozen=True, eq=False)
class TruePoint:
    """Nuisances, and their true values in toys.

    Arguments:
        nuisances: what they are.
        nu: shape (k,).
    """

    nuisances: Nuisances
    nu: Float64[np.ndarray, " k"]

    @classmethod
    def of(cls, nuisances: Nuisances, given: tuple[NuisanceValue, ...]) -> TruePoint:
        """The values that are given with --nu, and 0 for the others.

        Raises:
            ValueError: for a nuisance that there is not.
        """
        from nplm.nuisance.values import nu_of

        try:
            return cls(nuisances, nu_of(nuisances.names, {one.name: one.value for one in given}))
        except ValueError as error:
            raise ValueError(f"--nu: {error}") from error

    @property
    def by_name(self) -> dict[str, float]:
        """The values by name."""
        return dict(zip(self.nuisances.names, self.nu.tolist(), strict=True))

    def measured(self, events: Sampler) -> NuisanceSampler:
        """Toys of these events with auxiliary measurements around the truth."""
        from nplm.toys.nuisance_sampler import NuisanceSampler

        return NuisanceSampler(events, self.nuisances, self.nu)

    def reweighted(self, draw: PoolSampler) -> Sampler:
        """Events of the pool with weights w r(x; nu).

        Raises:
            ValueError: if r is no finite number somewhere.
        """
        import numpy as np

        from nplm.toys.nuisance_sampler import sampler_at

        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return sampler_at(draw, self.nuisances, self.nu).events
        except ValueError as error:
            where = ", ".join(f"{name} = {value:g}" for name, value in self.by_name.items())
            raise ValueError(f"toys cannot be drawn at {where}: {error}") from error
