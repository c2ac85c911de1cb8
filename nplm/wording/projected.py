"""What is said before a long run: how long it takes, and what would be quicker."""

from __future__ import annotations

from collections.abc import Sequence

from nplm.wording.durations import format_seconds

# Shorter runs are waited for.
_LONG = 60.0
# The fewest toys that check an asymptotic null.
_FEWER = 50
# What `nplm test` has for each model. One kernel is asked for by an option of its own.
QUICKER_TESTS = {
    "network": ("the family of tests (without --model)", "--model kernel --centers 200"),
    "falkon": ("the family of tests (without --model)", "--model kernel --centers 200"),
    "kernel": ("--calibrate asymptotic, without toys", "fewer --centers"),
}
# What commands have that need toys of one model.
QUICKER_TOYS = {
    "network": ("--model kernel",),
    "falkon": ("--model kernel",),
    "kernel": ("fewer --centers",),
}


def projection(seconds: float, toys: int, what: str, quicker: Sequence[str]) -> str:
    """The line that tells how long a run is projected to take, and, if that is long, what would take less.

    Arguments:
        seconds: projected, on all cores.
        toys: how many of them are to be run.
        what: what is run, in words.
        quicker: other models or options, in words.
    """
    said = f"projected time: at most {format_seconds(seconds)} for {what}"
    if not seconds > _LONG:
        return said
    choices = list(quicker)
    if toys > _FEWER:
        choices.append(f"fewer toys (with {_FEWER} of {toys}: {format_seconds(seconds * _FEWER / toys)})")
    return f"{said}; quicker: {', or '.join(choices)}" if choices else said
