"""The test statistic: reference, model and nuisances make t, f and the null that t tends to; no toys, no p-value."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.forked import require_not_forked
from nplm._util.versions import versions
from nplm.data.coordinates import CoordinateKind, coordinates_of
from nplm.data.fingerprint import Plan
from nplm.data.overflow import Overflow
from nplm.data.periods import Circular, periods_of
from nplm.data.sample import Sample, in_order, require_same_features, require_varying
from nplm.data.support import Support
from nplm.data.without_copies import renamed
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.likelihood.fits import Fits
from nplm.models.base import Model, PreparedError, PreparedModel, fitted_to
from nplm.models.registry import named_model
from nplm.nuisance.nuisances import Nuisances
from nplm.stats.asymptotic import AsymptoticNull, AsymptoticNullError


class FitError(RuntimeError):
    """Raised when the fit of the data gives no test statistic."""


class Fitted(Protocol):
    """A fit, or what was made of it."""

    @property
    def parameter_vector(self) -> Float64[np.ndarray, " p"]:
        """The fitted parameters in the model's own order."""
        ...


class LikelihoodRatio:
    """Twice the maximal log-likelihood ratio of data samples against a reference; prepares once, then fits any number.

    t = -2 min_f L[f], with L of `nplm.likelihood`; with nuisances t = tau - Delta. `NPLMTest` makes p-values of it.

    Arguments:
        reference: what is expected: a Sample, an array of events of shape (n, d), or a table, see `as_sample`.
        model: the family of log-ratios: "network", "kernel", "histogram", "falkon" or a name of `register_model`, or
            a model object with settings of its own.
        expected_yield: N(R), the number of data events that the reference predicts; scales its weights. Default: the
            sum of its weights.
        shape_only: compare shapes, whatever the yields: the reference is scaled to each data sample.
        coordinates: what the model sees in place of the features: "standardized", shifted and scaled by the reference's
            mean and standard deviation; "normal-scores", their ranks in the reference as normal quantiles, whatever
            units, skew and tails; "raw", the features themselves. Results, plots and tables are in the features' own
            units in any case; see `coordinates_of`.
        circular: features that are angles, which become points on a circle: their names, where the period is 2 pi or
            360, or names with periods; see `coordinates_of`.
        nuisances: how the reference may be wrong, and what is known about it; t is tau - Delta then. A
            reference of more than 16 times the data is taken as exact with them, as published.
        overflow: take features of the data beyond the range of the reference to its edge, see `Overflow`.
        prepared: file that `save` has written for the same test of the same reference, which is then not prepared anew.

    Raises:
        ValueError: if the reference cannot serve: empty, without positive yield, or with a constant feature.
        PreparedError: if the file is that of another reference or other settings.
    """

    @usual_errors()
    @blas_threads()
    def __init__(
        self,
        reference: Tabular,
        model: str | Model = "network",
        *,
        expected_yield: float | None = None,
        shape_only: bool = False,
        coordinates: CoordinateKind = "standardized",
        circular: Circular = (),
        nuisances: Nuisances | None = None,
        overflow: bool = False,
        prepared: Path | None = None,
    ) -> None:
        require_not_forked()
        began = time.perf_counter()
        sample = as_sample(reference, name="reference").require_yield()
        require_varying(sample)
        if nuisances is not None:
            nuisances.require_reference(sample)
            if shape_only:
                raise ValueError(
                    "with nuisances yields are compared as well: add a normalization with a wide constraint instead of"
                    " testing the shape only"
                )
        self._given = sample, expected_yield
        self.reference = sample if expected_yield is None else sample.scaled_to(expected_yield)
        self.model = named_model(model) if isinstance(model, str) else model
        self.shape_only = shape_only
        self.coordinate_kind = coordinates
        self.circular = periods_of([sample], circular)
        self.nuisances = nuisances
        self.overflow = Overflow.of(sample, self.circular) if overflow else None
        self.coordinates = coordinates_of(self.coordinate_kind, sample, self.circular)
        exact: PreparedModel
        exact = self._fitted.prepare(self.reference, self.coordinates) if prepared is None else self._load(prepared)
        self.prepared = exact if nuisances is None else self._fitted.with_nuisances(exact, nuisances, self.reference)
        self.asymptotic_null()  # refuses a test that has nothing to compare
        self.prepare_seconds = time.perf_counter() - began

    def save(self, path: Path) -> None:
        """Writes what was prepared into a file, for `prepared=path` of the same test.

        Raises:
            ValueError: if the model is not a kernel model, or the folder does not exist.
            OSError: if the file cannot be written.
        """
        self.model.save(self.prepared.alone, path, self._identity())

    def _load(self, path: Path) -> PreparedModel:
        header, prepared = self.model.load(path, self.reference)
        here, there = (
            Plan.of({name: h.get(name) for name in ("test", "reference")}) for h in (self._identity(), header)
        )
        if here.hash != there.hash:
            raise PreparedError(
                f"{path} was prepared for another test ({'; '.join(here.differences(there)[:4])}): prepare it anew"
            )
        return prepared

    def _identity(self) -> dict[str, Any]:
        """What a prepared model depends on: not the nuisances, which are added to it."""
        return {
            "test": {**self.configuration(), "model": self._model_document(), "nuisances": None},
            "reference": self.reference.fingerprint(),
            "versions": versions(),
        }

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "expected_yield": self._given[1],
            "shape_only": self.shape_only,
            "coordinates": self.coordinate_kind,
            "circular": self.circular,
            "nuisances": self.nuisances,
            "overflow": self.overflow is not None,
        }

    def with_reference(self, reference: Sample, *, one_of_many: bool = False) -> Self:
        """The same test of another reference; it is prepared anew.

        Arguments:
            reference: the other reference.
            one_of_many: such as one drawn for a single toy, so that what is compiled should serve the others too.
        """
        test = type(self)(reference, self.model, **self._settings)
        if one_of_many:
            test.prepared = test.prepared.sharing_compilations()
        return test

    def with_model(self, model: Model) -> Self:
        """The same test by another model, which is prepared anew."""
        return type(self)(self._given[0], model, **self._settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """A test goes to other processes as what it was made from, and prepares itself there."""
        return partial(type(self), self._given[0], self.model, **self._settings), ()

    @cached_property
    def support(self) -> Support:
        """Where the reference has events."""
        return Support.of(renamed(self.reference, "the reference"))

    @property
    def _fitted(self) -> Model:
        """The model as it is fitted to this reference, see `fitted_to`."""
        return fitted_to(self.model, self.reference, with_nuisances=self.nuisances is not None)

    @property
    def reference_exact(self) -> bool:
        """Whether the likelihood takes the reference as exact, or as a finite sample."""
        return self._fitted.reference_exact

    def _model_document(self) -> dict[str, Any]:
        return {"name": self.model.name, **self._fitted.configuration(self.coordinates.dimension)}

    def configuration(self) -> dict[str, Any]:
        """The settings of model and test, as JSON values."""
        # Where the model itself would not take the reference as exact, it is said that it does.
        loss = {} if self._fitted == self.model else {"loss": "exact reference"}
        return {
            "model": {**self._model_document(), **loss},
            "expected_yield": self.reference.total_weight,
            "shape_only": self.shape_only,
            "standardize": self.coordinate_kind != "raw",
            "nuisances": None if self.nuisances is None else self.nuisances.document(self.reference),
            # Stored toys of tests without these go on.
            **({} if self.overflow is None else {"overflow": True}),
            **({"coordinates": self.coordinate_kind} if self.coordinate_kind == "normal-scores" else {}),
            **({"circular": self.circular} if self.circular else {}),
        }

    @property
    def degrees_of_freedom(self) -> float:
        """Mean of t by the asymptotic null: of a chi2 its degrees of freedom, of others effective ones."""
        return self.asymptotic_null().mean

    @property
    def normalized(self) -> bool:
        """Whether the reference was scaled to an expected yield that is known from elsewhere."""
        return self._given[1] is not None

    @property
    def holds_reference(self) -> bool:
        """Whether null toys have the reference of this test, however small it is, unless they are asked for others.

        So it is where the likelihood takes the reference as exact, and with nuisances, whose log-ratios belong to the
        reference.
        """
        return self.reference_exact or self.nuisances is not None

    @usual_errors()
    def asymptotic_null(self, data: Tabular | None = None, *, fixed_reference: bool = False) -> AsymptoticNull:
        """The null distribution of t without toys.

        A chi2 with as many degrees of freedom as parameters (less one in a shape-only test) for a network that is
        regularized well, and for bins; a weighted sum of chi2 variables for a kernel model.

        Arguments:
            data: for whose weights it holds; None for unit weights.
            fixed_reference: for toys that are drawn from the reference itself, which does not fluctuate then.
        """
        sample = None if data is None else sample_like(self.reference, data, "data")
        settings = {"shape_only": self.shape_only, "normalized": self.normalized, "fixed_reference": fixed_reference}
        try:
            return self.prepared.null(sample, **settings)
        except ValueError as error:
            samples = self.reference.name if sample is None else f"{self.reference.name} and {sample.name}"
            raise AsymptoticNullError(
                f"the null distribution of t cannot be computed for {samples}: {error}; check weights, yields and the"
                " settings of the model"
            ) from error

    @usual_errors()
    @blas_threads()
    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits a batch of samples that are known to be good, such as toys; see `Fits`."""
        require_not_forked()
        data = [self.within(d) for d in data]
        if not self.shape_only:
            return self.prepared.fit(data).without_runaways()
        # L with the reference scaled by c is c times L with the data scaled by 1/c, so no new preparation is needed.
        expected = self.reference.total_weight
        scale = np.array([d.total_weight / expected for d in data])
        fits = self.prepared.fit([d.scaled_to(expected) for d in data]).without_runaways()
        return replace(fits, t=fits.t * scale, start_spread=fits.start_spread * scale, remaining=fits.remaining * scale)

    def statistic(self, data: Tabular) -> float:
        """The test statistic t of one data sample.

        Raises:
            ValueError: if the data's features differ from the reference's, or its events have no positive yield; or if
                there are none in a shape-only test.
        """
        return float(self.fit([self.checked(data)]).t[0])

    def log_ratio(self, fitted: Fitted, events: Tabular) -> Float64[np.ndarray, " n"]:
        """f(x) of a fit, such as that of a result, at any events, in the units of the reference; shape (n,).

        Raises:
            ValueError: if the events do not have the reference's features.
        """
        names = None if isinstance(events, Sample) else self.reference.features
        sample = in_order(as_sample(events, features=names, name="events"), self.reference.features)
        require_same_features(self.reference, sample)
        return self.prepared.log_ratio(fitted.parameter_vector, self.within(sample).events)

    def checked(self, data: Tabular) -> Sample:
        """The sample as the test sees it: with the reference's features, and within its range if that was asked for.

        Raises:
            ValueError: if the data's features differ from the reference's, or its events have no positive yield; or if
                there are none in a shape-only test.
        """
        sample = sample_like(self.reference, data, "data")
        if len(sample) or self.shape_only:  # that none were seen where some are expected is data
            sample.require_yield()
        require_same_features(self.reference, sample)
        return self.within(sample)

    def within(self, sample: Sample) -> Sample:
        """The events taken to the range of the reference, if that was asked for."""
        return sample if self.overflow is None else self.overflow(sample)

    def expected_yield(self, data: Sample) -> float:
        """The yield that data are compared with: that of the reference, or their own in a shape-only test."""
        return data.total_weight if self.shape_only else self.reference.total_weight
