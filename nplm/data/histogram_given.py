"""Histograms are told apart from events: they are arrays of counts too."""

from __future__ import annotations

from typing import Any

import numpy as np


def require_no_histogram(value: Any, name: str) -> None:
    """Refuses a histogram that is given as a sample, whose counts would be taken for the values of events.

    Histograms of hist, boost-histogram and uproot are known by the protocol that they share (UHI), that of
    `numpy.histogram` by its edges.

    Raises:
        ValueError: naming the sample.
    """
    kind = type(value)
    shares_protocol = all(hasattr(kind, part) for part in ("kind", "axes", "values"))
    if (shares_protocol and callable(kind.values)) or _of_numpy(value):
        raise ValueError(
            f"{name} is a histogram, and its counts are no events: give the events that it was filled with, or, if only"
            " the bins are left, numpy.repeat(centers, counts)"
        )


def _of_numpy(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, np.ndarray) for part in value)):
        return False
    counts, edges = value
    return bool(counts.ndim == edges.ndim == 1 and len(edges) == len(counts) + 1 and np.all(np.diff(edges) > 0))
