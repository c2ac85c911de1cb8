"""What a test of a family looks at, in plain words."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from nplm.family.intervals import Interval, standing_out
from nplm.family.member import Member
from nplm.family.settings import ALL, COUNT, MOMENTS, ONE, RARITY, RAW, YIELD
from nplm.family.statistic import Seen

_SPREADS = {1: "mean", 2: "spread"}
# Yields that differ by less than this share do not move what is expected in an interval.
_OTHER = 0.01


def test_name(member: Member, features: tuple[str, ...]) -> str:
    """A short name that tells tests apart: eta, scale 0.2, penalty 0.01."""
    if member.subset:
        whole = "number of events" if member.kind == COUNT else test_name(replace(member, subset=""), features)
        return f"{whole}, {member.subset}"
    if member.kind == YIELD:
        return YIELD
    names = [features[j] for j in member.features]
    if member.scale is None:
        return _product_name(names) + _as_it_is(member) + (", the others known" if member.residual else "")
    together = {ALL: "all features", RAW: "all features as they are", RARITY: "all features, rare events more"}
    who = together.get(member.kind, " with ".join(names))
    return f"{who}, scale {member.scale:.2g}, penalty {member.penalty:.3g}"


def interval_name(feature: str) -> str:
    """The test of all intervals of a feature."""
    return f"interval of {feature}"


def test_names(seen: Seen, features: tuple[str, ...]) -> list[str]:
    """Names of all tests: of kernels and products, then of the intervals of each feature."""
    names = [test_name(member, features) for _, member in seen.members]
    return names + [interval_name(features[each.feature]) for each in seen.intervals]


def number_of(seen: Seen, leading: int | Interval) -> tuple[int, tuple[int, ...]]:
    """Number of the leading test among these names, and the numbers of the features that it looks at."""
    if isinstance(leading, Interval):
        return len(seen.members) + seen.intervals.index(leading.among), (leading.feature,)
    return leading, seen.members[leading][1].features


def leading_words(seen: Seen, leading: int | Interval, features: tuple[str, ...]) -> str:
    """The leading test as part of a sentence: which features, at which scale, and where.

    Arguments:
        seen: the samples, in all members.
        leading: number of the member, or an interval.
        features: names of all features.
    """
    where = where_words(seen, leading, features)
    if isinstance(leading, Interval):
        return f"in one interval{where}"
    member = seen.members[leading][1]
    among = f" among {member.subset}" if member.subset else ""
    if member.kind == COUNT:
        return f"in the number of events{among}"
    if member.kind == YIELD:
        return "in the yield"
    names = [features[j] for j in member.features]
    if member.scale is None:
        known = " once the others are known" if member.residual else ""
        words = f"in the {_product_name(names)}{_as_it_is(member)}{known}{among}"
    elif member.kind == ALL:
        words = f"in all {len(names)} features together{among}, at {_scale_words(member.scale)}"
    elif member.kind == RARITY:
        many = f"all {len(names)} features together" if len(names) > 1 else names[0]
        words = f"in {many} where rare events by the score count more, at {_scale_words(member.scale)}"
    elif member.kind == RAW:
        who = "in all features as they are" if len(names) > 1 else f"in {names[0]} as it is"
        words = f"{who}{among}, at a scale of {member.scale:.2g} standard deviations"
    elif member.kind == ONE:
        words = f"in {names[0]} alone{among}, at {_scale_words(member.scale)}"
        if not among:
            words += f" ({seen.width(member.features[0], member.scale):.2g} in {names[0]})"
    else:
        words = f"in {names[0]} and {names[1]} together{among}, at {_scale_words(member.scale)}"
    return f"{words}, most of it{where}" if where else words


def words_of_test(words: str, *, whole: bool) -> str:
    """The words for what leads, where A is the reference of a test and B the data.

    Arguments:
        words: as of two samples.
        whole: whether events of the data have weight one, so that only the reference is effective.
    """
    if whole:
        words = words.replace(" effective events of B where ", " events of B where ")
    return words.replace(" events of B where ", " events of the data where ").replace(
        " are expected from A", " are expected"
    )


def leading_interval(seen: Seen, leading: int | Interval) -> Interval | None:
    """The interval that leads, or which stands out most in the one feature that the leading member looks at.

    Intervals are of all events: of a member of a subset there is none.
    """
    if isinstance(leading, Interval):
        return leading
    member = seen.members[leading][1]
    if member.subset:
        return None
    looked_at = set(member.features)
    return standing_out([each for each in seen.intervals if looked_at == {each.feature}])


def scaled_words(observed: float, expected: float, whose: str) -> str:
    """That what is expected in an interval is scaled, where yields are compared and differ; else nothing."""
    return f", scaled to the yield of {whose}" if abs(observed / expected - 1) > _OTHER else ""


def where_words(seen: Seen, leading: int | Interval, features: tuple[str, ...]) -> str:
    """That interval, with its numbers of events; nothing without one."""
    found = leading_interval(seen, leading)
    if found is None:
        return ""
    name, (low, high) = features[found.feature], (f"{x:.4g}" for x in seen.edges(found))
    place = f"at {name} = {low}" if low == high else f"between {name} = {low} and {high}"
    a, b = seen.names
    unit = "events" if seen.unit_masses else "effective events"
    return f" {place}: {found.observed:,.4g} {unit} of {b} where {found.expected:,.4g} are expected from {a}"


def _product_name(names: list[str]) -> str:
    counts = Counter(names)
    if len(counts) == 1:
        return f"{_SPREADS[len(names)]} of {names[0]}"
    return f"correlation of {', '.join(names[:-1])} and {names[-1]}"


def _as_it_is(member: Member) -> str:
    return " as it is" if member.kind == MOMENTS else ""


def _scale_words(scale: float) -> str:
    return f"a scale of {scale:.2g} standard deviations of the ranks"
