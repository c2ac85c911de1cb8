"""The kernel model: a sum of Gaussian kernels on Nystrom centres with a penalty on its norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nplm._util.seed_range import require_seed
from nplm._util.whole_numbers import require_whole
from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.keops import Engine, compiled, require_engine
from nplm.models.base import ModelDefaults, PreparedModel
from nplm.models.kernel.centers import SELECTIONS, Selection, choose_centers
from nplm.models.kernel.fit import PreparedKernel, Solver
from nplm.models.kernel.store import read_prepared, write_prepared
from nplm.models.kernel.width import heuristic_width
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.models.kernel.without_feature import KernelWithout
from nplm.nuisance.nuisances import Nuisances

LEAST_CENTERS, MOST_CENTERS = 100, 2000

# A width may be smaller or larger than the spread of the events by this factor.
EXTREME = 1e6


@dataclass(frozen=True)
class KernelModel(ModelDefaults):
    """f(x) = sum_j a_j k(x, c_j) with Gaussian kernels on M centres, penalized by (Lambda/2) ||f||^2.

    t = -2 L[f^] with f^ = argmin L + (Lambda/2) ||f||^2: the penalty takes part in the fit, not in t. In Falkon's
    convention Lambda = 2 lambda n with n = n_R + N(R), the same for all data (arXiv:2204.02317, section 3).

    The reference is a sample of finite size, like the data. Its unknown density is profiled out of the likelihood of
    both (J. Qin, Biometrika 85 (1998) 619): for weights w = N(R) / n_R and data of unit weights

        L = sum_{R and D} log((1 + w e^f) / (1 + w)) - sum_D f,

    so t does not rise where the reference lacks events by chance, and its null does not widen. For varied weights w is
    w0 = sum_R w^2 / sum_R w, an event of the reference counts w_e / w0 times, and signed weights are averaged over
    neighbouring events until none is negative. The penalty is (Lambda / (1 + w)) ||f||^2 / 2 there, relative to the
    Hessian of L, which is 1 / (1 + w) of that of the extended likelihood; see `nplm.likelihood.log_linear_fit`.

    Arguments:
        width: of the kernels, exp(-|x - c|^2 / (2 width^2)), in the coordinates of the test (see
            `nplm.data.coordinates`); None for the 90th percentile of the distances between pairs of reference events.
        centers: number of centres M; None for the square root of n_R + N(R), between 100 and 2000.
        penalty: lambda.
        selection: how centres are chosen: "uniform", as published, or "covering", see `choose_centers`.
        solver: "ml" for the maximum of the penalized likelihood; "falkon-step" for what LogisticFalkon with the usual
            settings of NPLM computes: one Newton step on the weighted cross-entropy.
        seed: of the choice of centres and of the pairs that give the width.
        engine: "xla", or "keops" for the sums of kernels over events and centres by KeOps, which is slower on a CPU and
            is there for a GPU that JAX does not have; see `nplm.likelihood.keops`. It changes t by rounding only.
        reference_exact: take the reference as exact, with the extended likelihood
            L = sum_R w (e^f - 1) - sum_D f, as published. Its t is too large where the reference is not many times as
            large as the data. The solver "falkon-step", and nuisances, always take it so.

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
    reference_exact: bool = False

    def __post_init__(self) -> None:
        if self.width is not None and not (np.isfinite(self.width) and self.width > 0):
            raise ValueError(f"the width of the kernels must be a positive number, not {self.width:g}")
        if self.centers is not None and require_whole(self.centers, "centres") < 1:
            raise ValueError(f"a kernel model needs 1 centre or more, not {self.centers}")
        if not (np.isfinite(self.penalty) and self.penalty > 0):
            raise ValueError(f"the penalty must be a positive number, not {self.penalty:g}")
        if self.selection not in SELECTIONS:
            raise ValueError(f"centres are chosen {' or '.join(SELECTIONS)}, not '{self.selection}'")
        if self.solver not in ("ml", "falkon-step"):
            raise ValueError(f"the solver is 'ml' or 'falkon-step', not '{self.solver}'")
        require_engine(self.engine)
        require_seed(self.seed)

    @property
    def name(self) -> str:
        return "kernel"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        # Without the engine: toys and prepared models of one serve the other.
        settings = {
            "width": self.width,
            "centers": self.centers,
            "penalty": self.penalty,
            "selection": self.selection,
            "solver": self.solver,
            "seed": self.seed,
        }
        # Toys and prepared models with the reference taken as exact keep the names that they have had.
        exact = self.reference_exact or self.solver != "ml"
        return settings if exact else {**settings, "loss": "finite reference"}

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedKernel:
        """Chooses centres and width, and finds the modes of the reference.

        Raises:
            ValueError: if there are fewer distinct events than centres, or the width is out of all proportion to their
                spread, or the penalty leaves nothing to fit, or KeOps cannot compile its kernels.
        """
        if self.engine == "keops":
            compiled(scaler.dimension)
        events, weights = scaler(reference.events), reference.weights
        width = self.width or heuristic_width(events, weights, self.seed)
        spread = float(np.ptp(events, axis=0).max())
        if not spread / EXTREME < width < spread * EXTREME:
            raise ValueError(
                f"kernels of width {width:g} cannot tell events apart that spread over {spread:g}: give a width between"
                f" {spread / EXTREME:.1g} and {spread * EXTREME:.1g}"
            )
        # Counts and flags have few distinct values: only centres that were asked for may be too many.
        usual = int(np.clip(np.sqrt(_size(reference)), LEAST_CENTERS, MOST_CENTERS))
        count = self.centers or min(usual, len(np.unique(events[weights != 0], axis=0)))
        centers = choose_centers(events, weights, count, self.selection, self.seed)
        return PreparedKernel.of(
            reference,
            scaler,
            centers,
            width,
            self._strength(reference),
            self.solver,
            engine=self.engine,
            reference_exact=self.reference_exact,
        )

    def taking_reference_as_exact(self) -> KernelModel:
        return replace(self, reference_exact=True)

    def with_nuisances(
        self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample
    ) -> PreparedKernelWithNuisances:
        assert isinstance(prepared, PreparedKernel)
        return PreparedKernelWithNuisances.of(prepared, nuisances, reference)

    def without(self, prepared: PreparedModel, feature: int | None, centers: int) -> KernelWithout:
        assert isinstance(prepared, PreparedKernel)
        return KernelWithout(prepared, prepared.strength, centers, feature)

    def save(self, prepared: PreparedModel, path: Path, header: Mapping[str, Any]) -> None:
        assert isinstance(prepared, PreparedKernel)
        write_prepared(path, prepared, header)

    def load(self, path: Path, reference: Sample) -> tuple[Mapping[str, Any], PreparedKernel]:
        header, prepared = read_prepared(path)
        return header, replace(prepared, engine=self.engine, strength=self._strength(reference))

    def _strength(self, reference: Sample) -> float:
        """Lambda."""
        return 2 * self.penalty * _size(reference)


def _size(reference: Sample) -> float:
    """n_R + N(R)."""
    return len(reference) + reference.total_weight
