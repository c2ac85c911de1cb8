"""The names of what a p-value stands on: as they are given, as they were given before, and as people read them."""

from __future__ import annotations

from typing import TypeVar, cast

# Names that calibrations had before; they are taken still.
_OLDER = {
    "analytic": "asymptotic",
    "analytic+toys": "asymptotic+toys",
    "toys+analytic": "toys+asymptotic",
    "rare": "importance",
}
# What files call these kinds; it stays, so that older files and programs that read them go on.
_KINDS = {
    "analytic": "asymptotic",
    "analytic fitted": "asymptotic fitted",
    "analytic joint": "asymptotic joint",
    "rare": "importance sampling",
}

Given = TypeVar("Given")


def calibration_name(given: Given) -> Given:
    """The present name of a calibration that is given by an older one; anything else as it is."""
    return cast("Given", _OLDER.get(given, given)) if isinstance(given, str) else given


def kind_text(kind: str) -> str:
    """What people read for the kind of a p-value."""
    return _KINDS.get(kind, kind)
