"""What the family looks at: which classes of tests, and at which scales and penalties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE, TWO, PRODUCTS, ALL, RAW = "one", "two", "products", "all", "raw"
MOMENTS, INTERVALS = "moments", "intervals"
CLASSES = (ONE, TWO, PRODUCTS, ALL, RAW, MOMENTS, INTERVALS)
# How many events a subset has: not among those that are chosen, as it comes with the subset.
COUNT = "count"
# How many events there are, where a fitted model says how many are expected (`nplm.measure`).
YIELD = "yield"
# Kernels of all features in which rare events count more: nor among these, as they come with what says what is rare.
RARITY = "rarity"
# Those of features as they are, and not of their ranks.
AS_THEY_ARE = (RAW, MOMENTS)


@dataclass(frozen=True)
class FamilySettings:
    """The members of the family.

    Arguments:
        classes: which of "one" (kernels of each feature), "two" (kernels of pairs), "products" (of one to three normal
            scores), "all" (kernels of all features), "raw" (the same of the standardized features themselves,
            where none is an angle), "moments" (mean and spread of each of these) and "intervals" (of each feature, at
            whose ends all that is beyond a value too).
        one_scales, one_penalties: of kernels of one feature, in normal scores.
        two_scales, two_penalties: of kernels of two features.
        all_penalties: of kernels of all features, whose widths are quantiles of the distances between events.
        most_pairs: kernels look at all pairs if there are no more than that, else at the pairs of largest rank
            correlation in both samples together, which does not depend on which event is from which.
        most_for_triples: products of three features are looked at up to so many features.
        interval_cells, hump_cells: lengths of intervals whose events all count the same, and of those in whose middle
            they count most, in cells of a sixteenth of a normal score.
        end_masses: events of both samples that ends hold, at least.

    Raises:
        ValueError: if there is no class, or one that is unknown.
    """

    classes: tuple[str, ...] = CLASSES
    one_scales: tuple[float, ...] = (0.2, 0.6, 2.0)
    one_penalties: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    two_scales: tuple[float, ...] = (0.5, 1.5)
    two_penalties: tuple[float, ...] = (1e-2, 1e-3)
    all_penalties: tuple[float, ...] = (1e-2, 1e-3, 1e-4)
    most_pairs: int = 15
    most_for_triples: int = 12
    interval_cells: tuple[int, ...] = (2, 3, 4, 6, 8, 12)
    hump_cells: tuple[int, ...] = (4, 6, 8, 12, 16)
    end_masses: tuple[float, ...] = (8.0, 16.0, 32.0, 64.0, 128.0)

    def __post_init__(self) -> None:
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown:
            raise ValueError(f"the family has no '{unknown[0]}': choose from {', '.join(CLASSES)}")
        if not self.classes:
            raise ValueError(f"the family needs a class of tests: choose from {', '.join(CLASSES)}")

    def pairs(self, correlation: np.ndarray) -> list[tuple[int, int]]:
        """The pairs of features that kernels look at, given the rank correlation of all of them."""
        d = len(correlation)
        every = [(i, j) for i in range(d) for j in range(i + 1, d)]
        if len(every) <= self.most_pairs:
            return every
        return sorted(sorted(every, key=lambda pair: -abs(correlation[pair]))[: self.most_pairs])
