"""The numbers of a result by name, with their limits and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nplm.hypotest.key_numbers import key_numbers
from tests.hypotest.as_if import counted


def test_limits_and_intervals(run: Callable[..., Any]) -> None:
    base = run(toys=5).result
    limit = key_numbers(replace(counted(base, 0, 200), p_interval=(0.0, 0.0057), z_interval=(2.53, np.inf)))
    assert limit["p-value"] == "0.00498, the least that 200 toys can give (68% interval: below 0.0057)"
    assert limit["Z"] == "2.58, the largest that 200 toys can give (68% interval: above 2.53)"
    counts = replace(counted(base, 2, 200), p_interval=(0.0072, 0.0224), z_interval=(2.01, 2.447))
    assert key_numbers(counts)["p-value"] == "0.0149 (68% interval: 0.0072 to 0.0224)"
    assert key_numbers(counts)["Z"] == "2.17 (68% interval: 2.01 to 2.45)"
    asymptotic = key_numbers(replace(run(toys=0).result, p_value=0.0, z=np.inf))
    assert (asymptotic["p-value"], asymptotic["Z"]) == ("< 1e-300", "> 37")
