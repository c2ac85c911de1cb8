"""What a test of a family looks at, in plain words."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Bool

from nplm.family.part import Member
from nplm.family.settings import ALL, ONE
from nplm.family.statistic import Family

_SPREADS = {1: "mean", 2: "spread"}


def test_name(member: Member, features: tuple[str, ...]) -> str:
    """A short name that tells tests apart: eta, scale 0.2, penalty 0.01."""
    names = [features[j] for j in member.features]
    if member.scale is None:
        return _product_name(names) + (", the others known" if member.residual else "")
    who = "all features" if member.kind == ALL else " with ".join(names)
    return f"{who}, scale {member.scale:.2g}, penalty {member.penalty:g}"


def interval_name(feature: str) -> str:
    """The test of all intervals of a feature."""
    return f"interval of {feature}"


def leading_words(family: Family, leading: int | None, feature: int | None, features: tuple[str, ...]) -> str:
    """The leading test as part of a sentence: which features, at which scale, and where.

    Arguments:
        family: of tests.
        leading: number of the member; None for an interval.
        feature: number of the feature whose intervals lead, if they do.
        features: names of all features.
    """
    if leading is None:
        assert feature is not None
        return f"in one interval{where_words(family, feature, features)}"
    member = family.members[leading][1]
    names = [features[j] for j in member.features]
    if member.scale is None:
        known = " once the others are known" if member.residual else ""
        words = f"in the {_product_name(names)}{known}"
    elif member.kind == ALL:
        words = f"in all {len(names)} features together, at {_scale_words(member.scale)}"
    elif member.kind == ONE:
        width = _local_width(family, member.features[0], member.scale)
        words = f"in {names[0]} alone, at {_scale_words(member.scale)} ({width:.2g} in {names[0]})"
    else:
        words = f"in {names[0]} and {names[1]} together, at {_scale_words(member.scale)}"
    if len(set(member.features)) == 1:
        where = where_words(family, member.features[0], features)
        words += f", most of it{where}" if where else ""
    return words


def where_words(family: Family, feature: int, features: tuple[str, ...]) -> str:
    """The interval of a feature that stands out most, with its numbers of events; nothing without intervals."""
    inside = _standing_out(family, feature)
    if inside is None:
        return ""
    *_, observed, expected = next(each for each in family.intervals if each.feature == feature).best()
    pool = family.pool
    x = pool.events[inside, feature] * pool.scaler.scale[feature] + pool.scaler.location[feature]
    low, high = f"{x.min():.4g}", f"{x.max():.4g}"
    place = f"at {features[feature]} = {low}" if low == high else f"between {features[feature]} = {low} and {high}"
    unit = "" if np.allclose(pool.masses, 1.0) else " effective"
    return f" {place}: {observed:,.4g}{unit} events of B where {expected:,.4g} are expected from A"


def _standing_out(family: Family, feature: int) -> Bool[np.ndarray, " n"] | None:
    """Which events are in the interval of a feature that stands out most; None without intervals."""
    for interval in family.intervals:
        if interval.feature == feature:
            start, stop, *_ = interval.best()
            return np.asarray((interval.cell >= start) & (interval.cell < stop))
    return None


def _local_width(family: Family, feature: int, scale: float) -> float:
    """A scale of normal scores in the units of a feature, where it stands out most or else in its middle."""
    ranks = family.scales[feature]
    inside = _standing_out(family, feature)
    middle = 0.0 if inside is None else float(ranks(family.pool.events[inside, feature]).mean())
    low, high = np.interp([middle - scale / 2, middle + scale / 2], ranks.scores, ranks.values)
    return float(high - low) * float(family.pool.scaler.scale[feature])


def _product_name(names: list[str]) -> str:
    counts = Counter(names)
    if len(counts) == 1:
        return f"{_SPREADS[len(names)]} of {names[0]}"
    return f"correlation of {', '.join(names[:-1])} and {names[-1]}"


def _scale_words(scale: float) -> str:
    return f"a scale of {scale:.2g} standard deviations of the ranks"
