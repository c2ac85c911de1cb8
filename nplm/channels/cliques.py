"""Exact searches for sets of nodes of which each may stand beside each: cliques of largest weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

# More maximal sets than that are not listed.
MOST_SETS = 1_000_000
# Weights become whole numbers for the search, with so many digits of the largest.
_DIGITS = 2.0**50


@dataclass(frozen=True, eq=False)
class Part:
    """Nodes that may be chosen without regard to all others, as each of them may stand beside all of these.

    Arguments:
        nodes: which, shape (k,).
        members: the maximal sets among them, one a row, shape (sets, k).
    """

    nodes: Int64[np.ndarray, " k"]
    members: Bool[np.ndarray, "sets k"]


def require_networkx() -> Any:
    """networkx.

    Raises:
        ValueError: if it is not installed.
    """
    try:
        return import_module("networkx")
    except ImportError as error:
        raise ValueError(f'{error}: best combinations need networkx; pip install "nplm-jax[channels]"') from error


def parts_of(allowed: Bool[np.ndarray, "n n"]) -> tuple[Part, ...]:
    """The parts of a graph, each with its maximal sets: a maximal set of the graph is one of each part, together.

    Two nodes are in one part if a chain of nodes leads from one to the other in which neighbours exclude each other.
    Where analyses exclude each other by groups, such as those of one experiment at one energy, each group is a part,
    and the product of their numbers is never listed.

    Arguments:
        allowed: which nodes may stand beside each other; symmetric.

    Raises:
        ValueError: if networkx is not installed, or a part has more than a million maximal sets.
    """
    packed = np.packbits(allowed).tobytes()
    return _parts(packed, len(allowed))


@lru_cache(maxsize=4096)
def _parts(packed: bytes, n: int) -> tuple[Part, ...]:
    allowed = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=n * n).reshape(n, n).astype(bool)
    nx = require_networkx()
    excluding = nx.from_numpy_array(~allowed & ~np.eye(n, dtype=bool))
    found = []
    for component in nx.connected_components(excluding):
        nodes = np.array(sorted(component), dtype=np.int64)
        inner = nx.from_numpy_array(allowed[np.ix_(nodes, nodes)] & ~np.eye(len(nodes), dtype=bool))
        sets: Iterator[list[int]] = nx.find_cliques(inner)
        listed = list(islice(sets, MOST_SETS + 1))
        if len(listed) > MOST_SETS:
            raise ValueError(
                f"{len(nodes)} analyses have more than {MOST_SETS:,} sets that may be combined: exclude more pairs"
            )
        members = np.zeros((len(listed), len(nodes)), dtype=bool)
        for row, chosen in zip(members, listed, strict=True):
            row[chosen] = True
        found.append(Part(nodes, members))
    return tuple(found)


def best_clique(
    allowed: Bool[np.ndarray, "n n"], weights: Float64[np.ndarray, " n"], *, maximal: bool = True
) -> tuple[tuple[int, ...], float]:
    """The allowed set of largest weight, and that weight; exact.

    Arguments:
        allowed: which nodes may stand beside each other; symmetric.
        weights: of the nodes, of either sign.
        maximal: whether only sets count to which no further node may be added: then a node that would lower the weight
            cannot be left out for that reason (J. High Energy Phys. 03 (2021) 207, arXiv:2012.12246).
            False also takes subsets, and finds the largest weight of all.

    Raises:
        ValueError: see `parts_of`; or if the arrays do not fit.

    Example:
        >>> allowed = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
        >>> best_clique(allowed, np.array([1.0, -0.5, 2.0]))
        ((1, 2), 1.5)
        >>> best_clique(allowed, np.array([1.0, -0.5, 2.0]), maximal=False)
        ((2,), 2.0)
    """
    allowed = np.asarray(allowed, dtype=bool)
    n = len(weights)
    if allowed.shape != (n, n) or (allowed != allowed.T).any():
        raise ValueError(f"allowed must be symmetric, with a row and a column for each of {n} weights")
    if not np.isfinite(weights).all():
        raise ValueError("weights of a combination must be finite numbers")
    if n == 0:
        return (), 0.0
    chosen: list[int] = []
    if maximal:
        for part in parts_of(allowed):
            best = int((part.members @ weights[part.nodes]).argmax())
            chosen += part.nodes[part.members[best]].tolist()
    else:
        chosen = _heaviest(allowed, weights)
    return tuple(sorted(chosen)), float(weights[sorted(chosen)].sum()) if chosen else 0.0


def _heaviest(allowed: np.ndarray, weights: np.ndarray) -> list[int]:
    """By networkx, whose weights are whole numbers; nodes without a positive weight are in no heaviest set."""
    nx = require_networkx()
    positive = np.flatnonzero(weights > 0)
    if not len(positive):
        return []
    unit = _DIGITS / float(weights.max())
    graph = nx.Graph()
    for node in positive.tolist():
        graph.add_node(node, weight=max(1, round(float(weights[node]) * unit)))
    rows, columns = np.nonzero(np.triu(allowed[np.ix_(positive, positive)], 1))
    graph.add_edges_from(zip(positive[rows].tolist(), positive[columns].tolist(), strict=True))
    return list(nx.max_weight_clique(graph, weight="weight")[0])
