"""The shape of a window against that of a reference that is taken as exact, in one kernel model."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.data.sample import Sample
from nplm.models.kernel.fit import CONVERGED
from nplm.monitor.held_reference import HeldReference
from nplm.monitor.kernel_shape import KernelShape
from nplm.monitor.shape_result import STOPPED, ShapeResult
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Sums over events are taken in parts of so many, the last filled up with weight zero: one compilation serves all
# windows, whatever their sizes.
_PART = 2048
# Nulls of windows of so many sizes are kept.
_NULLS = 64


@dataclass(frozen=True, eq=False)
class ExactShapeTest(KernelShape):
    """A reference, prepared once, that windows are compared with in shape.

    The reference is scaled to n events, n being the size of a window, which sets the penalty Lambda = 2 lambda
    (n_R + n) of Falkon's convention; a window of another yield is scaled to n, and t back. The reference is taken as
    exact in the likelihood: then the sums of a window are all that its fit needs. The asymptotic null of t includes the
        fluctuation
    of the reference itself: for equal weights it is (1 + n / n_R) times that of a reference without end. Both are
    asymptotic, and reject far too often where the reference is not many times larger than a window.

    Arguments:
        test: of a kernel model that takes the reference as exact.
    """

    _nulls: dict[float, AsymptoticNull] = field(default_factory=dict, repr=False)

    @cached_property
    def held(self) -> HeldReference | None:
        """The reference in its modes, for fits of single windows; None if these fits are those of the model."""
        return HeldReference.of(self.prepared, self.test.reference)

    def warm_up(self) -> None:
        """Compiles and computes all that the first window would have to wait for."""
        reference = self.test.reference
        n = min(len(reference), max(1, int(reference.total_weight)))
        self(Sample(reference.events[:n], features=reference.features))
        if self.held is not None:
            self.held.by_newton(self.prepared.expected)

    @blas_threads()
    def __call__(self, window: Sample) -> ShapeResult:
        """Tests one window, whose weights add up to a positive number."""
        window = self.test.within(window)
        expected = self.test.reference.total_weight
        scale = window.total_weight / expected
        asymptotic = self.asymptotic(window)
        sums = self._sums(window) / scale
        fits = self.prepared.fit_sums(sums[None]) if self.held is None else self.held.fit_sums(sums, scale)
        # A fit that agrees with the reference may end at t = -1e-12.
        t = float(np.maximum(fits.t[0] * scale, 0.0))
        if not np.isfinite(t):
            return ShapeResult(
                np.nan, asymptotic.mean, asymptotic.sd, np.nan, np.nan, f"the fit failed: {fits.failure[0]}"
            )
        # As for any kernel fit, but for t as it is after scaling.
        converged = fits.remaining[0] * scale < CONVERGED * asymptotic.sd
        failure = "" if converged else STOPPED
        return ShapeResult(t, asymptotic.mean, asymptotic.sd, asymptotic.pvalue(t), asymptotic.z(t), failure)

    def asymptotic(self, window: Sample) -> AsymptoticNull:
        """The asymptotic null of t for a window of this yield and these weights."""
        if window.is_weighted:
            return self.test.asymptotic_null(window)
        n = window.total_weight
        if n not in self._nulls:
            if len(self._nulls) >= _NULLS:
                self._nulls.pop(next(iter(self._nulls)))
            self._nulls[n] = self._scaled_null(n) if self._equal_weight else self.test.asymptotic_null(window)
        return self._nulls[n]

    def shared_fluctuation(self, n: float) -> float:
        """The correlation of t, and so of Z, of two windows of n unit weights, which share the reference.

        u = u_D - u_R has the covariance A + B, A of the window and B of the reference; with B = kappa A the correlation
        of t = u.C u in two windows is tr(C B C B) / tr(C (A + B) C (A + B)) = (kappa / (1 + kappa))^2. For unequal
        weights kappa is that of the means of t.
        """
        if self._equal_weight:
            kappa = self._kappa(n)
        else:
            free, held = (self._unit_null(n, fixed) for fixed in (False, True))
            kappa = free.mean / held.mean - 1
        return (kappa / (1 + kappa)) ** 2

    def _sums(self, window: Sample) -> Float64[np.ndarray, " r"]:
        prepared = self.prepared
        if prepared.line is not None:
            return prepared.sums(window)
        total = np.zeros(prepared.modes.count)
        for begin in range(0, len(window), _PART):
            x, v = window.events[begin : begin + _PART], window.weights[begin : begin + _PART]
            missing = _PART - len(x)
            if missing:
                x = np.concatenate([x, np.broadcast_to(x[-1], (missing, x.shape[1]))])
                v = np.concatenate([v, np.zeros(missing)])
            total += prepared.sums(Sample(x, v, window.features))
        return total

    @cached_property
    def _equal_weight(self) -> float | None:
        """The weight of all reference events, if they have the same."""
        used = self.test.reference.weights[self.test.reference.weights != 0]
        return float(used[0]) if (used == used[0]).all() and used[0] > 0 else None

    @cached_property
    def _fixed_null(self) -> WeightedChi2Null:
        return self.prepared.null(shape_only=True, normalized=True, fixed_reference=True)

    def _kappa(self, n: float) -> float:
        """n / n_R."""
        assert self._equal_weight is not None
        return n / self.test.reference.total_weight * self._equal_weight

    def _scaled_null(self, n: float) -> WeightedChi2Null:
        # With equal weights both covariances are multiples of one matrix, whose eigenvalues are found once.
        return WeightedChi2Null(self._fixed_null.weights * (1 + self._kappa(n)))

    def _unit_null(self, n: float, fixed_reference: bool) -> AsymptoticNull:
        ones = Sample(
            np.zeros((max(1, round(n)), self.test.reference.dimension)), features=self.test.reference.features
        )
        return self.test.asymptotic_null(ones, fixed_reference=fixed_reference)
