"""Two samples as one: the pooled events, their masses, and which sample each came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm.data.sample import Sample, require_same_features, require_varying
from nplm.data.scaler import Scaler
from nplm.two_sample.pooled_events import PooledEvents
from nplm.two_sample.weights import Exchangeability, exchangeability, mass_units


@dataclass(frozen=True, eq=False)
class Pool:
    """The events of samples A and B together, in an order that does not depend on which sample is called A.

    The mass of an event is m = w sum(w) / sum(w^2), with the sums over its sample: one for equal weights, and in
    general such that the masses of a sample add up to Kish's effective number of events, N_A or N_B. So a sum of masses
    fluctuates as much as a number of events does.

    Arguments:
        rows: the events, standardized with the mean and standard deviation of the pool.
        masses: shape (n,).
        in_b: which events are those of B, shape (n,).
        order: row of each in A followed by B, shape (n,).
        exchange: whether labels may be permuted.
        expected_share: share of the masses that B is expected to have, if yields are compared; else None.
        scaler: of the standardization.
    """

    rows: PooledEvents
    masses: Float64[np.ndarray, " n"]
    in_b: Bool[np.ndarray, " n"]
    order: Int64[np.ndarray, " n"]
    exchange: Exchangeability
    expected_share: float | None
    scaler: Scaler

    @classmethod
    def of(cls, a: Sample, b: Sample, *, expected_ratio: float | None = None) -> Pool:
        """The pool of two samples.

        Arguments:
            a, b: the samples.
            expected_ratio: yield of B / yield of A that is expected; None compares shapes only.

        Raises:
            ValueError: naming the sample or feature, if the samples have different features, one has no events or no
                positive yield, a feature is constant, or the ratio is not a positive number.
        """
        require_same_features(a, b)
        for sample in (a, b):
            sample.require_yield()
        if expected_ratio is not None and not (np.isfinite(expected_ratio) and expected_ratio > 0):
            raise ValueError(f"the expected ratio of the yields must be a positive number, not {expected_ratio:g}")
        exchange = exchangeability(a, b)
        unit_a, unit_b = mass_units(a, b, exchange)
        masses = np.concatenate([unit_a * a.weights, unit_b * b.weights])
        # The order of events and that of the samples must not matter, but centres are drawn by row, and sums rounded.
        order = _lexical_order(a, b, masses)
        in_b = order >= len(a)
        # A feature at a time: of large samples there is hardly memory for one more copy, and none for two.
        events = np.empty((len(order), a.dimension))
        for j in range(a.dimension):
            events[:, j] = _both(a, b, j)[order]
        together = Sample.owning(events, masses[order], a.features, f"{a.name} with {b.name}")
        require_varying(together)
        scaler = Scaler.fit(together)
        share = None
        if expected_ratio is not None:
            share = expected_ratio * unit_b / (unit_a + expected_ratio * unit_b)
            if not 0 < share < 1:
                raise ValueError(
                    f"the yields of {a.name} and {b.name}, {a.total_weight:.3g} and {b.total_weight:.3g}, are too far"
                    " apart to be compared: check weights and expected yield, or compare shapes only"
                )
        return cls(PooledEvents(a, b, order, scaler), together.weights, in_b, order, exchange, share, scaler)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def events(self) -> Float64[np.ndarray, "n d"]:
        """The events as an array, shape (n, d), which is made anew each time."""
        return self.rows.array()

    @cached_property
    def total(self) -> float:
        """N = N_A + N_B."""
        return float(self.masses.sum())

    @cached_property
    def total_b(self) -> float:
        """N_B."""
        return float(self.masses[self.in_b].sum())

    @property
    def share(self) -> float:
        """pi_B = N_B / N."""
        return self.total_b / self.total

    @property
    def unit(self) -> float:
        """N pi_A pi_B = N_A N_B / N: how many events a test of two samples is worth."""
        return self.total * self.share * (1 - self.share)

    @property
    def smaller_is_b(self) -> bool:
        """Whether B has fewer events; of samples of equal size, whether the first event in this order is one of B."""
        n_b = int(self.in_b.sum())
        return bool(self.in_b[0]) if 2 * n_b == len(self) else 2 * n_b < len(self)

    def to_samples(self, values: Float64[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
        """Values of the pooled events as those of A and of B, in the order of their events."""
        unsorted = np.empty(len(self))
        unsorted[self.order] = values
        first = len(self) - int(self.in_b.sum())
        return unsorted[:first], unsorted[first:]


def _both(a: Sample, b: Sample, feature: int) -> Float64[np.ndarray, " n"]:
    """A feature of A followed by B."""
    return np.concatenate([a.events[:, feature], b.events[:, feature]])


def _lexical_order(a: Sample, b: Sample, masses: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Rows by their first feature; those that have it in common by the others, and then by their mass."""
    first = _both(a, b, 0)
    order = np.argsort(first, kind="stable")
    first = first[order]
    same = np.concatenate([[False], first[1:] == first[:-1], [False]])
    tied = same[1:] | same[:-1]
    rows = order[tied]
    others = [_both(a, b, j)[rows] for j in range(a.dimension)] if len(rows) else []
    order[tied] = rows[np.lexsort((masses[rows], *others[::-1]))]
    return order
