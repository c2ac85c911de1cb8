"""The kernel model: a sum of Gaussian kernels on Nystrom centres with a penalty on its norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nplm.models.kernel_centers import SELECTIONS, Selection, choose_centers, heuristic_width
from nplm.models.kernel_fit import PreparedKernel, Solver
from nplm.models.kernel_keops import Engine, compiled, require_engine
from nplm.sample import Sample, Scaler

LEAST_CENTERS, MOST_CENTERS = 100, 2000


@dataclass(frozen=True)
class KernelModel:
    """f(x) = sum_j a_j k(x, c_j) with Gaussian kernels on M centres, penalised by (Lambda/2) ||f||^2.

    t = -2 L[f^] with f^ = argmin L + (Lambda/2) ||f||^2: the penalty takes part in the fit, not in t. In Falkon's
    convention Lambda = 2 lambda n with n = n_R + N(R), the same for all data (arXiv:2204.02317, section 3).

    Arguments:
        width: of the kernels, exp(-|x - c|^2 / (2 width^2)), in standardised features (or raw ones without
            standardisation); None for the 90th percentile of the distances between pairs of reference events.
        centers: number of centres M; None for the square root of n_R + N(R), between 100 and 2000.
        penalty: lambda.
        selection: how centres are chosen: "uniform", as published, or "covering", see `choose_centers`.
        solver: "ml" for the maximum of the penalised likelihood; "falkon-step" for what LogisticFalkon with the usual
            settings of NPLM computes: one Newton step on the weighted cross-entropy.
        seed: of the choice of centres and of the pairs that give the width.
        engine: "xla", or "keops" for the sums of kernels over events and centres by KeOps, which is slower on a CPU and
            is there for a GPU that JAX does not have; see `nplm.models.kernel_keops`. It changes t by rounding only.

    Raises:
        ValueError: if a setting is out of its range, or the engine is not installed.
    """

    width: float | None = None
    centers: int | None = None
    penalty: float = 1e-6
    selection: Selection = "uniform"
    solver: Solver = "ml"
    seed: int = 1
    engine: Engine = "xla"
    reference_exact: bool = False  # TEMPORARY field

    def __post_init__(self) -> None:
        if self.width is not None and not (np.isfinite(self.width) and self.width > 0):
            raise ValueError(f"the width of the kernels must be a positive number, not {self.width:g}")
        if self.centers is not None and self.centers < 1:
            raise ValueError(f"a kernel model needs 1 centre or more, not {self.centers}")
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise ValueError(f"the penalty must be a positive number, not {self.penalty:g}")
        if self.selection not in SELECTIONS:
            raise ValueError(f"centres are chosen {' or '.join(SELECTIONS)}, not '{self.selection}'")
        if self.solver not in ("ml", "falkon-step"):
            raise ValueError(f"the solver is 'ml' or 'falkon-step', not '{self.solver}'")
        require_engine(self.engine)

    @property
    def name(self) -> str:
        return "kernel"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        # Without the engine: toys and prepared models of one serve the other.
        return {
            "width": self.width,
            "centers": self.centers,
            "penalty": self.penalty,
            "selection": self.selection,
            "solver": self.solver,
            "seed": self.seed,
        }

    def prepare(self, reference: Sample, scaler: Scaler) -> PreparedKernel:
        """Chooses centres and width, and finds the modes of the reference.

        Raises:
            ValueError: if there are fewer distinct events than centres, or the penalty leaves nothing to fit, or
                KeOps cannot compile its kernels.
        """
        if self.engine == "keops":
            compiled(reference.dimension)
        events, weights = scaler(reference.events), reference.weights
        size = len(reference) + reference.total_weight
        width = self.width or heuristic_width(events, weights, self.seed)
        count = self.centers or int(np.clip(np.sqrt(size), LEAST_CENTERS, min(MOST_CENTERS, len(reference))))
        centers = choose_centers(events, weights, count, self.selection, self.seed)
        penalty = 2 * self.penalty * size
        return PreparedKernel.of(reference, scaler, centers, width, penalty, self.solver, engine=self.engine)
