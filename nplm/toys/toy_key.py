"""The key of a toy, on which all that is drawn for it depends."""

from __future__ import annotations

import jax

from nplm.toys.samplers import ToyKey


def toy_key(seed: int, index: int) -> ToyKey:
    """fold_in(key(seed), i): toy i is the same alone, in any order, and on any number of workers."""
    return jax.random.fold_in(jax.random.key(seed), index)
