"""What a measurement is asked for: levels, limits, contours and toys, and points and parameters by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from nplm._util.seed_range import require_seed
from nplm._util.whole_numbers import require_whole
from nplm.measure.model import ParametricModel
from nplm.measure.result_text import LEVELS

# Pairs of parameters whose contours are drawn unasked.
_MOST_PAIRS = 3
# Toys and samples without a difference at least.
_FEWEST_TOYS, _FEWEST_RESAMPLES = 20, 99


@dataclass(frozen=True)
class Asked:
    """The arguments of `Measurement.run`, which has them; of what is only expected there are no toys.

    Raises:
        ValueError: for a level that is none, or too few toys.
    """

    levels: Sequence[float] = LEVELS
    limits: Collection[str] = ()
    limit_level: float = 0.95
    contours: Sequence[tuple[str, str]] | None = None
    goodness_of_fit: bool = False
    toys: int = 0
    goodness_toys: int = 0
    resamples: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        require_seed(self.seed)
        for level in (*self.levels, self.limit_level):
            if not 0 < level < 1:
                raise ValueError(f"a level of confidence lies between 0 and 1, not at {level:g}")
        for count, least, what in (
            (self.toys, _FEWEST_TOYS, "toys"),
            (self.goodness_toys, _FEWEST_TOYS, "toys of the goodness of fit"),
            (self.resamples, _FEWEST_RESAMPLES, "samples without a difference"),
        ):
            if require_whole(count, what) and count < least:
                raise ValueError(
                    f"{count} {what} are too few to read a p-value or a threshold from: take {least} or more"
                )

    def require_parameters(self, model: ParametricModel) -> None:
        """Makes sure that a model has what is asked for, before anything is fitted.

        Raises:
            ValueError: if there is no such parameter, or a pair is one parameter twice.
        """
        self.limited(model)
        self.pairs(model)

    def limited(self, model: ParametricModel) -> list[int]:
        """The parameters of interest that get a limit, by their numbers."""
        return [number_of(model, name, "an upper limit") for name in self.limits]

    def pairs(self, model: ParametricModel) -> list[tuple[int, int]]:
        """The pairs of parameters that get contours, by their numbers.

        Raises:
            ValueError: if there is no such parameter, or a pair is one parameter twice.
        """
        if self.contours is None:
            every = list(combinations(range(model.of_interest), 2))
            return every if len(every) <= _MOST_PAIRS else []
        found = []
        for pair in self.contours:
            first, second = (number_of(model, name, "a contour") for name in pair)
            if first == second:
                raise ValueError(f"a contour is of two parameters, not of {pair[0]} twice")
            found.append((first, second))
        return found


def point_of(model: ParametricModel, at: Mapping[str, float] | None) -> Float64[np.ndarray, " k"]:
    """Values of parameters and nuisances by name, 0 for the others, as a point.

    Raises:
        ValueError: for an unknown name, or a value that is not finite or out of bounds.
    """
    point = np.zeros(len(model.names))
    for name, value in (at or {}).items():
        point[number_of(model, name, "a value", nuisances=True)] = value
    if not np.isfinite(point).all():
        raise ValueError(f"the values must be finite numbers, not {dict(at or {})}")
    for name, value, low, high in zip(model.names, point, model.low, model.high, strict=True):
        if not low <= value <= high:
            raise ValueError(f"{name} = {value:g} is outside of its bounds {low:g} and {high:g}")
    return point


def number_of(model: ParametricModel, name: str, what: str, *, nuisances: bool = False) -> int:
    """The number of a parameter of interest, or of a nuisance too.

    Raises:
        ValueError: if there is none of that name.
    """
    names = model.names if nuisances else model.parameters.names
    if name not in names:
        raise ValueError(f"{what} of '{name}' was asked for, but the parameters are {', '.join(names)}")
    return names.index(name)
