"""The shape of a window against that of a reference which is a finite sample itself, in one kernel model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nplm._util.blas import blas_threads
from nplm.data.sample import Sample
from nplm.models.kernel.fit import CONVERGED
from nplm.monitor.kernel_shape import KernelShape
from nplm.monitor.shape_result import STOPPED, ShapeResult


@dataclass(frozen=True, eq=False)
class FiniteShapeTest(KernelShape):
    """A reference, prepared once, that windows are compared with in shape by the likelihood of two finite samples.

    t and its null are those of `nplm test` for each window: the density of the reference is profiled out, so that the
    fit does not rise where the reference has no events by chance (J. Qin, Biometrika 85 (1998) 619). The fit needs the
    events of a window, and not only their sums; with many modes it takes ten times as long as `ExactShapeTest`.

    Arguments:
        test: of a kernel model that takes the reference as a finite sample.
    """

    def warm_up(self) -> None:
        """Compiles what the first window would have to wait for."""
        reference = self.test.reference
        n = min(len(reference), max(1, round(reference.total_weight)))
        self(Sample(reference.events[:n], features=reference.features))

    @blas_threads()
    def __call__(self, window: Sample) -> ShapeResult:
        """Tests one window, whose weights add up to a positive number."""
        window = self.test.within(window)
        asymptotic = self.test.asymptotic_null(window)
        fits = self.test.fit([window])
        # A fit that agrees with the reference may end at t = -1e-12.
        t = float(np.maximum(fits.t[0], 0.0))
        if not np.isfinite(t):
            return ShapeResult(
                np.nan, asymptotic.mean, asymptotic.sd, np.nan, np.nan, f"the fit failed: {fits.failure[0]}"
            )
        failure = "" if fits.remaining[0] < CONVERGED * asymptotic.sd else STOPPED
        return ShapeResult(t, asymptotic.mean, asymptotic.sd, asymptotic.pvalue(t), asymptotic.z(t), failure)

    def shared_fluctuation(self, n: float) -> float:
        """The correlation of t, and so of Z, of two windows of n unit weights, which share the reference.

        u = u_D - u_R has the covariance H + rho H to leading order, of the window and of the reference, with rho the
        expected number of events of a window for each event of the reference: (rho / (1 + rho))^2.
        """
        rho = self.prepared.event_weight * n / self.test.reference.total_weight
        return (rho / (1 + rho)) ** 2
