"""Null toys for a small reference: events of data and reference, which are alike under the null, divided anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.fingerprint import rounded, summary
from nplm.data.sample import Sample
from nplm.toys.samplers import ToyKey, generator

# Which numbers of events fluctuate from toy to toy.
Sizes = Literal["fixed", "data", "both"]


def equal_weights(sample: Sample) -> bool:
    """Whether all events of a sample have one positive weight, so that nothing but their place tells them apart."""
    return len(sample) > 0 and bool(sample.weights[0] > 0 and (sample.weights == sample.weights[0]).all())


@dataclass(frozen=True, eq=False)
class Split:
    """The pooled events of data and reference, divided at random into data and reference of a toy.

    Under the null both samples are independent draws from one density. Given the pooled events, every way to choose
    those of the data is equally likely then; so toys and real samples follow one distribution, with the fluctuation of
    the reference in it, whatever the density is (Fisher's permutation test). What is left is how many events each has:

    - "fixed", for a test of shapes: as many as the real samples.
    - "data", where the expected yield N is known: n_D is Poisson with mean N / v, n_R that of the real reference. A toy
      may need a few more events than there are; these are drawn from the pooled ones once more.
    - "both", where N(R) is the sum of the reference's weights: n_R and n_D are Poisson with means in the ratio v : w,
      so that each of the n pooled events is one of the data with probability w / (w + v).

    Arguments:
        data: events of weight v each.
        reference: events of weight w each.
        sizes: which numbers of events fluctuate.
        expected_yield: N, the mean of the data's summed weights, for "data".

    Raises:
        ValueError: if the events of a sample differ in weight.
    """

    data: Sample
    reference: Sample
    sizes: Sizes
    expected_yield: float

    def __post_init__(self) -> None:
        for sample in (self.data, self.reference):
            if not equal_weights(sample):
                raise ValueError(f"events of {sample.name} have different weights, so they cannot be divided anew")

    def rows(self, key: ToyKey) -> tuple[Int64[np.ndarray, " n_data"], Int64[np.ndarray, " n_reference"]]:
        """Which of the pooled events, data first, are the data and the reference of a toy."""
        rng = generator(key)
        n, n_data, n_reference = self.events, len(self.data), len(self.reference)
        v, w = self.data.weights[0], self.reference.weights[0]
        if self.sizes == "both":
            n_data = int(rng.binomial(n, w / (w + v)))
            n_reference = n - n_data
        elif self.sizes == "data":
            n_data = int(rng.poisson(self.expected_yield / v))
        more = rng.integers(n, size=max(0, n_data + n_reference - n))
        order = rng.permutation(np.concatenate([np.arange(n), more]))
        return order[:n_data], order[n_data : n_data + n_reference]

    @property
    def events(self) -> int:
        """How many events there are."""
        return len(self.data) + len(self.reference)

    def select(self, rows: Int64[np.ndarray, " m"], like: Sample, name: str) -> Sample:
        """Pooled events with the weight that those of one sample have."""
        return Sample(self._pooled[rows], np.full(len(rows), like.weights[0]), like.features, name)

    @cached_property
    def _pooled(self) -> Float64[np.ndarray, "n d"]:
        return np.concatenate([self.data.events, self.reference.events])

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return {
            "data": summary(self.data),
            "reference": summary(self.reference),
            "sizes": self.sizes,
            "expected_yield": rounded(self.expected_yield),
        }


@dataclass(frozen=True, eq=False)
class SplitData:
    """The data of the toys of a `Split`."""

    split: Split

    def __call__(self, key: ToyKey) -> Sample:
        return self.split.select(self.split.rows(key)[0], self.split.data, "toy")

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return {"split": self.split.settings()}

    def describe(self) -> str:
        split = self.split
        number = f"exactly {len(split.data)}" if split.sizes == "fixed" else "a fluctuating number"
        return f"{number} of the {split.events} events of {split.data.name} and {split.reference.name} together"


@dataclass(frozen=True, eq=False)
class SplitReference:
    """The references of the toys of a `Split`: for the same key, events that are not among the toy's data."""

    split: Split

    def __call__(self, key: ToyKey) -> Sample:
        return self.split.select(self.split.rows(key)[1], self.split.reference, self.split.reference.name)

    def settings(self) -> str:
        """What decides about the references beside what decides about the toys."""
        return "of the same split"

    def describe(self) -> str:
        return "the others" if self.split.sizes == "both" else f"{len(self.split.reference)} of the others"
