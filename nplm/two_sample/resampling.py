"""Scores of the null by resampling: labels permuted, signs drawn, or both samples drawn from a pool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nplm.data.sample import Sample
from nplm.two_sample.modes import Basis
from nplm.two_sample.pooled import Pool
from nplm.two_sample.scores import Scores

# Random numbers of resamplings that are held at a time, in bytes.
_HELD = 1 << 27
_PERMUTE, _BOOTSTRAP, _DRAW = 0x7065726D, 0x626F6F74, 0x706F6F6C


def require_exchangeable(pool: Pool) -> None:
    """Refuses permutations where they would not have the distribution of the null.

    Raises:
        ValueError: with the reason.
    """
    found = pool.exchange
    if not found.allowed:
        raise ValueError(
            f"the labels may not be permuted: {found.reason}, so (event, weight) pairs are not exchangeable. Calibrate"
            " with 'asymptotic' or 'bootstrap', which take the weights of each sample into account"
        )


def labels(pool: Pool, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many labellings of the null, True for B, shape (count, n).

    If shapes are compared the numbers of events are those of the samples, and each labelling is a permutation; if
    yields are compared too each event is one of B with the expected probability, as for two Poisson processes. Which of
    the samples is called A makes no difference to them.
    """
    flip = pool.smaller_is_b
    if pool.expected_share is not None:
        chance = pool.expected_share if flip else 1 - pool.expected_share
        return np.asarray((rng.random((count, len(pool))) < chance) == flip)
    size = int(pool.in_b.sum()) if flip else int((~pool.in_b).sum())
    found = np.full((count, len(pool)), not flip)
    for row in found:
        row[rng.choice(len(pool), size, replace=False, shuffle=False)] = flip
    return found


def label_batches(pool: Pool, count: int, seed: int) -> Iterator[np.ndarray]:
    """The labellings in batches; the same ones for the same pool, count and seed."""
    rng = np.random.default_rng([seed, _PERMUTE])
    # Features that are not held are computed anew for each batch: labels take a byte each.
    for size in _batches(count, len(pool), 1):
        yield labels(pool, size, rng)


def permuted_scores(basis: Basis, count: int, seed: int) -> Scores:
    """The scores of so many labellings, see `labels`."""
    pool = basis.pool
    # The smaller sample is summed: the scores of the other are the opposite.
    sign, flip = (1, False) if pool.smaller_is_b else (-1, True)
    parts, totals = [], []
    for in_b in label_batches(pool, count, seed):
        part, total = np.zeros((len(in_b), basis.count)), np.zeros(len(in_b))
        for rows, phi in basis.blocks():
            masses = pool.masses[rows]
            # Only of some labellings at a time there are numbers in the place of labels.
            for some in _slices(len(in_b), len(masses)):
                summed = in_b[some, rows] * masses
                total[some] += summed.sum(axis=1)
                part[some] += (masses - summed if flip else summed) @ phi
        parts.append(sign * part)
        totals.append(total)
    return Scores.of(basis, np.concatenate(parts), np.concatenate(totals), np.full(count, pool.total))


def bootstrap_scores(basis: Basis, count: int, seed: int) -> Scores:
    """Scores with the fluctuation of each sample about the common mean: the wild bootstrap.

    g = sum_e xi_e y_e phi, with y_e = pi_A m of B and -pi_B m of A, phi centred in the pool, and random signs xi. The
    covariance is sum y^2 phi phi^T, that of `ScoreNull` where weights tell the samples apart. Signs leave y^2 as it is,
    so that t fluctuates as it does with so many events; random numbers of events would widen it. Source: R. Y. Liu,
    Ann. Stat. 16 (1988) 1696.
    """
    pool = basis.pool
    rng = np.random.default_rng([seed, _BOOTSTRAP])
    share, expected = pool.share, pool.expected_share
    # The mean over the pool is estimated, which costs N / (N - 1) as in any covariance.
    scale = np.sqrt(pool.total / max(pool.total - 1, 1) / pool.unit)
    signed = scale * pool.masses * np.where(pool.in_b, 1 - share, -share)
    rated = None if expected is None else pool.masses * np.where(pool.in_b, 1 - expected, -expected)
    parts, rates = [], []
    for size in _batches(count, len(pool)):
        xi = 2.0 * rng.integers(0, 2, (size, len(pool))) - 1.0
        part = np.zeros((size, basis.count))
        for rows, phi in basis.blocks():
            part += (xi[:, rows] * signed[rows]) @ phi
        parts.append(part)
        if rated is not None:
            rates.append(xi @ rated / np.sqrt(rated @ rated))
    return Scores(np.concatenate(parts), np.concatenate(rates) if rates else None)


def drawn_scores(basis: Basis, source: Sample, count: int, seed: int) -> Scores:
    """The scores of two samples that are both drawn from one, each as large as it was observed.

    Numbers of events are fixed if shapes are compared, and fluctuate about the expected ones if yields are too. Weights
    of the source come with its events; the modes stay those of the pool.

    Arguments:
        source: a large sample of the distribution that both are to follow, with standardized events.
    """
    pool = basis.pool
    rng = np.random.default_rng([seed, _DRAW])
    phi, w = basis(source.events), source.weights
    sizes = np.array([len(pool) - int(pool.in_b.sum()), int(pool.in_b.sum())])
    columns = np.column_stack([w[:, None] * phi, w, w**2])
    sums = np.empty((2, count, columns.shape[1]))
    for number in range(count):
        n = sizes
        if pool.expected_share is not None:
            n = rng.poisson(sizes.sum() * np.array([1 - pool.expected_share, pool.expected_share]))
        for sample in range(2):
            counted = np.bincount(rng.integers(len(w), size=n[sample]), minlength=len(w))
            drawn = np.flatnonzero(counted)
            sums[sample, number] = counted[drawn] @ columns[drawn]
    weighted, total, square = sums[..., :-2], sums[..., -2], sums[..., -1]
    if (total <= 0).any():
        raise ValueError(
            f"{source.name}: samples of {sizes.min():,} events drawn from it have no positive yield; give a pool with"
            " fewer negative weights"
        )
    mass = total**2 / square
    u = weighted[1] / total[1][:, None] - weighted[0] / total[0][:, None]
    together = mass.sum(axis=0)
    return Scores.of(basis, (mass[0] * mass[1] / together)[:, None] * u, mass[1], together)


def _batches(count: int, events: int, size: int = 8) -> Iterator[int]:
    """How many at a time, of as many numbers of this size each as there are events."""
    most = max(1, _HELD // (size * events))
    return (min(most, count - start) for start in range(0, count, most))


def _slices(count: int, events: int) -> Iterator[slice]:
    start = 0
    for size in _batches(count, events):
        yield slice(start, start + size)
        start += size
