"""Falkon itself as a model, for those who have it: LogisticFalkon with the settings that NPLM is usually run with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.models.base import ModelDefaults
from nplm.models.falkon.fit import PreparedFalkon, one_weight
from nplm.models.kernel.centers import Selection
from nplm.models.kernel.model import KernelModel

_REMEDY = (
    "It is not on the package index, and goes with one version of PyTorch: pip install torch, and then pip install"
    " --no-build-isolation git+https://github.com/FalkonML/falkon.git, which compiles for about ten minutes; its README"
    " there lists wheels for some versions. Without it, KernelModel(solver='falkon-step') computes the same step"
    " (--model kernel --solver falkon-step)"
)


@dataclass(frozen=True)
class FalkonModel(ModelDefaults):
    """LogisticFalkon of the library falkon, one Newton step on the weighted cross-entropy in float64.

    It minimizes (1/n) [sum_D log(1 + e^-f) + w sum_R log(1 + e^f)] + (lambda'/2) ||f||^2 over f = sum_j a_j k(x, c_j)
    from f = 0 by one step (arXiv:2204.02317, section 3): penalty_list=[lambda'], iter_list=[1e6], conjugate gradients
    to sqrt(1e-7), no KeOps. t is that of the likelihood, -2 [sum_R w (e^f - 1) - sum_D f].

    The penalty is Lambda = 2 lambda (n_R + N(R)), the same for all data, as in the kernel model. LogisticFalkon counts
    n = n_R + n_D, so lambda' = lambda (n_R + N(R)) / n, which is lambda for as many data as are expected.

    It has one weight for all events of the reference, and one for all of the data. It is here to be compared with: the
    kernel model's solver "falkon-step" takes the same step in a fraction of the time, and any weights.

    Arguments:
        width, centers, penalty, selection, seed: see `KernelModel`, which chooses the same centres for the same seed.

    Raises:
        ValueError: if a setting is out of its range, or the library is not installed.
    """

    width: float | None = None
    centers: int | None = None
    penalty: float = 1e-6
    selection: Selection = "uniform"
    seed: int = 1

    def __post_init__(self) -> None:
        self._kernel()
        for library in ("torch", "falkon"):
            if find_spec(library) is None:
                raise ValueError(f"the model falkon needs {library}, which is not installed. {_REMEDY}")

    @property
    def name(self) -> str:
        return "falkon"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        own = self._kernel().configuration(dimension)
        settings = {name: own[name] for name in ("width", "centers", "penalty", "selection", "seed")}
        return {**settings, "libraries": {name: metadata.version(name) for name in ("falkon", "torch")}}

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedFalkon:
        """Chooses centres and width, finds the modes that make the null, and loads the library.

        Raises:
            ValueError: if the reference's events have different weights, there are fewer distinct events than centres,
                or the library cannot be loaded.
        """
        weight = one_weight(reference)
        try:
            import falkon  # noqa: F401
        except (ImportError, OSError) as error:
            raise ValueError(f"the library falkon is installed, but cannot be loaded: {error}. {_REMEDY}") from error
        kernel = self._kernel().prepare(reference, scaler)
        penalty = self.penalty * (len(reference) + reference.total_weight)
        return PreparedFalkon(kernel, scaler(reference.events), weight, penalty)

    def _kernel(self) -> KernelModel:
        """Our own model of the same step."""
        return KernelModel(self.width, self.centers, self.penalty, self.selection, "falkon-step", self.seed)
