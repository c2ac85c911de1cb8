"""What two samples are to the reader of a page: two alike, or data and the reference that says what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nplm.two_sample.result import TwoSampleResult


@dataclass(frozen=True)
class Roles:
    """How a page speaks of samples A and B.

    Arguments:
        kind: of two finite samples, or of a reference (A) and data (B).
        question: the heading of the page.
        a, b: what they are called.
    """

    kind: Literal["samples", "test"]
    question: str
    a: str
    b: str

    @property
    def of_test(self) -> bool:
        """Whether A says what is expected of B."""
        return self.kind == "test"


SAMPLES = Roles("samples", "Are these samples from one distribution?", "A", "B")
TEST = Roles("test", "Do the data agree with the reference?", "the reference", "the data")


def roles_of(result: TwoSampleResult) -> Roles:
    """What the samples of a result are."""
    return TEST if result.of_test else SAMPLES
