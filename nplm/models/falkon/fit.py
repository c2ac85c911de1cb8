"""LogisticFalkon with its reference: one fit after another, and t from its scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.likelihood.kernel_sums import kernel_product
from nplm.models.base import PreparedDefaults
from nplm.models.kernel.fit import PreparedKernel
from nplm.stats.weighted_chi2 import WeightedChi2Null

# What NPLM is usually run with: conjugate gradients to this tolerance, however many iterations they take.
TOLERANCE, ITERATIONS = np.sqrt(1e-7), 1_000_000


@dataclass(frozen=True, eq=False)
class PreparedFalkon(PreparedDefaults):
    """LogisticFalkon with its reference.

    Arguments:
        kernel: our own model of the same step, on the same centres.
        events: of the reference, in the features that the kernel sees, shape (n_R, d).
        weight: w, of each of them.
        penalty: Lambda / 2 = lambda (n_R + N(R)).
    """

    kernel: PreparedKernel
    events: Float64[np.ndarray, "n d"]
    weight: float
    penalty: float

    @property
    def parameters(self) -> int:
        """Number of coefficients, one for each centre."""
        return len(self.kernel.modes.centers)

    @property
    def batch_size(self) -> int:
        return 1

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample, one after the other.

        Raises:
            ValueError: if the events of a sample have different weights.
        """
        return Fits.concatenate([self._fit(d) for d in data])

    def _fit(self, data: Sample) -> Fits:
        v = one_weight(data)
        failure = ""
        try:
            coefficients, f = self._falkon(self.kernel.scaler(data.events), v)
        except RuntimeError as error:  # such as kernels that are too alike for the Cholesky factors of Falkon
            coefficients, f = np.full(self.parameters, np.nan), np.full(len(self.events) + len(data), np.nan)
            failure = f"LogisticFalkon failed: {' '.join(str(error).split())}"
        expected, observed = f[: len(self.events)], f[len(self.events) :]
        t = -2 * (self.weight * np.expm1(expected).sum() - v * observed.sum())
        if not np.isfinite(t):
            t, failure = np.nan, failure or "the likelihood overflowed"
        return Fits(
            t=np.array([t]),
            parameters=coefficients[None],
            converged=np.array([not failure]),
            starts=1,
            starts_agreeing=np.ones(1, dtype=np.int64),
            start_spread=np.zeros(1),
            remaining=np.zeros(1),
            failure=np.array([failure], dtype=object),
        )

    def _falkon(
        self, data: Float64[np.ndarray, "m d"], v: float
    ) -> tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, " n_plus_m"]]:
        """Coefficients of the kernels, and f at the events of reference and data.

        Data of weight v are data of unit weight compared with a reference of weight w / v, with Lambda / v.
        """
        import torch
        from falkon import FalkonOptions, LogisticFalkon
        from falkon.center_selection import FixedSelector
        from falkon.gsc_losses import WeightedCrossEntropyLoss
        from falkon.kernels import GaussianKernel

        events = torch.from_numpy(np.concatenate([self.events, data]))
        labels = torch.zeros(len(events), 1, dtype=torch.float64)
        labels[len(self.events) :] = 1.0
        centers = torch.from_numpy(self.kernel.modes.centers)
        options = FalkonOptions(use_cpu=not torch.cuda.is_available(), keops_active="no", cg_tolerance=float(TOLERANCE))
        kernel = GaussianKernel(float(self.kernel.modes.width), opt=options)
        model = LogisticFalkon(
            kernel=kernel,
            penalty_list=[self.penalty / (v * len(events))],
            iter_list=[ITERATIONS],
            loss=WeightedCrossEntropyLoss(kernel, neg_weight=self.weight / v, opt=options),
            M=len(centers),
            # Labels of centres only shape the preconditioner; all centres are events of the reference.
            center_selection=FixedSelector(centers, torch.zeros(len(centers), 1, dtype=torch.float64)),
            options=options,
        )
        with redirect_stdout(StringIO()):  # it prints its iterations
            model.fit(events, labels)
            f = model.predict(events)
        return model.alpha_.numpy()[:, 0], f.numpy()[:, 0]

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> WeightedChi2Null:
        """That of the kernel model: its solver "falkon-step" takes the same step, see `PreparedKernel.null`.

        Raises:
            ValueError: if the data's events have different weights, which LogisticFalkon cannot fit.
        """
        if data is not None:
            one_weight(data)
        return self.kernel.null(data, shape_only=shape_only, normalized=normalized, fixed_reference=fixed_reference)

    def log_ratio(self, parameters: Float64[np.ndarray, " c"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        modes = self.kernel.modes
        return kernel_product(self.kernel.scaler(events), parameters, modes.centers, modes.width)

    def named_parameters(self, parameters: Float64[np.ndarray, " c"]) -> dict[str, np.ndarray]:
        modes = self.kernel.modes
        return {"width": np.array(modes.width), "centers": modes.centers, "coefficients": parameters}

    @property
    def parameters_of_reference(self) -> bool:
        return True

    def projected_seconds(self, data: Sample, fits: int) -> float:
        began = time.perf_counter()
        self.fit([data])
        return (time.perf_counter() - began) * fits


def one_weight(sample: Sample) -> float:
    """The weight that all events of a sample have.

    Raises:
        ValueError: if they have several, or one that is not positive.
    """
    low, high = float(sample.weights.min()), float(sample.weights.max())
    if not 0 < low == high:
        raise ValueError(
            f"the events of {sample.name} have weights between {low:g} and {high:g}, and LogisticFalkon takes one"
            " positive weight for all events of a sample: take KernelModel(solver='falkon-step') (--model kernel"
            " --solver falkon-step), which computes the same step with any weights"
        )
    return low
