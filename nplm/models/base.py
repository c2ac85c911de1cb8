"""The contract between the test and its models: prepare once, fit many; and what a model says it can."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from jaxtyping import Float64

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits as Fits  # part of the contract
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.chi2 import Chi2Null

if TYPE_CHECKING:
    from nplm.models.clipped import TunableModel
    from nplm.models.linear import PreparedLinear

# How t of the shape is told apart from the yield's: by a fit of the data scaled to N(R); by taking off the t of the
# yield, which is a term of its own where f has a free constant; or it is not known.
ShapeBy = Literal["refit", "subtraction", "unknown"]

# N(R) over effective reference events up to which the reference is taken as exact. With nuisances its fluctuation
# widens t by 6% at most then, and a nominal 5% test fires in 7% where its null does not know that; without them t
# differs by 0.1%.
LARGEST_FOR_EXACT, LARGEST_WITHOUT_NUISANCES = 0.06, 1e-3


class PreparedError(ValueError):
    """Raised when a file holds no prepared model, or that of another test."""


class Model(Protocol):
    """A family of log-ratios f(x; w), and how to fit it. What `ModelDefaults` has need not be written."""

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

    @property
    def reference_exact(self) -> bool:
        """Whether the likelihood takes the reference as exact, or as a finite sample."""
        ...

    def taking_reference_as_exact(self) -> Model:
        """The same with a reference that is taken as exact; itself if it knows nothing else."""
        ...

    @property
    def depends_on_scale(self) -> bool:
        """Whether it sees events in units of their spread, so that a few far ones hide what is among the others."""
        ...

    @property
    def null_is_tuned(self) -> bool:
        """Whether t follows the asymptotic null only if the regularization is tuned for it, as a network's clip is."""
        ...

    def tunable(self) -> TunableModel:
        """The same as a model whose clip can be tuned.

        Raises:
            ValueError: if it has none, or none that can be tuned.
        """
        ...

    def with_nuisances(self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample) -> PreparedWithNuisances:
        """What it has prepared for the same reference, which may be wrong by what the nuisances allow.

        Raises:
            ValueError: if the model cannot be fitted together with nuisances.
        """
        ...

    def without(self, prepared: PreparedModel, feature: int | None, centers: int) -> Model:
        """The model on the first so many centres of what it has prepared, which does not see one feature, or sees all.

        Raises:
            ValueError: if features cannot be left out so.
        """
        ...

    def save(self, prepared: PreparedModel, path: Path, header: Mapping[str, Any]) -> None:
        """Writes what was prepared, without nuisances, into a file, with JSON values that say which test it belongs to.

        Raises:
            ValueError: if the model cannot be saved, or the folder does not exist.
            OSError: if the file cannot be written.
        """
        ...

    def load(self, path: Path, reference: Sample) -> tuple[Mapping[str, Any], PreparedModel]:
        """The header and the prepared model that `save` has written for this reference.

        Raises:
            PreparedError: if the file is something else, was changed, or cannot be read, or the model is never saved.
        """
        ...


class PreparedModel(Protocol):
    """A model together with everything that depends on the reference and not on the data.

    What `PreparedDefaults` has need not be written.
    """

    @property
    def parameters(self) -> int:
        """Number of parameters P that a fit ends with."""
        ...

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Maximizes the likelihood ratio for each of a batch of data samples."""
        ...

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> AsymptoticNull:
        """The distribution that t tends to under the null for many events.

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

    @property
    def batch_size(self) -> int:
        """How many samples are best fitted in one call: as many as the cores, or the memory, can take."""
        ...

    def projected_seconds(self, data: Sample, fits: int) -> float:
        """How long fits of samples like `data` are projected to take."""
        ...

    @property
    def label(self) -> str:
        """What tells it apart from others of the same model, such as its width; else empty."""
        ...

    @property
    def shape_by(self) -> ShapeBy:
        """How t of the shape is told apart from that of the yield."""
        ...

    @property
    def parameters_of_reference(self) -> bool:
        """Whether the parameters have no meaning for another reference, as the coefficients of its centres have not."""
        ...

    @property
    def alone(self) -> PreparedModel:
        """The same without nuisances."""
        ...

    def sharing_compilations(self) -> PreparedModel:
        """The same, of arrays whose sizes it shares with models of most other references like its own."""
        ...

    @property
    def profiled(self) -> PreparedWithNuisances | None:
        """The same with its nuisances; None without."""
        ...

    @property
    def linear(self) -> PreparedLinear | None:
        """The same as a model that is linear in its parameters; None if it is not, or has nuisances."""
        ...


class PreparedWithNuisances(PreparedModel, Protocol):
    """A model together with its reference and what may be wrong with that: t = tau - Delta.

    What `WithNuisancesDefaults` has need not be written.
    """

    @property
    def profile(self) -> PreparedNuisances:
        """The nuisances with the reference, which give Delta."""
        ...

    @property
    def quick(self) -> bool:
        """Whether a fit takes so little time that one more for each nuisance is done unasked."""
        ...

    def fit(self, data: Sequence[Sample], held: Collection[str] = ()) -> Fits:
        """Fits each sample, with the nuisances of `held` at 0."""
        ...

    def null_at(
        self,
        nu: Float64[np.ndarray, " k"],
        auxiliary: Float64[np.ndarray, " a"] | None = None,
        data: Sample | None = None,
        *,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> AsymptoticNull:
        """The distribution of t under the null if the expectation is that of nu.

        Arguments:
            nu: where it is.
            auxiliary: measurements; None for those that the test was given.
            data, normalized, fixed_reference: see `PreparedModel.null`.
        """
        ...


class ModelDefaults:
    """What a model is that says nothing else: its reference is exact, and it is neither tuned nor saved."""

    @property
    def reference_exact(self) -> bool:
        return True

    def taking_reference_as_exact(self: Model) -> Model:
        return self

    @property
    def depends_on_scale(self) -> bool:
        return True

    @property
    def null_is_tuned(self) -> bool:
        return False

    def tunable(self: Model) -> TunableModel:
        raise ValueError(f"only the clip of a network can be tuned, not a {self.name} model")

    def with_nuisances(self, prepared: PreparedModel, nuisances: Nuisances, reference: Sample) -> PreparedWithNuisances:
        raise ValueError("nuisances go with the models network, kernel and histogram")

    def without(self: Model, prepared: PreparedModel, feature: int | None, centers: int) -> Model:
        raise ValueError(f"features are left out of kernels, not of a {self.name} model")

    def save(self: Model, prepared: PreparedModel, path: Path, header: Mapping[str, Any]) -> None:
        raise ValueError(f"only a prepared kernel model is saved, not that of a {self.name} model")

    def load(self: Model, path: Path, reference: Sample) -> tuple[Mapping[str, Any], PreparedModel]:
        raise PreparedError(f"only a kernel model is read from {path}, not a {self.name} model")


class PreparedDefaults:
    """What a prepared model is that says nothing else: it knows no nuisances, and nothing of the shape alone."""

    def named_parameters(self, parameters: Float64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        return {"parameters": parameters}

    @property
    def batch_size(self) -> int:
        return 64

    def projected_seconds(self: PreparedModel, data: Sample, fits: int) -> float:
        return seconds_of_batches(self.fit, data, fits)

    @property
    def label(self) -> str:
        return ""

    @property
    def shape_by(self) -> ShapeBy:
        return "unknown"

    @property
    def parameters_of_reference(self) -> bool:
        return False

    @property
    def alone(self: PreparedModel) -> PreparedModel:
        return self

    def sharing_compilations(self: PreparedModel) -> PreparedModel:
        return self

    @property
    def profiled(self) -> PreparedWithNuisances | None:
        return None

    @property
    def linear(self) -> PreparedLinear | None:
        return None


class WithNuisancesDefaults(PreparedDefaults):
    """What a model with nuisances is that says nothing else: its fits are quick, and its null does not move with nu."""

    @property
    def profiled(self: PreparedWithNuisances) -> PreparedWithNuisances:
        return self

    @property
    def quick(self) -> bool:
        return True

    def null_at(
        self: PreparedWithNuisances,
        nu: Float64[np.ndarray, " k"],
        auxiliary: Float64[np.ndarray, " a"] | None = None,
        data: Sample | None = None,
        *,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> AsymptoticNull:
        return self.null(data, normalized=normalized, fixed_reference=fixed_reference)


def fitted_to(model: Model, reference: Sample, *, with_nuisances: bool) -> Model:
    """The model, which takes a large reference as exact: the limit in which both likelihoods are one.

    With nuisances that is one of more than 16 times the data, as published methods do, and without 1000 times. A
    smaller one is a finite sample, unless the model says otherwise.
    """
    most = LARGEST_FOR_EXACT if with_nuisances else LARGEST_WITHOUT_NUISANCES
    large = reference.total_weight <= most * reference.effective_size
    return model.taking_reference_as_exact() if large else model


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
