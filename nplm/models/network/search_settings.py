"""How much the network's optimizer searches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nplm.models.network.mlp import Layout
from nplm.optimize.multistart import SearchSettings


@dataclass(frozen=True)
class BoxSearch:
    """Our optimizer: a search with Gauss-Newton climbs in the box, coarse to fine in the samples.

    The search runs on cells of the reference (centroid and summed weight of the events in each). The best point of
    each of its starts then climbs on finer cells, or with secants on all events; the best of these climbs on all events
    in double precision. None of it is random: the same data give the same t.

    Arguments:
        search: amount of search.
        cells: number of cells the search runs on.
        fine_cells: number of cells the starts are compared on; None for all events.
        fine_iterations: steps on these.
        last_iterations: most steps of the last climb.
    """

    search: SearchSettings
    cells: int
    fine_cells: int | None
    fine_iterations: int
    last_iterations: int

    @classmethod
    def default(cls, layout: Layout) -> BoxSearch:
        """Budgets that experiments/benchmarks time; in one dimension cells lose little, so that search is wide."""
        inputs, *hidden, _ = layout.sizes
        if inputs == 1 and len(hidden) == 1:
            wide = SearchSettings(starts=3, population=48, parents=8, generations=16, iterations=40)
            return cls(wide, cells=300, fine_cells=4000, fine_iterations=100, last_iterations=20)
        if len(hidden) == 1:
            brief = SearchSettings(starts=4, population=12, parents=4, generations=6, iterations=25)
            return cls(brief, cells=12_000, fine_cells=None, fine_iterations=150, last_iterations=20)
        deep = SearchSettings(starts=4, population=8, parents=3, generations=3, iterations=20)
        return cls(deep, cells=4000, fine_cells=None, fine_iterations=300, last_iterations=10)

    def shortened(self, divisor: int) -> BoxSearch:
        """The same search with every climb shortened, at least to one step."""
        return replace(
            self,
            search=replace(self.search, iterations=-(-self.search.iterations // divisor)),
            fine_iterations=-(-self.fine_iterations // divisor),
            last_iterations=-(-self.last_iterations // divisor),
        )
