"""The result of a bump hunt with a classifier, frozen, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nplm.hunt.result import Dropped, z_of
from nplm.wording.numbers import count, format_duration, format_p, format_z, p_text, printable, z_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG

_ROWS = 8


@dataclass(frozen=True)
class Cut:
    """One window, and one share of the sidebands that was kept.

    Arguments:
        keep: the share.
        start, stop: the ends of the window.
        log_p: of an excess as large, by itself.
        z: of its score; negative for a deficit.
        kept: number of events in the whole spectrum.
        observed, expected: sums of v g in the window, and those of the smooth fit.
        degree: of the fit.
    """

    keep: float
    start: float
    stop: float
    log_p: float
    z: float
    kept: int
    observed: float
    expected: float
    degree: int


@dataclass(frozen=True, eq=False)
class ClassifierHuntResult:
    """The answer of `classifier_hunt`.

    Arguments:
        log_p: log of the global p-value, of all windows and cuts (Bonferroni); NaN if there is none.
        resonance: name of the resonant feature m.
        features: names of the others.
        cuts: of each window the cuts that were tested.
        tests: number of windows times cuts that p accounts for, dropped ones included.
        dropped: windows and cuts that were not tested.
        blocks: of events.
        events: number of events.
        cut_events: number of those in blocks that are cut; the others are for training alone.
        seconds: wall time.
        seed: of the blocks.
        versions: of nplm, Python and the packages that compute.
    """

    log_p: float
    resonance: str
    features: tuple[str, ...]
    cuts: tuple[Cut, ...]
    tests: int
    dropped: tuple[Dropped, ...]
    blocks: int
    events: int
    cut_events: int
    seconds: float
    seed: int
    versions: Mapping[str, str]

    @property
    def p_value(self) -> float:
        """The p-value that accounts for all windows and cuts."""
        return float(np.exp(self.log_p))

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return z_of(self.log_p)

    @property
    def leading(self) -> Cut | None:
        """The window and cut with the smallest p-value, if any was tested."""
        return min(self.cuts, key=lambda cut: cut.log_p, default=None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers."""
        found = []
        if self.z >= MILD:
            found.append(
                f"features that change with {self.resonance} otherwise than by a smooth mean and width tell a"
                " classifier where an event is, and a cut on it makes a bump of a smooth background, which bump_hunt"
                " allows for"
            )
        if self.dropped:
            first = self.dropped[0]
            more = "" if len(self.dropped) == 1 else f", and {len(self.dropped) - 1} more for reasons of this kind"
            found.append(
                f"not tested: {self.resonance} = {first.start:.4g} to {first.stop:.4g}, where {first.reason}{more}"
            )
        return tuple(found)

    def __repr__(self) -> str:
        return _text(self)


def _text(result: ClassifierHuntResult) -> str:
    """Verdict, table of the leading cuts, key numbers and cautions."""
    cuts = sorted(result.cuts, key=lambda cut: cut.log_p)[:_ROWS]
    rows = [("window", "keeps", "local p", "observed", "smooth", "kept in all")]
    rows += [
        (
            f"{cut.start:.4g} to {cut.stop:.4g}",
            f"{100 * cut.keep:g}%",
            format_p(float(np.exp(cut.log_p))),
            f"{cut.observed:,.4g}",
            f"{cut.expected:,.4g}",
            f"{cut.kept:,}",
        )
        for cut in cuts
    ]
    numbers = {
        "p-value": f"{format_p(result.p_value)} for {count(result.tests, 'test')}, the smallest times their number",
        "Z": format_z(result.z),
        "data": f"{count(result.events, 'event')}, of which {result.cut_events:,} are cut",
        "blocks": f"{result.blocks}, each cut by what was trained on those before it",
        "features": f"{len(result.features)}: {', '.join(printable(name) for name in result.features)}",
        "time": format_duration(result.seconds),
    }
    lines = [(name, printable(value)) for name, value in numbers.items()]
    lines += [("caution", printable(text)) for text in result.notes]
    table = aligned(rows, right=range(1, 6)) if cuts else []
    return "\n".join([f"NPLM hunt with a classifier: {_title(result)}", *table, *labelled(lines)])


def _title(result: ClassifierHuntResult) -> str:
    name, leading = printable(result.resonance), result.leading
    if leading is None:
        return f"Undecided: no cut leaves a smooth spectrum of {name} with enough events"
    if result.z < MILD:
        return f"Nothing localized in {name}"
    level = "Mild" if result.z < STRONG else "Strong"
    where = f"between {name} = {leading.start:.4g} and {leading.stop:.4g}"
    return f"{level} excess {where}, {p_text(result.p_value)}, {z_text(result.z)}"
