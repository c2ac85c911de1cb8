"""A campaign: toys of one kind, drawn and fitted in one way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from nplm._util.cores import available_cores
from nplm._util.seed_range import require_seed
from nplm.data.fingerprint import Plan, rounded, summary
from nplm.data.sample import Sample, concatenate, require_same_features
from nplm.likelihood.fits import Fits
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull, asymptotic_document
from nplm.toys.nuisance_sampler import NuisanceSampler
from nplm.toys.pulls import Truth
from nplm.toys.samplers import ExpectationSampler, InjectionSampler, PoolSampler, Sampler, ToyKey, settings_of
from nplm.toys.splitting import SplitReference
from nplm.toys.table import ToyTable
from nplm.toys.toy_key import toy_key

# The number of a toy that no campaign runs; it shows in the plan what a sampler draws.
PROBE = 2**32 - 1
# How many more such toys are drawn: settings that change a number of events a little hardly show in one.
TRIALS = 3


class SamplerError(ValueError):
    """Raised when a sampler gives no toy, or one that does not fit the reference.

    Arguments:
        message: what is wrong.
        toy: number of the toy.
        done: the toys before it that were fitted but not returned; None if there are none.
    """

    def __init__(self, message: str, toy: int = PROBE, done: ToyTable | None = None) -> None:
        super().__init__(message)
        self.toy = toy
        self.done = done


@dataclass(frozen=True, eq=False)
class Campaign:
    """Toys of one kind: the test they go through, where they come from, and the root of their keys.

    Toy i depends on the campaign and i alone: its data are drawn with the key fold_in(key(seed), i). So it can be run
    again alone, in any order, and on any number of workers. A campaign is picklable if its sampler and model are.

    Arguments:
        test: fits the toys.
        sampler: draws their data.
        seed: root of all keys.
        reference_sampler: draws a reference for each toy, which the test is prepared with anew; None to keep the
            test's own for all.
        keep_parameters: keep the fitted parameters of each toy.
    """

    test: LikelihoodRatio
    sampler: Sampler
    seed: int = 1
    reference_sampler: Sampler | None = None
    keep_parameters: bool = False

    def __post_init__(self) -> None:
        require_seed(self.seed)

    def plan(self) -> Plan:
        """What decides about the toys' values; two campaigns with equal plans have equal toys.

        What the samplers draw shows in their settings, and in toys that no campaign runs.

        Raises:
            SamplerError: if a sampler gives no good toy.
        """
        reference = None
        if self.reference_sampler is not None:
            if self.keep_parameters and self.test.prepared.parameters_of_reference:
                raise SamplerError(
                    f"the parameters of a {self.test.model.name} model belong to the centres of its reference, but each"
                    " toy would have a reference of its own: leave out --parameters, or keep one reference for all toys"
                    " (--no-reference-per-toy)"
                )
            trial = self._reference(PROBE)
            self._require_ratio_of(trial)
            reference = {"sampler": settings_of(self.reference_sampler), "trial": summary(trial)}
        toy = self.draw(PROBE)
        # Settings first, then what follows from them: a message names the first differences of two plans.
        return Plan.of(
            {
                "test": test_document(self.test),
                "seed": self.seed,
                "keep_parameters": self.keep_parameters,
                **self._truth_and_measurements(toy),
                "sampler": settings_of(self.sampler),
                "toy": summary(toy),
                "trial_toys": summary(concatenate([self._trial(i) for i in range(TRIALS)])),
                "reference_per_toy": reference,
            }
        )

    def _truth_and_measurements(self, toy: Sample) -> dict[str, Any]:
        """The true nu of toys with nuisances, and the auxiliary measurements of one of them."""
        if toy.auxiliary is None:
            return {}
        found = {"auxiliary": [rounded(value) for value in toy.auxiliary]}
        if not isinstance(self.sampler, NuisanceSampler):
            return found
        values = zip(self.sampler.nuisances.names, self.sampler.nu.tolist(), strict=True)
        return {"nu": {name: rounded(value) for name, value in values}, **found}

    def describe(self) -> dict[str, Any]:
        """Where the toys come from, for people: remarks for the store."""
        reference = None if self.reference_sampler is None else self.reference_sampler.describe()
        return {
            "toys": self.sampler.describe(),
            "reference_per_toy": reference,
            "inflation": self._inflation,
            "formula": asymptotic_document(self._asymptotic()),
            "nuisances": None if self.truth is None else self.truth.document(),
            "not_null": _not_null(self.sampler),
        }

    @cached_property
    def truth(self) -> Truth | None:
        """Where the toys' nuisances truly are; None without, or where only the user's sampler knows."""
        prepared = self.test.prepared.profiled
        if isinstance(self.sampler, NuisanceSampler) and prepared is not None:
            return Truth.of(prepared.profile, self.sampler.nu)
        return None

    def _asymptotic(self) -> AsymptoticNull:
        """The null distribution of t of these toys; with nuisances where they are drawn."""
        prepared, fixed = self.test.prepared.profiled, self.reference_sampler is None
        if isinstance(self.sampler, NuisanceSampler) and prepared is not None:
            return prepared.null_at(self.sampler.nu, normalized=self.test.normalized, fixed_reference=fixed)
        return self.test.asymptotic_null(fixed_reference=fixed)

    def _require_ratio_of(self, reference: Sample) -> None:
        """Makes sure that the nuisances' log-ratios hold for any reference, as exact ones do.

        Raises:
            SamplerError: if they hold for that of the test only.
        """
        if self.test.nuisances is None:
            return
        try:
            self.test.nuisances.require_reference(reference)
        except ValueError as error:
            raise SamplerError(
                "a learned log-ratio holds for the reference that it was learned from, but each toy would have a"
                " reference of its own: leave out --reference-per-toy, or give log-ratios in closed form"
            ) from error

    @property
    def _inflation(self) -> float:
        """By how much a fluctuation that the toys do not share widens t; references of their own do fluctuate."""
        events = self.sampler.events if isinstance(self.sampler, NuisanceSampler) else self.sampler
        if isinstance(events, PoolSampler) and self.reference_sampler is None:
            return events.inflation
        return 1.0

    def _trial(self, number: int) -> Sample:
        drawn = self._drawn(self.sampler, jax.random.fold_in(self._key(PROBE), number), PROBE)
        # Without its auxiliary measurements, which only one part of a sample can have.
        return Sample(drawn.events, drawn.weights, drawn.features, drawn.name)

    def draw(self, index: int) -> Sample:
        """The data of toy `index`.

        Raises:
            SamplerError: naming the toy, if the sampler fails or its sample does not fit the reference.
        """
        toy = self._drawn(self.sampler, self._key(index), index)
        if self.test.shape_only and not toy.total_weight > 0:
            raise SamplerError(f"{_called(index)} has no positive yield, so it has no shape to test", index)
        return toy

    def run(self, indices: Sequence[int]) -> ToyTable:
        """Draws and fits the toys with the given numbers, as one batch.

        Raises:
            SamplerError: see `draw`; it holds the toys of the batch before the one that could not be drawn.
        """
        began = time.perf_counter()
        try:
            toys = [self.draw(i) for i in indices]
            fits = self._fit(toys, indices)
        except SamplerError as error:
            before = list(indices)[: list(indices).index(error.toy)]
            error.done = self.run(before) if before else None
            raise
        return ToyTable(
            index=np.array(indices, dtype=np.int64),
            t=fits.t,
            total_weight=np.array([toy.total_weight for toy in toys]),
            converged=fits.converged,
            starts_agreeing=fits.starts_agreeing,
            failure=fits.failure,
            seconds=np.full(len(toys), (time.perf_counter() - began) / max(1, len(toys))),
            parameters=fits.parameters if self.keep_parameters else None,
            delta=fits.delta,
            nu_delta=fits.nu_delta,
            nu_tau=fits.nu_tau,
        )

    def _fit(self, toys: Sequence[Sample], indices: Sequence[int]) -> Fits:
        if self.reference_sampler is None:
            return self.test.fit(toys)

        def fit_one(toy: Sample, index: int) -> Fits:
            reference = self._reference(index)
            try:
                test = self.test.with_reference(reference, one_of_many=True)
            except ValueError as error:  # such as a bin that this reference leaves empty
                return _failed(f"its reference cannot be used: {error}", self.test)
            return test.fit([toy])

        def kept(fits: Fits) -> Fits:
            # Each reference may have a number of modes of its own, so that parameters do not make one array.
            return fits if self.keep_parameters else replace(fits, parameters=np.empty((1, 0)))

        # Each thread holds a reference of its own.
        with ThreadPoolExecutor(len(available_cores())) as pool:
            return Fits.concatenate([kept(fits) for fits in pool.map(fit_one, toys, indices)])

    def projected_seconds(self, data: Sample, toys: int, more: int = 0) -> float:
        """How long so many toys like some data are projected to take, and more fits to the reference of the test."""
        if self.reference_sampler is None or not toys:
            return self.test.prepared.projected_seconds(data, toys + more)
        began = time.perf_counter()
        prepared = self.test.prepared
        with suppress(ValueError):  # what is wrong with one reference is said of its toy
            prepared = self.test.with_reference(self._reference(PROBE), one_of_many=True).prepared
        # Toys with references of their own are fitted one by one, a core each.
        seconds = time.perf_counter() - began + prepared.projected_seconds(data, 1)
        return seconds * -(-toys // len(available_cores())) + (prepared.projected_seconds(data, more) if more else 0.0)

    def _reference(self, index: int) -> Sample:
        assert self.reference_sampler is not None
        # A branch of keys that no toy's data use: samplers split their keys, and split(key)[i] is fold_in(key, i). A
        # split is that of the toy: its reference are the events that its data are not.
        divided = isinstance(self.reference_sampler, SplitReference)
        key = self._key(index) if divided else jax.random.fold_in(self._key(PROBE), index)
        return self._drawn(self.reference_sampler, key, index, "the reference of ")

    def _key(self, index: int) -> ToyKey:
        return toy_key(self.seed, index)

    def _drawn(self, sampler: Sampler, key: ToyKey, index: int, part: str = "") -> Sample:
        what = part + _called(index)
        try:
            drawn = sampler(key)
        # A sampler is the user's: whatever goes wrong in it, the message must say in which toy.
        except Exception as error:
            reason = f"{str(error) or type(error).__name__} (sampler: {sampler.describe()})"
            raise SamplerError(f"{what} could not be drawn: {reason}", index) from error
        if not isinstance(drawn, Sample):
            raise SamplerError(f"{what}: the sampler must return a Sample, not {type(drawn).__name__}", index)
        try:
            require_same_features(self.test.reference, drawn)
        except ValueError as error:
            raise SamplerError(f"{what} does not fit the reference: {error}", index) from error
        return drawn


def test_document(test: LikelihoodRatio) -> dict[str, Any]:
    """The part of a plan that says which test the toys go through."""
    reference = summary(test.reference)
    return {**test.configuration(), "expected_yield": reference["yield"], "reference": reference}


def _not_null(sampler: Sampler) -> str | None:
    """Why toys of this sampler cannot calibrate a p-value; None if nothing is known against it."""
    if isinstance(sampler, NuisanceSampler):
        return _not_null(sampler.events)
    if isinstance(sampler, InjectionSampler):
        return f"they have a signal of {sampler.signal.describe()}"
    return "they do not fluctuate" if isinstance(sampler, ExpectationSampler) else None


def _called(index: int) -> str:
    return "a toy drawn on trial" if index == PROBE else f"toy {index}"


def _failed(reason: str, test: LikelihoodRatio) -> Fits:
    """The fit of one toy that cannot be fitted."""
    none = np.full(1, np.nan)
    nu = None if test.nuisances is None else np.full((1, test.nuisances.count), np.nan)
    no: np.ndarray = np.zeros(1, dtype=bool)
    return Fits(
        t=none,
        parameters=np.full((1, test.prepared.parameters), np.nan),
        converged=no,
        starts=1,
        starts_agreeing=no.astype(np.int64),
        start_spread=none,
        remaining=none,
        failure=np.array([reason], dtype=object),
        delta=None if nu is None else none,
        nu_delta=nu,
        nu_tau=nu,
    )
