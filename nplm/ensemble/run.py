"""Runs toys through a fit, batch after batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from nplm.ensemble.sampler import Sampler
from nplm.ensemble.table import ToyTable
from nplm.models.base import Fits
from nplm.sample import Sample


def run_toys(
    fit: Callable[[Sequence[Sample]], Fits], sampler: Sampler, seed: int, indices: Sequence[int], batch: int
) -> Iterator[ToyTable]:
    """Draws and fits toys, and yields their rows batch by batch.

    Toy i is drawn with the key fold_in(key(seed), i): the same on any number of workers and in any order.

    Arguments:
        fit: what to do with a batch of toys.
        sampler: draws a toy from a key.
        seed: root of all keys.
        indices: which toys.
        batch: how many are fitted together.
    """
    root = jax.random.key(seed)
    for start in range(0, len(indices), batch):
        some = np.asarray(indices[start : start + batch], dtype=np.int64)
        began = time.perf_counter()
        toys = [sampler(jax.random.fold_in(root, int(i))) for i in some]
        fits = fit(toys)
        share = (time.perf_counter() - began) / len(some)
        yield ToyTable(
            index=some,
            t=fits.t,
            total_weight=np.array([toy.total_weight for toy in toys]),
            converged=fits.converged,
            starts_agreeing=fits.starts_agreeing,
            seconds=np.full(len(some), share),
        )
