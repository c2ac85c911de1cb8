"""A sweep over numbers of events in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm.wording.numbers import count, format_z, printable
from nplm.wording.tables import aligned

if TYPE_CHECKING:
    from nplm.two_sample.sweep import Crossing, TwoSampleSweep

SWEEP_HEAD = ("events each", "median Z", "16% to 84%")


def sweep_rows(sweep: TwoSampleSweep) -> list[tuple[str, ...]]:
    """A row for each size, with the columns of `SWEEP_HEAD`."""
    low, high = sweep.band
    return [
        (f"{size:,}", format_z(z), f"{format_z(a)} to {format_z(b)}")
        for size, z, a, b in zip(sweep.sizes, sweep.median.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def crossing_text(crossing: Crossing, sweep: TwoSampleSweep) -> str:
    """At which size the median reaches a level."""
    level = f"a median Z of {crossing.level:g}"
    if crossing.kind == "below":
        return f"{level} is reached with fewer than {sweep.sizes[0]:,} events each"
    if crossing.events is None:
        return f"{level} is out of reach: at {sweep.sizes[-1]:,} events each the samples hardly differ"
    events = f"{float(f'{crossing.events:.2g}'):,.0f}"
    if crossing.kind == "interpolated":
        return f"{level} is reached with about {events} events each"
    return f"{level} would be reached with about {events} events each (extrapolated: Z grows as the root of the size)"


def sweep_text(sweep: TwoSampleSweep) -> str:
    """Table, crossings and cautions."""
    a, b = (printable(name) for name in sweep.sample_names)
    return "\n".join(
        [
            f"NPLM: {a} and {b} told apart; {count(sweep.z.shape[1], 'subsample')} of each size, Z from the normal"
            " distribution",
            *aligned([SWEEP_HEAD, *sweep_rows(sweep)]),
            *(f"  {crossing_text(crossing, sweep)}" for crossing in sweep.crossings),
            *(f"  caution    {text}" for text in sweep.notes),
        ]
    )
