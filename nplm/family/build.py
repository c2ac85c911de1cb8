"""The parts of a family, made from both samples together, so that they do not know which event is from which.

Functions are taken about their means over both samples: shapes are compared, and the yields apart from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh
from scipy.spatial.distance import pdist

from nplm.family.circular import embedded, points_of
from nplm.family.kd_tree import leaves
from nplm.family.member import SEEN, Moments, Part, kernel_part, kernel_root, product_part
from nplm.family.ranks import PAIR_CELL, Cells
from nplm.family.rarity import leaves_by_rarity
from nplm.family.settings import ALL, MOMENTS, ONE, PRODUCTS, RARITY, RAW, TWO, FamilySettings
from nplm.family.spread import Spread
from nplm.family.views import FAR, Grid, Kernels, Products, gaussian
from nplm.models.kernel.centers import choose_centers
from nplm.two_sample.pooled_events import PooledEvents

Progress = Callable[[str, float], None]


def unseen(what: str, share: float) -> None:
    """Progress that nobody looks at."""


# Products of two kernels that are kept at most.
_MOST_PRODUCTS = 80
# Quantiles of the distances between events, and factors, that give the widths of kernels of all features.
_WIDTHS = ((0.05, 1.0), (0.2, 1.0), (0.5, 1.0), (0.9, 2.0))
_PAIRED, _CENTERS, _FEWEST, _MOST = 1000, 2.0, 200, 400
_RANK_CUT = 1e-10
_STREAM = 0x66616D696C79
# Beyond so many events kernels of all features are evaluated in the leaves of so many splits: their modes would not fit
# into memory, and leaves of some events are narrower than the kernels.
_MOST_ROWS, _SPLITS = 60_000, 14
# Events among which centres are chosen, at most.
_MOST_CHOSEN = 1_000_000


def family_parts(
    z: Float64[np.ndarray, "n d"],
    masses: Float64[np.ndarray, " n"],
    spread: Spread,
    settings: FamilySettings,
    *,
    circular: tuple[bool, ...],
    fine: Sequence[Cells],
    raw: Float64[np.ndarray, "n d"] | PooledEvents | None = None,
    rarity: Float64[np.ndarray, " n"] | None = None,
    seed: int,
    progress: Progress = unseen,
) -> list[Part]:
    """All parts that have a mode.

    Arguments:
        z: normal scores of the events of both samples.
        masses: of these events.
        spread: what they add to the variance of a score.
        settings: which members there are.
        circular: which features are angles: products are not of these.
        fine: narrow cells of each feature.
        raw: the features themselves, standardized; None to leave their kernels and moments out.
        rarity: weights of the events, with which kernels of all features are looked at too.
        seed: of the centres of kernels of all features.
        progress: told what comes next, and which share of all is about done.
    """
    columns = (masses, spread.second, spread.fourth)
    of_events = Moments.of(columns, None, len(z))
    parts: list[Part | None] = []
    d = z.shape[1]
    progress("kernels of each feature", 0.35)
    if ONE in settings.classes:
        for j, cells in enumerate(fine):
            look = Grid((j,), (cells,))
            of_cells = Moments.of(columns, cells.of_event, cells.count)
            for scale in settings.one_scales:
                psi = kernel_root(embedded(cells.centre, circular[j]), scale, 1e-8)
                penalties = settings.one_penalties
                parts.append(kernel_part(ONE, (j,), scale, penalties, psi, cells.of_event, of_cells, look))
    progress("kernels of pairs", 0.4)
    if TWO in settings.classes and d > 1:
        parts += _pairs(z, columns, settings, circular)
    progress("products", 0.45)
    straight = [j for j in range(d) if not circular[j]]
    if PRODUCTS in settings.classes and straight:
        parts += _products(z, straight, masses, of_events, settings)
    progress("kernels of all features", 0.5)
    # A kernel of all features is that of the one in one dimension.
    if ALL in settings.classes and (d > 1 or settings.classes == (ALL,)):
        parts += _all_features(ALL, points_of(z, circular), circular, masses, columns, settings, seed)
    if rarity is not None:
        parts += _all_features(RARITY, points_of(z, circular), circular, masses, columns, settings, seed, rarity)
    progress("kernels of all features as they are", 0.6)
    # An angle as it is has a cut.
    if RAW in settings.classes and raw is not None and not any(circular):
        parts += _all_features(RAW, raw, circular, masses, columns, settings, seed)
    if MOMENTS in settings.classes and raw is not None and straight:
        moments = Products((*((j,) for j in straight), *((j, j) for j in straight)), clip=FAR)
        parts.append(product_part(MOMENTS, moments, raw, of_events))
    return [part for part in parts if part is not None]


def _pairs(
    z: np.ndarray, columns: tuple[np.ndarray, ...], settings: FamilySettings, circular: tuple[bool, ...]
) -> list[Part | None]:
    """Kernels of two features, exp(-|x - y|^2 / 2 h^2), as products of those of each, on cells of both."""
    coarse = [Cells.of(x, PAIR_CELL) for x in z.T]
    pairs = settings.pairs(np.corrcoef(z.T))
    least = SEEN * min(settings.two_penalties)
    # Directions of each feature's kernel, and how much of the kernel's variance each of them has.
    roots = {}
    for j in sorted({j for pair in pairs for j in pair}):
        share = np.bincount(coarse[j].of_event, columns[1], coarse[j].count) / columns[1].sum()
        for scale in settings.two_scales:
            psi = kernel_root(embedded(coarse[j].centre, circular[j]), scale, 1e-8)
            variance, vectors = eigh((psi * share[:, None]).T @ psi)
            roots[j, scale] = psi @ vectors[:, ::-1], variance[::-1]
    found: list[Part | None] = []
    for i, j in pairs:
        # With the cells that are empty, as events that are looked at later may fall into them.
        cell = Grid((i, j), (coarse[i], coarse[j])).of_event
        look = Grid((i, j), (coarse[i].without_events(), coarse[j].without_events()))
        moments = Moments.of(columns, cell, look.rows)
        for scale in settings.two_scales:
            (first, v), (second, w) = roots[i, scale], roots[j, scale]
            both = np.outer(v, w)
            order = np.argsort(-both, axis=None)[:_MOST_PRODUCTS]
            order = order[both.ravel()[order] > least]
            a, b = np.unravel_index(order, both.shape)
            psi = (first[:, None, a] * second[None, :, b]).reshape(look.rows, len(a))
            found.append(kernel_part(TWO, (i, j), scale, settings.two_penalties, psi, cell, moments, look))
    return found


def _products(
    z: np.ndarray, features: list[int], masses: np.ndarray, moments: Moments, settings: FamilySettings
) -> list[Part | None]:
    """Products of one to three scores, and of one or two residuals: scores less what the others predict of them.

    The residuals are C^-1 z with the correlation C of all scores: products of two of them are what tells one normal
    distribution from another whose mean or covariance differs a little in one place (the scores of that likelihood).
    """
    d = z.shape[1]
    found: list[Part | None] = []
    for residual, most in ((False, 3 if d <= settings.most_for_triples else 2), (True, 2)):
        if residual and d == 1:
            continue
        for size in range(1, most + 1):
            # A feature with itself is its square; three features are different ones.
            choose = combinations if size == 3 else combinations_with_replacement
            subsets = tuple(choose(features, size))
            if not subsets:
                continue
            look = Products.of_residuals(subsets, z, masses) if residual else Products(subsets)
            found.append(product_part(PRODUCTS, look, z, moments, residual=residual))
    return found


def _all_features(
    kind: str,
    z: np.ndarray | PooledEvents,
    circular: tuple[bool, ...],
    masses: np.ndarray,
    columns: tuple[np.ndarray, ...],
    settings: FamilySettings,
    seed: int,
    weights: Float64[np.ndarray, " n"] | None = None,
) -> list[Part | None]:
    """Kernels of all features on centres drawn from the events (Nystrom); of many events at the means of leaves.

    With weights w the kernel is w(x) k(x, y) w(y). More of its centres are where w is large; of a leaf w is the mean.
    """
    rng = np.random.default_rng([seed, _STREAM])
    sizes = np.abs(masses) if weights is None else np.abs(masses) * weights**2
    rows: slice | np.ndarray = slice(None)
    if len(z) > _MOST_CHOSEN:
        rows = np.sort(rng.choice(len(z), _MOST_CHOSEN, replace=False))
    some, sizes = z[rows], sizes[rows]
    distinct = len(np.unique(some[sizes > 0], axis=0))
    count = min(int(np.clip(_CENTERS * np.sqrt(len(z)), _FEWEST, _MOST)), distinct)
    centers = choose_centers(some, sizes, count, "uniform", seed)
    usable = np.flatnonzero(sizes)
    drawn = rng.choice(usable, min(_PAIRED, len(usable)), replace=False, p=sizes[usable] / sizes.sum())
    distances = pdist(some[drawn])
    distances = distances[distances > 0]
    if not len(distances):
        return []
    cell = None
    if len(z) <= _MOST_ROWS:
        points = z[:]
    else:
        cell = leaves(z, _SPLITS) if weights is None else leaves_by_rarity(z[:], weights, _SPLITS)
        sizes = np.bincount(cell)
        weights = None if weights is None else np.bincount(cell, weights) / sizes
        points = np.column_stack([np.bincount(cell, x) for x in z.T]) / sizes[:, None]
    moments = Moments.of(columns, cell, len(points))
    found: list[Part | None] = []
    features = tuple(range(len(circular)))
    for quantile, factor in _WIDTHS:
        width = factor * float(np.quantile(distances, quantile))
        values, vectors = eigh(gaussian(centers, centers, width))
        kept = values > _RANK_CUT * values[-1]
        look = Kernels(centers, width, vectors[:, kept] / np.sqrt(values[kept]), circular)
        psi = look.of_points(points, np.eye(look.root.shape[1]))
        if weights is None:
            found.append(kernel_part(kind, features, width, settings.all_penalties, psi, cell, moments, look))
            continue
        psi *= weights[:, None]
        part = kernel_part(kind, features, width, settings.all_penalties, psi, cell, moments, look)
        # Kernels alone do not say what the modes of other events would be.
        found.append(None if part is None else replace(part, look=None, linear=None, mean=None))
    return found
