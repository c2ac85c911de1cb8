"""The reference as a picture needs it: scaled to the expected yield, with f at each event."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.hypothesis_test import NPLMTest
from nplm.result import Result


def expected_weights(test: NPLMTest, result: Result) -> Float64[np.ndarray, " n"]:
    """The reference's weights, adding up to the yield it predicts (in a shape-only test, the data's); shape (n,)."""
    return test.reference.weights * (result.expected_yield / test.reference.total_weight)


def reference_log_ratio(test: NPLMTest, result: Result) -> Float64[np.ndarray, " n"]:
    """f at each reference event; shape (n,)."""
    return test.log_ratio(result, test.reference.events)
