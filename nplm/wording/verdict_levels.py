"""What a verdict is made of, for a reader who does not know the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# One-sided Z: below the first, chance alone does this more than once in 44 tests; above the second, once in 741.
MILD = 2.0
STRONG = 3.0

Level = Literal["agreement", "watch", "mild", "strong", "undecided", "uncalibrated", "failed"]


@dataclass(frozen=True)
class Verdict:
    """What the numbers say.

    Arguments:
        level: for colours and programs.
        title: a few words.
        sentence: the answer with its p-value and Z.
    """

    level: Level
    title: str
    sentence: str


def interrupted(toys: str, numbers: str) -> Verdict:
    """The verdict of a run that was interrupted before its toys could tell.

    Arguments:
        toys: that were done, counted in words.
        numbers: what they give.
    """
    return Verdict(
        "undecided",
        "Undecided: interrupted",
        f"The run was interrupted after {toys}, which is too few for an answer ({numbers}). The same command goes on"
        " with them where it writes a folder (-o).",
    )


def where_apart(rate_z: float, shape_z: float | None) -> str:
    """Which of yield and shape differs, to follow a verdict; empty if neither stands out on its own.

    Arguments:
        rate_z, shape_z: Z of each; None where that of the shape is not known.
    """
    if shape_z is None:
        return " in the yield; the shape is not known apart" if rate_z >= MILD else ""
    if rate_z >= MILD and shape_z >= MILD:
        return " in yield and shape"
    if rate_z >= MILD:
        return " in the yield; the shape agrees"
    return " in the shape; the yield agrees" if shape_z >= MILD else ""
