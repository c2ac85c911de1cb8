"""What decides about the toys of a campaign, as a document with a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nplm.data.sample import Sample

# Digits of a sample's summary: sums in another order, on another machine, must not change it.
_DIGITS = 10
_DIRECTIONS = 3


@dataclass(frozen=True)
class Plan:
    """A document of JSON values; toys of equal plans are equal.

    Arguments:
        document: reference, test, model, toys and seed.
    """

    document: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """The plan as it is read back from a file: tuples become lists, and whole numbers are written as such."""
        return cls(_plain(json.loads(json.dumps(document, allow_nan=False))))

    @property
    def hash(self) -> str:
        """SHA-256 of the document, as hexadecimal digits."""
        text = json.dumps(self.document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: Plan) -> list[str]:
        """Where two plans differ: "model.clip: 9 here, 7 there"."""
        pairs = _pairs(self.document, other.document)
        return [f"{name}: {_shown(here)} here, {_shown(there)} there" for name, here, there in pairs if here != there]


def summary(sample: Sample) -> dict[str, Any]:
    """What a sample holds, to ten digits: features, number of events, yield, mean and deviation of each feature.

    The shape is that of all features together: means of cos(v.z) over the events, with z the standardized features and
    fixed directions v, which tell samples apart that have the same margins.
    """
    total = float(np.abs(sample.weights).sum())
    share = np.abs(sample.weights) / (total if total > 0 else 1.0)
    mean = share @ sample.events
    deviation = np.sqrt(share @ (sample.events - mean) ** 2)
    size = np.hypot(mean, deviation)
    z = (sample.events - mean) / np.where(deviation > 0, deviation, 1.0)
    directions = np.random.default_rng(0).normal(size=(sample.dimension, _DIRECTIONS))
    return {
        "features": list(sample.features),
        "events": len(sample),
        "yield": rounded(sample.total_weight, total),
        "sum_of_squares": rounded(float((sample.weights**2).sum())),
        "mean": [rounded(m, s) for m, s in zip(mean, size, strict=True)],
        "deviation": [rounded(d, s) for d, s in zip(deviation, size, strict=True)],
        "shape": [rounded(c, 1.0) for c in share @ np.cos(z @ directions)],
    }


def rounded(value: float, size: float | None = None) -> float:
    """A value with so many digits of the numbers that were added up to it: what cancels leaves only their rounding."""
    size = abs(value) if size is None else size
    if not size > 0:
        return 0.0
    return round(float(value), _DIGITS - 1 - int(np.floor(np.log10(size)))) + 0.0


def _plain(value: Any) -> Any:
    """The document with 9 for 9.0, which is the same setting."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _pairs(here: Any, there: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every value that is not a mapping, from both sides, with the dotted path to it; None is a mapping of nothing."""
    if (here is None and there is None) or not all(isinstance(value, Mapping | None) for value in (here, there)):
        yield name, here, there
        return
    one, other = here or {}, there or {}
    for key in dict.fromkeys([*one, *other]):
        yield from _pairs(one.get(key), other.get(key), f"{name}.{key}" if name else key)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
