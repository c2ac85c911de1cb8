"""Which analyses may be combined: a rule about their labels, or pairs that somebody lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64

from nplm.channels.cliques import best_clique, parts_of
from nplm.channels.table import RegionTable
from nplm.io.records import read_records


@dataclass(frozen=True, eq=False)
class CompatibilityGraph:
    """The analyses of a table, and which of them may be combined with which.

    Arguments:
        names: of the analyses.
        allowed: whether two may be combined, shape (k, k), symmetric, without a diagonal.
        rule: where that comes from, in words.
        labels: of the columns of the rule, the value of each analysis; none if pairs are listed.
    """

    names: tuple[str, ...]
    allowed: Bool[np.ndarray, "k k"]
    rule: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def why_not(self, i: int, j: int) -> str:
        """Why two analyses, by their numbers, may not be combined; empty if they may."""
        if self.allowed[i, j] or i == j:
            return ""
        shared = [f"{column} {values[i]}" for column, values in self.labels.items()]
        return f"both have {' and '.join(shared)}" if shared else f"not among the {self.rule}"

    @property
    def pairs(self) -> int:
        """How many pairs may be combined."""
        return int(np.triu(self.allowed, 1).sum())

    @property
    def maximal_sets(self) -> int:
        """How many sets there are to which no analysis can be added.

        Raises:
            ValueError: see `nplm.channels.cliques.parts_of`.
        """
        return int(np.prod([float(len(part.members)) for part in parts_of(self.allowed)]))

    def best(
        self, weights: Mapping[str, float] | Float64[np.ndarray, " k"], *, maximal: bool = True
    ) -> tuple[tuple[str, ...], float]:
        """The combination of largest weight, and that weight, see `nplm.channels.cliques.best_clique`.

        Arguments:
            weights: of analyses by name, the others having none and left out; or of all, in order.
            maximal: whether analyses that lower the weight must be taken where they can.

        Raises:
            ValueError: if a name is no analysis, or networkx is not installed.
        """
        if isinstance(weights, Mapping):
            unknown = [name for name in weights if name not in self.names]
            if unknown:
                raise ValueError(f"'{unknown[0]}' is no analysis of this graph: there are {', '.join(self.names)}")
            rows = np.array([i for i, name in enumerate(self.names) if name in weights], dtype=np.int64)
            values = np.array([float(weights[self.names[i]]) for i in rows])
        else:
            rows, values = np.arange(len(self.names)), np.asarray(weights, dtype=np.float64)
        chosen, weight = best_clique(self.allowed[np.ix_(rows, rows)], values, maximal=maximal)
        return tuple(self.names[rows[i]] for i in chosen), weight


def compatibility_graph(table: RegionTable, compatible: str | Sequence[str] | Path) -> CompatibilityGraph:
    """Which analyses of a table may be combined.

    Arguments:
        table: the regions.
        compatible: columns, as a sequence or a text with blanks between them: two analyses may be combined if they
            differ in one of these, as "experiment energy". Or a CSV or Parquet file of allowed pairs, with the columns
            first and second.

    Raises:
        ValueError: if there is no such column or file, an analysis has several values in a column, or a pair names
            what is no analysis.

    Example:
        >>> table = RegionTable.from_columns({"region": ["A", "B", "C"], "analysis": ["x", "y", "z"], "experiment":
        ...     ["1", "1", "2"], "observed": [1, 2, 3], "expected": [1.0, 2.0, 3.0], "error": [0.1, 0.2, 0.3]})
        >>> compatibility_graph(table, "experiment").allowed.astype(int).tolist()
        [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    """
    names = tuple(table.rows)
    if isinstance(compatible, Path) or (isinstance(compatible, str) and _is_file(compatible)):
        return _of_pairs(table, names, Path(compatible))
    columns = compatible.split() if isinstance(compatible, str) else list(compatible)
    if not columns:
        raise ValueError("name the columns in which analyses must differ to be combined, such as experiment energy")
    allowed, found = np.zeros((len(names), len(names)), dtype=bool), {}
    for column in columns:
        labels = table.label_of(column)
        values: list[str] = []
        for name, rows in table.rows.items():
            own = list(dict.fromkeys(labels[i] for i in rows))
            if len(own) > 1:
                raise ValueError(
                    f"{table.name}: analysis '{name}' has several values of '{column}' ({', '.join(own[:3])}), where a"
                    " rule of combination needs one"
                )
            values.append(own[0])
        allowed |= np.array(values)[:, None] != np.array(values)
        found[column] = tuple(values)
    np.fill_diagonal(allowed, False)
    return CompatibilityGraph(names, allowed, f"they differ in {' or '.join(columns)}", found)


def _is_file(text: str) -> bool:
    return Path(text).suffix.lower() in (".csv", ".parquet", ".pq")


def _of_pairs(table: RegionTable, names: tuple[str, ...], path: Path) -> CompatibilityGraph:
    words, _ = read_records(path, text=("first", "second"), numbers=())
    place = {name: i for i, name in enumerate(names)}
    allowed = np.zeros((len(names), len(names)), dtype=bool)
    for pair in zip(words["first"], words["second"], strict=True):
        for name in pair:
            if name not in place:
                raise ValueError(f"{path}: '{name}' is no analysis of {table.name}: there are {', '.join(names)}")
        if pair[0] == pair[1]:
            raise ValueError(f"{path}: '{pair[0]}' stands beside itself; a pair is of two analyses")
        allowed[place[pair[0]], place[pair[1]]] = allowed[place[pair[1]], place[pair[0]]] = True
    return CompatibilityGraph(names, allowed, f"pairs in {path}")
