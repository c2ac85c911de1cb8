"""Templates: what a signal would add to each region of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.channels.table import RegionTable
from nplm.io.records import read_records


@dataclass(frozen=True, eq=False)
class Templates:
    """Signals by name, each with its yields at strength 1.

    Arguments:
        names: of the templates.
        yields: of each in each region of a table, shape (k, m); zero where it adds nothing.
        cost: -log pi of each, what it costs to have it, shape (k,); 1 of a single free strength, see
            `nplm.channels.score`.

    Raises:
        ValueError: naming the template, if a name repeats, a yield is negative, or it has none; or a cost is negative.
    """

    names: tuple[str, ...]
    yields: Float64[np.ndarray, "k m"]
    cost: Float64[np.ndarray, " k"] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("there are no templates")
        if not len(self.cost):
            object.__setattr__(self, "cost", np.ones(len(self.names)))
        for i, name in enumerate(self.names):
            if self.names.index(name) != i:
                raise ValueError(f"template '{name}' is there twice")
            if not (np.isfinite(self.yields[i]).all() and (self.yields[i] >= 0).all()):
                raise ValueError(f"template '{name}': yields must be numbers, 0 or more")
            if not (self.yields[i] > 0).any():
                raise ValueError(f"template '{name}' has no yield in any region")
            if not (np.isfinite(self.cost[i]) and self.cost[i] >= 0):
                raise ValueError(f"template '{name}': its cost must be a number, 0 or more, not {self.cost[i]:g}")

    @classmethod
    def from_columns(
        cls,
        table: RegionTable,
        template: Sequence[str],
        region: Sequence[str],
        yields: Sequence[float],
        analysis: Sequence[str] | None = None,
        cost: Sequence[Any] | None = None,
        name: str = "templates",
    ) -> Templates:
        """From a list of yields: each says which template has how much in which region of the table.

        Arguments:
            table: the regions.
            template, region, yields: of each.
            analysis: that of the region, needed where several have a region of that name.
            cost: of the template, the same in all its rows; by default 1.
            name: of the list in messages.

        Raises:
            ValueError: if a region is unknown or named twice by a template, and as `Templates`.
        """
        names = tuple(dict.fromkeys(template))
        found = np.full((len(names), len(table)), np.nan)
        costs = np.ones(len(names))
        for i, (which, where, value) in enumerate(zip(template, region, yields, strict=True)):
            row = names.index(which)
            try:
                column = table.row_of(where, None if analysis is None else analysis[i])
            except ValueError as error:
                raise ValueError(f"{name}: template '{which}': {error}") from None
            if not np.isnan(found[row, column]):
                raise ValueError(f"{name}: template '{which}' names {table.title(column)} twice")
            found[row, column] = value
            if cost is not None:
                try:
                    costs[row] = float(cost[i])
                except ValueError:
                    raise ValueError(
                        f"{name}: the cost of template '{which}' must be a number, not '{cost[i]}'"
                    ) from None
        try:
            return cls(names, np.nan_to_num(found), costs)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def read_templates(path: str | Path, table: RegionTable) -> Templates:
    """Templates from a CSV or Parquet file with the columns template, region and yield; analysis and cost if needed.

    Raises:
        ValueError: naming file, template and region, if something is missing or makes no sense.
    """
    words, numbers = read_records(path, text=("template", "region"), numbers=("yield",))
    return Templates.from_columns(
        table,
        words["template"],
        words["region"],
        numbers["yield"].tolist(),
        words.get("analysis"),
        words.get("cost"),
        name=str(path),
    )
