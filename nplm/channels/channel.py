"""A result as one channel of many: its p-value, and what is known of the statistic behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.special import log_ndtr

from nplm.data.sample import Sample

# Results of one question, with one p-value each, by the schemas of their files.
_KINDS = ("nplm-result/", "nplm-multiple/", "nplm-two-sample/", "nplm-hunt/", "nplm-regions/", "nplm-explain/")


@dataclass(frozen=True, eq=False)
class Channel:
    """What enters a combination.

    Arguments:
        name: of the channel.
        log_p: natural logarithm of its p-value.
        t: its test statistic; NaN if that is no sum of squares.
        weights: t is distributed as sum_k w_k chi2(1), the largest first; empty if p stands on something else.
        events: number of data events; NaN if not known.
        kind: what it is a result of.
    """

    name: str
    log_p: float
    t: float
    weights: Float64[np.ndarray, " n"]
    events: float
    kind: str

    @property
    def p_value(self) -> float:
        """The p-value."""
        return float(np.exp(self.log_p))

    @classmethod
    def of(cls, result: Any, name: str) -> Channel:
        """From a result of nplm, from the JSON values of one, or from a p-value alone.

        Raises:
            ValueError: if it is none of these, or has no p-value.
        """
        if isinstance(result, Mapping):
            return _of_document(result, name)
        if isinstance(result, (int, float)) and not isinstance(result, bool):
            return cls(name, _log_p(float(result), None, name), math.nan, np.empty(0), math.nan, "a p-value")
        if hasattr(result, "to_dict"):
            return _of_document(result.to_dict(), name)
        raise ValueError(f"{name} is a {type(result).__name__}: give results of nplm, or p-values")


def _of_document(document: Mapping[str, Any], name: str) -> Channel:
    schema = str(document.get("schema", ""))
    if not schema.startswith(_KINDS):
        said = f"of the schema {schema}" if schema else "without a schema of nplm"
        raise ValueError(f"{name} is a document {said}, which is no result with one p-value")
    p, z = document.get("p_value"), document.get("z")
    if p is None:
        raise ValueError(f"{name} has no p-value: what it is a result of gave none")
    weights = (document.get("null") or {}).get("weights")
    samples = document.get("samples") or []
    events = document.get("n_data", document.get("events", samples[1]["events"] if len(samples) == 2 else None))
    t = document.get("t")
    return Channel(
        name=name,
        log_p=_log_p(float(p), z, name),
        t=math.nan if t is None or weights is None else float(t),
        weights=np.array(weights or [], dtype=np.float64),
        events=math.nan if events is None else float(events),
        kind=schema,
    )


def _log_p(p: float, z: float | None, name: str) -> float:
    """log p, from Z where p has no digits left."""
    if not 0 <= p <= 1:
        raise ValueError(f"the p-value of {name} is {p:g}, where it must lie between 0 and 1")
    if p > 1e-290:
        return math.log(p)
    if z is None:
        raise ValueError(f"the p-value of {name} is {p:g}, and its Z is not known: too small to be combined")
    return float(log_ndtr(-float(z)))


def shared_events(a: Sample, b: Sample) -> int:
    """How many events two samples have in common: with the same values of all features that both have.

    Raises:
        ValueError: if they have no feature in common.

    Example:
        >>> a = Sample(np.array([[1.0], [2.0], [3.0]]), features=("x",))
        >>> shared_events(a, a[1:])
        2
    """
    features = [name for name in a.features if name in b.features]
    if not features:
        raise ValueError(f"{a.name} and {b.name} have no feature in common, by which shared events would be known")
    counted = []
    for sample in (a, b):
        rows = np.column_stack([sample[name] for name in features]) + 0.0  # -0 becomes 0
        values, many = np.unique(rows, axis=0, return_counts=True)
        counted.append({value.tobytes(): int(n) for value, n in zip(values, many, strict=True)})
    first, second = counted
    return sum(min(n, second.get(value, 0)) for value, n in first.items())
