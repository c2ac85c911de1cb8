"""The contract between the test and its models: prepare once, fit many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.stats.asymptotic import Formula
from nplm.stats.chi2 import Chi2Null


def parameter_chi2(parameters: int, shape_only: bool) -> Chi2Null:
    """The chi2 of so many free parameters, one of which is the yield.

    Raises:
        ValueError: if there is no other.
    """
    if parameters - shape_only < 1:
        raise ValueError("one bin has no shape: use more bins, or test shape and yield")
    return Chi2Null(parameters - shape_only)


def seconds_of_batches(fit: Callable[[Sequence[Sample]], Fits], data: Sample, fits: int) -> float:
    """How long so many fits take, from a small batch that is fitted twice: the first time compiles."""
    batch = [data] * min(fits, 4)
    fit(batch)
    began = time.perf_counter()
    fit(batch)
    return (time.perf_counter() - began) * fits / len(batch)


class PreparedModel(Protocol):
    """A model together with everything that depends on the reference and not on the data."""

    @property
    def parameters(self) -> int:
        """Number of parameters P that a fit ends with."""
        ...

    @property
    def batch_size(self) -> int:
        """How many samples are best fitted in one call: as many as the cores, or the memory, can take."""
        ...

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Maximises the likelihood ratio for each of a batch of data samples."""
        ...

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> Formula:
        """The distribution that t tends to under the null, from a formula.

        Arguments:
            data: whose weights it is for; None for unit weights.
            shape_only: whether the yields are taken to be equal.
            normalized: whether the reference was scaled to a yield that is known from elsewhere.
            fixed_reference: for toys that are drawn from the reference itself; else it fluctuates too.

        Raises:
            ValueError: if nothing is left to be compared, as in the shape of one bin.
        """
        ...

    def log_ratio(self, parameters: Float64[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        """f(x; parameters) at events in the units of the reference, shape (n,)."""
        ...

    def named_parameters(self, parameters: Float64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        """The parameters by name, as a reader of the result wants them."""
        ...

    def projected_seconds(self, data: Sample, fits: int) -> float:
        """How long fits of samples like `data` are projected to take."""
        ...


class Model(Protocol):
    """A family of log-ratios f(x; w), and how to fit it."""

    @property
    def name(self) -> str:
        """What the model is called on the command line."""
        ...

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        """The settings for that many features, defaults spelled out, as JSON values."""
        ...

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedModel:
        """Does all that does not depend on the data."""
        ...
