"""Columns by name: their values, and what is raised where they cannot serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt64

# Integers stay what they are where float64 would round them, so that a cut can tell them apart.
Values = Float64[np.ndarray, " n"] | Int64[np.ndarray, " n"] | UInt64[np.ndarray, " n"]
# A column may have lists of them too, of awkward.
Columns = Mapping[str, Values | Any]

# Up to here float64 holds every integer.
LARGEST_EXACT = 2**53


class ReadError(ValueError):
    """A file cannot be read as a sample; the message names the file and the fix."""


def listed(names: Sequence[str], limit: int = 40) -> str:
    """The names, separated by commas; of a wide file only the first ones."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
