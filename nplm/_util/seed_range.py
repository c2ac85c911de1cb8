"""What a seed may be."""

from __future__ import annotations

import operator

LARGEST_SEED = 2**32 - 1


def require_seed(seed: int) -> int:
    """The seed itself, once it is known to be one.

    JAX keeps 32 bits of a seed where its integers have no more, so that a larger or a negative one would repeat the
    toys of another seed. What is no seed for toys is none for anything else.

    Raises:
        ValueError: if it is no whole number from 0 to 2^32 - 1.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if isinstance(seed, bool) or not 0 <= value <= LARGEST_SEED:
        raise ValueError(f"the seed must be a whole number from 0 to 2^32 - 1 (4294967295), not {seed!r}")
    return value
