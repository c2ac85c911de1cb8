"""Null toys that were run before, for the calibration of any number of data samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nplm.data.fingerprint import Plan, summary
from nplm.data.sample import Sample
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull, read_asymptotic_null
from nplm.toys.campaign import Campaign, test_document
from nplm.toys.pulls import Truth, truth_of
from nplm.toys.samplers import settings_of
from nplm.toys.store import Store, StoreError
from nplm.toys.table import ToyTable

# A plan keeps ten digits of a weight.
_SAME_WEIGHT = 1e-9


@dataclass(frozen=True, eq=False)
class NullToys:
    """Toys under the null, and what a result must say of them.

    Arguments:
        table: the toys.
        source: what they were drawn from, in words.
        inflation: 1 + N(R)/n_eff of the sample they were drawn from, by which its own fluctuation widens t.
        seed: root of their keys.
        asymptotic: the null that they should follow; None for `test.asymptotic_null(data, fixed_reference=not
            resampled)`.
        truth: with nuisances, where they were drawn; None where they are drawn at the nu that fits the data.
        resampled: whether each has a reference of its own, so that its fluctuation is in their t.
        drawn: settings of what drew their data, which tell the weights of these.
    """

    table: ToyTable
    source: str
    inflation: float
    seed: int
    asymptotic: AsymptoticNull | None = None
    truth: Truth | None = None
    resampled: bool = False
    drawn: Any = None

    @classmethod
    def running(cls, campaign: Campaign, *tables: ToyTable) -> NullToys:
        """The toys of a campaign that have been run so far."""
        about = campaign.describe()
        table, resampled = ToyTable.concatenate(tables), campaign.reference_sampler is not None
        drawn = settings_of(campaign.sampler)
        return cls(table, _source(about), about["inflation"], campaign.seed, resampled=resampled, drawn=drawn)

    @classmethod
    def of(cls, store: Store, test: LikelihoodRatio, n_data: int) -> NullToys:
        """The toys of a store, once they are known to be null toys of this test.

        Arguments:
            store: holds the toys.
            test: that the data go through.
            n_data: number of data events; in a shape-only test the toys must have as many.

        Raises:
            StoreError: if the toys went through another test, have a signal, or there are none.
        """
        document = store.plan.document
        here, there = Plan.of(test_document(test)), Plan(document["test"])
        if here.hash != there.hash:
            different = "; ".join(here.differences(there)[:4])
            raise StoreError(f"the toys in {store.path} went through another test ({different})")
        if reason := why_not_null(store):
            raise StoreError(f"the toys in {store.path} are no null toys ({reason}): give null toys")
        if test.shape_only and document["toy"]["events"] != n_data:
            raise StoreError(
                f"the toys in {store.path} have {document['toy']['events']} events, and a shape-only test of {n_data}"
                " data events needs toys of as many"
            )
        table = store.read()
        if not len(table):
            raise StoreError(f"{store.path} holds no toys yet: run them with nplm toys run")
        source = _source({"toys": store.path, **store.about})
        inflation = float(store.about.get("inflation", 1.0))
        known = store.about.get("formula")
        asymptotic = None if known is None else read_asymptotic_null(known)
        resampled = document.get("reference_per_toy") is not None
        seed, drawn = int(document["seed"]), document["sampler"]
        return cls(table, source, inflation, seed, asymptotic, truth_of(store), resampled, drawn)

    def like(self, data: Sample) -> NullToys:
        """The toys as those of some data, once it is known that their events have weights like those of the data.

        Raises:
            ValueError: if they have not.
        """
        weights = _weights_of(self.drawn)
        if data.is_weighted:
            if not _same_weights(weights, data):
                raise ValueError(
                    f"{data.name} is weighted, and the toys are not of events with these weights: run toys with the"
                    " data (nplm test without --null), or take those that a test of the same data has kept"
                )
            # What a store says is the null for data of unit weights.
            return replace(self, asymptotic=None)
        if weights is not None:
            raise ValueError(
                f"{data.name} is not weighted, and the toys are of weighted events: run toys with the data (nplm test"
                " without --null), or with nplm toys run"
            )
        return self


def why_not_null(store: Store) -> str | None:
    """Why toys in a store cannot calibrate a p-value, by its remarks and its plan; None if nothing is against it."""
    if signal := store.about.get("signal"):
        return f"they have the signal {signal}"
    if reason := store.about.get("not_null"):
        return str(reason)
    return "they have a signal" if _has_signal(store.plan.document["sampler"]) else None


def _weights_of(settings: Any) -> Any:
    """The weights of toys' data as their sampler declares them, one for all or a summary of several; None if they are
    one each, or it says nothing."""
    if not isinstance(settings, Mapping):
        return None
    if "split" in settings:
        data = settings["split"]["data"]
        return None if data["yield"] == data["events"] else data["yield"] / data["events"]
    weights = settings.get("data_weights")
    if weights is None:
        return _weights_of(settings.get("events"))
    return weights["mean"][0] if weights["deviation"][0] == 0 else weights


def _same_weights(weights: Any, data: Sample) -> bool:
    """Whether data have the weights that toys have, to the digits of a plan."""
    if isinstance(weights, int | float):
        return bool((np.abs(data.weights - weights) <= _SAME_WEIGHT * abs(weights)).all())
    return weights is not None and Plan.of(weights).hash == Plan.of(summary(Sample(data.weights))).hash


def _has_signal(settings: Any) -> bool:
    """Whether a signal is among the settings of a sampler, or of what it draws with."""
    if not isinstance(settings, Mapping):
        return False
    return bool(settings.get("signal")) or any(_has_signal(value) for value in settings.values())


def _source(about: Mapping[str, Any]) -> str:
    """What toys, and references of their own, are drawn from, in words."""
    reference = about.get("reference_per_toy")
    return str(about["toys"]) if reference is None else f"{about['toys']}, each compared with {reference}"
