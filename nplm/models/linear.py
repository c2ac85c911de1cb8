"""Models that are linear in their parameters, f = b . phi: what can be computed about their t without toys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float64

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.data_blocks import Rows
from nplm.likelihood.fits import Fits
from nplm.likelihood.log_linear import Blocks
from nplm.models.base import PreparedModel
from nplm.stats.weighted_chi2 import WeightedChi2Null

if TYPE_CHECKING:
    from nplm.models.kernel.modes import Modes
    from nplm.models.kernel.noncentral import ExpectedT
    from nplm.models.kernel.quadrature_1d import LineModes


class PreparedLinear(PreparedModel, Protocol):
    """A model in modes phi, for which sum_R w phi phi^T = 1, with its reference.

    t follows a weighted sum of chi2 variables, jointly for several such models of one reference; its power is known
    without toys; and toys can be drawn with signals in the modes.
    """

    @property
    def modes(self) -> Modes:
        """phi, their penalties, and the centres that they are made of."""
        ...

    @property
    def scaler(self) -> Coordinates:
        """The coordinates that the modes see."""
        ...

    @property
    def blocks(self) -> Blocks:
        """The reference in modes, or as features."""
        ...

    @property
    def line(self) -> LineModes | None:
        """In one dimension, the modes at nodes that sums over events are taken with."""
        ...

    @property
    def expected(self) -> Float64[np.ndarray, " r"]:
        """s_R = sum_R w phi."""
        ...

    @property
    def event_weight(self) -> float:
        """w0 of the likelihood of a finite reference; 0 where the reference is taken as exact."""
        ...

    @property
    def signed(self) -> bool:
        """Whether events of the reference have negative weights."""
        ...

    @property
    def solver(self) -> str:
        """ "ml" if fits end at the maximum of the penalized likelihood; another where they take one step."""
        ...

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> WeightedChi2Null:
        """See `PreparedModel.null`."""
        ...

    def ratio(self, data: Sample | None = None, shape_only: bool = False) -> float:
        """rho = w0 / v0 of data; 0 where the reference is taken as exact."""
        ...

    def with_signal(self, signal: Sample, data: Sample | None = None, *, normalized: bool = False) -> ExpectedT:
        """The distribution of t in the presence of a signal."""
        ...

    def features(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n r"]:
        """phi at events in the units of the reference."""
        ...

    def sums(self, data: Sample) -> Float64[np.ndarray, " r"]:
        """s = sum_D v phi."""
        ...

    def fit_sums(self, sums: Float64[np.ndarray, "B r"]) -> Fits:
        """Fits, to a reference taken as exact, of samples of which only their sums are known."""
        ...

    def fit_rows(self, rows: Sequence[Rows], ratios: Float64[np.ndarray, " B"]) -> Fits:
        """Fits, to a reference of finite size, of samples given as phi of their events with weights, and their rho."""
        ...

    def certified(
        self, t: Float64[np.ndarray, " B"], b: Float64[np.ndarray, "B r"], gradient: Float64[np.ndarray, "B r"]
    ) -> Fits:
        """Fits that ended at b, with what is left of the gradient: how far t is from where the minimum is."""
        ...
