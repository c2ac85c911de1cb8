"""The best allowed combination against a list of all sets, on random graphs."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from nplm.channels import cliques
from nplm.channels.cliques import best_clique, parts_of


def by_brute_force(allowed: np.ndarray, weights: np.ndarray, maximal: bool) -> float:
    """The largest weight of all cliques, or of those to which no node can be added."""
    n = len(weights)
    every = chain.from_iterable(combinations(range(n), size) for size in range(n + 1))
    sets = [set(s) for s in every if all(allowed[i, j] for i, j in combinations(s, 2))]
    if maximal:
        sets = [s for s in sets if not any(all(allowed[i, j] for j in s) for i in range(n) if i not in s)]
    return max(float(weights[sorted(s)].sum()) for s in sets)


def test_it_is_exact_on_200_random_graphs() -> None:
    """Of 1 to 9 nodes, sparse and dense, with weights of both signs; also where the sets are given back."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(1, 10))
        allowed = np.triu(rng.random((n, n)) < rng.random(), 1)
        allowed = allowed | allowed.T
        weights = rng.normal(0.3, 1, n)
        for maximal in (True, False):
            chosen, weight = best_clique(allowed, weights, maximal=maximal)
            assert weight == pytest.approx(by_brute_force(allowed, weights, maximal), abs=1e-9)
            assert weight == pytest.approx(weights[list(chosen)].sum())
            assert all(allowed[i, j] for i, j in combinations(chosen, 2))


def test_groups_that_exclude_each_other_are_searched_one_by_one() -> None:
    """60 analyses in four groups have 15^4 maximal sets, and four parts with 15 each."""
    group = np.repeat(np.arange(4), 15)
    allowed = group[:, None] != group
    parts = parts_of(allowed)
    assert [part.members.shape for part in parts] == [(15, 15)] * 4
    weights = np.random.default_rng(2).normal(size=60)
    chosen, weight = best_clique(allowed, weights)
    assert weight == pytest.approx(weights.reshape(4, 15).max(axis=1).sum())
    assert len(chosen) == 4


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="symmetric"):
        best_clique(np.array([[False, True], [False, False]]), np.ones(2))
    with pytest.raises(ValueError, match="finite"):
        best_clique(np.zeros((2, 2), dtype=bool), np.array([1.0, np.nan]))

    def missing(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(cliques, "import_module", missing)
    with pytest.raises(ValueError, match=r'pip install "nplm-jax\[channels\]"'):
        best_clique(np.zeros((1, 1), dtype=bool), np.ones(1), maximal=False)
