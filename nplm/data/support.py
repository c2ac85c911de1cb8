"""Where data lie that the reference does not know, and what repeats: words for a reader, before any fit.

Each is a function of the two samples alone, so any test may say it. Samples of one distribution are remarked on in
about a tenth of a percent of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import ndtri_exp

from nplm.data.sample import Sample

# Yields that differ by more than this factor are rather not in the same units than different.
LARGEST_FACTOR = 10.0
# Toys of more events, and of more times those of the data, are refused.
_MOST_EVENTS, _HOPELESS = 1e6, 1e3
# Probability, under the null and for all features together, of a remark on where the data lie.
_CHANCE = 1e-3
# Share of the events of a gap that must have one value for it to be called a default value.
_ONE_VALUE = 0.8
# More gaps of a feature than these are not listed one by one.
_LISTED = 3
# Repeated pairs of events beyond what the other sample leads to expect: as many, and as a multiple.
_PAIRS, _TIMES = 5, 5


def yields_apart(expected: float, observed: float) -> str | None:
    """Words for yields that differ by more than a factor of ten, as they do if nobody has scaled the reference.

    Arguments:
        expected: sum of the reference's weights.
        observed: sum of the data's weights.
    """
    if 1 / LARGEST_FACTOR <= (observed or 1.0) / expected <= LARGEST_FACTOR:  # none seen is as one, a whole number
        return None
    return (
        f"the reference expects {expected:g} events, but the data have {observed:g}: t tells these apart before"
        " anything else. If the reference is not scaled to the data, name the yields (FILE=YIELD or --expected-yield),"
        " or test the shape only (--shape-only)"
    )


def require_toys_of_such_yields(expected: float, observed: float) -> None:
    """Refuses to draw toys of a million events or more where they are a thousand times those of the data.

    Such toys take all memory, for an answer that is known: the reference was not scaled to the data.

    Arguments:
        expected: sum of the reference's weights.
        observed: sum of the data's weights.

    Raises:
        ValueError: with `yields_apart`.
    """
    if expected > _MOST_EVENTS and expected > _HOPELESS * max(observed, 1.0):
        raise ValueError(f"{yields_apart(expected, observed)}; toys of so many events are not drawn")


@dataclass(frozen=True)
class Outside:
    """Data events where the reference has none, which no model can say much about: counted on their own.

    If both samples are drawn from one distribution, any of the n_R + 1 gaps between values of the reference holds k or
    more of the n_D data events with probability f^k at most, f = rho / (1 + rho) with rho = n_D / n_R the number of
    data events for each of the reference; so for all gaps of d features together p <= d (n_R + 1) f^k. Where events
    have weights rho is the largest that weights allow anywhere, N_D max|w_R| / (N(R) min|w_D|): few heavy events of the
    reference may leave room for many light ones of the data.

    Arguments:
        feature: its name.
        events: k, of the gap that holds the most.
        words: for a reader.
        log_p_value: natural logarithm of that limit of p.
    """

    feature: str
    events: int
    words: str
    log_p_value: float

    @property
    def p_value(self) -> float:
        """The limit of p; 0 where it is below all numbers."""
        return float(np.exp(self.log_p_value))

    @property
    def z(self) -> float:
        """One-sided Z-score of the limit."""
        return float(-ndtri_exp(self.log_p_value))

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {**asdict(self), "p_value": self.p_value, "z": self.z}


def remarks_on_two(a: Sample, b: Sample) -> tuple[str, ...]:
    """`support_remarks` of two samples of which neither is the reference: each where the other has no events.

    Arguments:
        a, b: with the same features.
    """
    first, second = _used(a), _used(b)
    if not len(first) or not len(second):
        return ()
    outside = [
        each.words for x, y in ((first, second), (second, first)) for each in Support.of(x, held=False).outside(y)
    ]
    return (*outside, *_repeated(first, second))


def support_remarks(reference: Sample, data: Sample, support: Support | None = None) -> tuple[str, ...]:
    """Words for data where the reference has no events, feature by feature, and for repeated events.

    Arguments:
        reference, data: with the same features; events of weight zero do not count.
        support: of the reference, if it is known already.
    """
    used, seen = _used(reference), _used(data)
    if not len(used) or not len(seen):
        return ()
    found = (support or Support.of(reference, held=False)).outside(data)
    return (*(each.words for each in found), *_repeated(used, seen))


@dataclass(frozen=True, eq=False)
class Support:
    """Where a reference has events, for many samples of data.

    Arguments:
        reference: its name.
        features: their names.
        values: of each feature, increasing; made as they are asked for where only one sample of data is looked at.
        weight: the largest |w| / N(R); None where nothing is expected.
    """

    reference: str
    features: tuple[str, ...]
    values: Sequence[Float64[np.ndarray, " _"]]
    weight: float | None

    @classmethod
    def of(cls, reference: Sample, *, held: bool = True) -> Support:
        """That of the events whose weight is not zero.

        Arguments:
            reference: the sample.
            held: whether its sorted values are kept, for many samples of data.
        """
        used = _used(reference)
        values: Sequence[np.ndarray] = _Sorted(used)
        if held:
            values = tuple(values)
        expects = used.total_weight > 0
        largest = float(np.abs(used.weights).max()) / used.total_weight if expects else None
        return cls(reference.name, reference.features, values, largest)

    def outside(self, data: Sample) -> tuple[Outside, ...]:
        """Gaps between values of the reference, and beyond them, that hold more data events than chance does.

        Arguments:
            data: with the same features; events of weight zero do not count.
        """
        seen = _used(data)
        if not len(seen) or self.weight is None:
            return ()
        size = np.abs(seen.weights)
        log_share = -np.log1p(1 / (self.weight * size.sum() / size.min()))
        if log_share == 0:  # of weights so unlike that they leave room for any number
            return ()
        return tuple(found for j in range(len(self.features)) for found in self._of_feature(seen, j, log_share))

    def beyond_words(self, feature: int, x: Float64[np.ndarray, " k"]) -> str:
        """Words for all values that are beyond one end of the range of a feature, given by its number.

        Arguments:
            feature: its number.
            x: the values, increasing.
        """
        values = self.values[feature]
        gap = 0 if x[0] < values[0] else len(values)
        return _gap_words(self.reference, values, gap, x, self.features[feature])

    def _of_feature(self, data: Sample, j: int, log_share: float) -> list[Outside]:
        """Those of one feature; values that the reference has as well are in no gap."""
        name, values, x = self.features[j], self.values[j], np.sort(data.events[:, j])
        above = np.searchsorted(values, x)
        unknown = values[above.clip(max=len(values) - 1)] != x
        if not unknown.all():
            x, above = x[unknown], above[unknown]
        if not len(x):
            return []
        ways = np.log(len(self.features) * (len(values) + 1))
        least = (np.log(_CHANCE) - ways) / log_share
        gaps, first, counts = np.unique(above, return_index=True, return_counts=True)
        crowded = np.flatnonzero(counts >= least)
        if len(crowded) > _LISTED:
            at = crowded[np.argmax(counts[crowded])]
            middle = np.median(x[first[at] : first[at] + counts[at]])
            words = (
                f"{counts[crowded].sum()} events crowd between neighbouring values of {name} in {data.name} that"
                f" {self.reference} has none at, such as {counts[at]} at {middle:g}: is"
                " it rounded or cut in another way there?"
            )
            return [Outside(name, int(counts[at]), words, float(ways + counts[at] * log_share))]
        return [
            Outside(
                name,
                int(counts[i]),
                _gap_words(self.reference, values, gaps[i], x[first[i] : first[i] + counts[i]], name),
                float(ways + counts[i] * log_share),
            )
            for i in crowded
        ]


class _Sorted(Sequence[np.ndarray]):
    """Values of each feature of a sample, sorted when they are asked for: all at once would be another copy of it."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def __len__(self) -> int:
        return len(self._sample.features)

    def __getitem__(self, feature: Any) -> Any:
        if not 0 <= feature < len(self):
            raise IndexError(feature)
        return np.unique(self._sample.events[:, feature])


def _used(sample: Sample) -> Sample:
    """The events whose weight is not zero."""
    counts = sample.weights != 0
    return sample if counts.all() else sample.select(counts)


def _gap_words(
    reference: str, values: Float64[np.ndarray, " r"], gap: int, x: Float64[np.ndarray, " k"], name: str
) -> str:
    nothing = f"where {reference} has none"
    distinct, counts = np.unique(x, return_counts=True)
    most = counts.argmax()
    if counts[most] > max(1, _ONE_VALUE * len(x)):
        return f"{counts[most]} events at {name} = {distinct[most]:g}, {nothing}: a default value?"
    if gap in (0, len(values)):
        # One that is far out must be known by its value, and several by that of the outermost.
        furthest = x[0] if gap == 0 else x[-1]
        beyond = f"beyond the range of {reference} [{values[0]:g}, {values[-1]:g}]"
        if len(x) == 1:
            return f"1 event has {name} = {furthest:g}, {beyond}"
        return f"{len(x)} events have {name} {beyond}, {'down' if gap == 0 else 'up'} to {furthest:g}"
    return f"{len(x)} events have {name} between {values[gap - 1]:g} and {values[gap]:g}, {nothing}"


def _repeated(reference: Sample, data: Sample) -> list[str]:
    """Events that are equal in all features to another one of their sample, where the other sample shows no reason.

    Of n_a n_b pairs of a reference and a data event as many are equal, by the null, as of the n (n - 1) / 2 pairs
    within a sample: rounded or discrete features, and toys drawn with replacement, explain themselves.
    """
    counts = _copies(reference, data)
    alike = float(np.prod(counts, axis=1).sum()) / (len(reference) * len(data))
    words = []
    for sample, count in zip((reference, data), counts.T, strict=True):
        pairs = float((count * (count - 1)).sum()) / 2
        if pairs > max(_PAIRS, _TIMES * alike * len(sample) * (len(sample) - 1) / 2):
            words.append(
                f"{int((count[count > 1] - 1).sum())} of the {len(sample)} events of {sample.name} repeat another one"
                f" in all features, up to {int(count.max())} times: was a file read twice?"
            )
    return words


def _copies(reference: Sample, data: Sample) -> Int64[np.ndarray, "k 2"]:
    """How often each event that occurs more than once in the two samples together occurs in either."""
    # One continuous feature leaves hardly any: rows are compared only where each of their values occurs again.
    rows = np.arange(len(reference) + len(data))
    for first, second in zip(reference.events.T, data.events.T, strict=True):
        values = np.concatenate([first, second])[rows]
        order = np.argsort(values)
        same = values[order[1:]] == values[order[:-1]]
        again = np.zeros(len(rows), dtype=bool)
        again[order[1:]] |= same
        again[order[:-1]] |= same
        rows = rows[again]
    of_data = rows >= len(reference)
    events = np.concatenate([reference.events[rows[~of_data]], data.events[rows[of_data] - len(reference)]])
    distinct, of = np.unique(events, axis=0, return_inverse=True)
    return np.column_stack([np.bincount(of[of_data == which], minlength=len(distinct)) for which in (False, True)])
