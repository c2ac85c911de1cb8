"""Parameters of interest: how density and yield of events move with them, and where they may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample
from nplm.nuisance.ratios.pointwise import AnyLogRatio, PointwiseLogRatio, Separable, names_of, of_columns
from nplm.nuisance.values import distinct_names


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters theta that a measurement is after: log-ratios without a constraint.

    theta = 0 is the reference as given: log r(x; 0) = 0. Give a parameter relative to the value at which the reference
    was made. Any log-ratio serves: those of `nplm.nuisance` (`Normalization` for a yield, `SeparableLogRatio`,
    `CallableLogRatio`, `BinnedLogRatio`), learned ones of `nplm.learning`, `JaxLogRatio` for a function of any form,
    and whatever has the methods of `LogRatio` or of `PointwiseLogRatio`.

    Arguments:
        ratios: one log-ratio or several, whose effects multiply.
        start: where fits begin, by name; 0 by default.
        bounds: the smallest and the largest value by name; without bounds by default. r must exist inside.
        scale: about how far a fit moves each, by name, where that cannot be seen at 0, as of a parameter whose effect
            is quadratic. By default the value at which the expectation differs from the reference by one standard
            deviation.
        allow_failed: use learned log-ratios even if they failed their checks.

    Raises:
        ValueError: for names that there are not, a start outside of its bounds, or bounds that are none.

    Example:
        >>> from nplm.nuisance import Normalization
        >>> Parameters(Normalization("log_yield"), bounds={"log_yield": (-1.0, 1.0)}).names
        ('log_yield',)
    """

    parts: tuple[PointwiseLogRatio, ...]
    start: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    allow_failed: bool = False

    def __init__(
        self,
        ratios: AnyLogRatio | Iterable[AnyLogRatio],
        *,
        start: Mapping[str, float] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        scale: Mapping[str, float] | None = None,
        allow_failed: bool = False,
    ) -> None:
        one = hasattr(ratios, "nuisances")
        given = (cast("AnyLogRatio", ratios),) if one else tuple(cast("Iterable[AnyLogRatio]", ratios))
        parts = tuple(of_columns(each) for each in given)
        names = distinct_names(names_of(parts)) if parts else ()
        for what, values in (("start", start), ("bounds", bounds), ("scale", scale)):
            if unknown := [name for name in values or {} if name not in names]:
                raise ValueError(f"{what} of '{unknown[0]}', but the parameters are {', '.join(names)}")
        ends = {name: (float(low), float(high)) for name, (low, high) in (bounds or {}).items()}
        for name, (low, high) in ends.items():
            if not low < high:
                raise ValueError(f"the bounds of {name} must be two increasing numbers, not {low:g} and {high:g}")
            if not low <= 0 <= high:
                raise ValueError(
                    f"the bounds of {name}, {low:g} and {high:g}, leave out 0, where the reference is: give {name}"
                    " relative to the value at which the reference was made"
                )
        begin = {name: float(value) for name, value in (start or {}).items()}
        for name, value in begin.items():
            low, high = ends.get(name, (-np.inf, np.inf))
            if not (np.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} starts at {value:g}, outside of its bounds {low:g} and {high:g}")
        for name, value in (scale or {}).items():
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"the scale of {name} must be a positive number, not {value:g}")
        fields = {
            "parts": parts,
            "start": begin,
            "bounds": ends,
            "scale": {name: float(value) for name, value in (scale or {}).items()},
            "allow_failed": allow_failed,
        }
        for attribute, each in fields.items():
            object.__setattr__(self, attribute, each)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the order of theta."""
        return names_of(self.parts)

    @property
    def begin(self) -> Float64[np.ndarray, " k"]:
        """Where fits begin."""
        return np.array([self.start.get(name, 0.0) for name in self.names])

    @property
    def limits(self) -> Float64[np.ndarray, "k 2"]:
        """The smallest and largest value of each."""
        return np.array([self.bounds.get(name, (-np.inf, np.inf)) for name in self.names]).reshape(-1, 2)

    @property
    def learned_range(self) -> dict[str, tuple[float, float]]:
        """Between which values the log-ratios of parameters were learned, of those that were."""
        parts = [each for part in self.parts if isinstance(part, Separable) for each in part.ratio.summands]
        return {name: ends for part in parts for name, ends in part.learned_range.items()}

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that log-ratios are for this reference, and that learned ones passed their checks.

        Raises:
            ValueError: saying what is wrong.
        """
        for part in self.parts:
            part.require_reference(reference)
            if not self.allow_failed:
                part.require_valid()
