"""Kernels of all features on two samples: what their p-values stand on, and which there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nplm import Sample
from nplm.two_sample.result_text import two_sample_numbers, two_sample_verdict
from nplm.two_sample.test import Calibrate, TwoSampleTest
from nplm.wording.numbers import p_text


@pytest.mark.parametrize("calibrate", ["permutation", "asymptotic"])
def test_kernels_that_compare_yields_have_the_p_value_of_the_shape_too(
    rng: np.random.Generator, calibrate: Calibrate
) -> None:
    a, b = Sample(rng.normal(size=(400, 2))), Sample(rng.normal(size=(600, 2)))
    settings: dict[str, Any] = {"widths": [1.0, 2.0], "centers": 60}
    found = TwoSampleTest(a, b, expected_ratio=1.0, **settings).run(calibrate, 99)
    alone = TwoSampleTest(a, b, **settings).run(calibrate, 99)
    assert found.shape is not None
    assert found.shape.p_value == alone.p_value
    # The yields differ, and the shapes do not.
    assert found.p_value < 0.02 < found.shape.p_value
    assert alone.shape is None
    rows = two_sample_numbers(found)
    assert rows["shape"].startswith(p_text(found.shape.p_value))
    # What p stands on is the null of both.
    assert "stands on" in rows
    assert two_sample_verdict(found).title.endswith(" in the yield; the shape agrees")
