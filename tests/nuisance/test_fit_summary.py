"""What a summary of the fit of nuisances remarks upon."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.nuisance.summaries import summary


def test_a_fit_beyond_what_was_learned_is_remarked_upon() -> None:
    """nu = 1 +- 0.2 in both."""
    ends = np.array([[-0.7, 0.7], [-np.inf, np.inf]])
    (caution,) = replace(summary(2), learned_range=ends).cautions()
    assert "n0 = 1," in caution
    assert "between -0.7 and 0.7" in caution
    assert replace(summary(2), learned_range=ends + 0.15).cautions() == []
    assert summary(2).cautions() == []
