"""Samples that take over the arrays of others are what `Sample` makes of copies."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample, concatenate
from nplm.data.without_copies import joined, renamed, rescaled
from nplm.hypotest.test import NPLMTest
from nplm.models.kernel.model import KernelModel


def sample(rng: np.random.Generator, size: int, name: str) -> Sample:
    return Sample(rng.normal(size=(size, 2)), rng.uniform(1, 2, size), ("a", "b"), name)


def test_they_are_what_copies_are(rng: np.random.Generator) -> None:
    parts = [sample(rng, size, f"part{size}") for size in (5, 0, 7)]
    together, expected = joined(list(parts)), concatenate(parts)
    assert (together.fingerprint(), together.name) == (expected.fingerprint(), expected.name)
    scaled = rescaled(parts[0], 30.0)
    assert (scaled.fingerprint(), scaled.name) == (parts[0].scaled_to(30.0).fingerprint(), "part5")
    assert renamed(parts[0], "x").name == "x"
    for bad in (0.0, np.nan):
        with pytest.raises(ValueError, match="part5: the expected yield must be a positive number"):
            rescaled(parts[0], bad)
    with pytest.raises(ValueError, match="different features"):
        joined([parts[0], Sample([1.0])])


def test_no_events_are_copied(rng: np.random.Generator) -> None:
    one = sample(rng, 5, "one")
    for other in (joined([one]), rescaled(one, 3.0), renamed(one, "x")):
        assert np.shares_memory(other.events, one.events)


def test_what_others_give_is_copied(rng: np.random.Generator) -> None:
    one = sample(rng, 50, "one")
    for other in (one * 2.0, one.scaled_to(3.0), one.select(slice(0, 5)), one + one, Sample(one.events)):
        assert not np.shares_memory(other.events, one.events)
    assert not np.shares_memory(NPLMTest(one.events, KernelModel(width=1.0)).reference.events, one.events)
