"""What two samples are to the reader of a page: two alike, or data and the reference that says what is expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nplm.two_sample.result import TwoSampleResult

# What the words of a family say for those who know it: the scale of its kernels.
_SCALE = re.compile(r", at a scale of [^ ]+ standard deviations(?: of the ranks)?(?: \([^ ]+ in .*?\))?(?=, |$)")


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


def plain_words(result: TwoSampleResult, roles: Roles) -> str:
    """What the leading test of shapes found, without its scale; empty without words.

    In met alone, mainly between met = 42 and 92: 954 events of the data where 705 are expected.
    """
    words = _SCALE.sub("", result.leading_words).replace(", most of it between ", ", mainly between ")
    words = words.replace(", most of it at ", ", mainly at ")
    return words if not roles.of_test else in_roles(words, result, roles)


def in_roles(words: str, result: TwoSampleResult, roles: Roles) -> str:
    """The words of the leading test, which speak of A and B, with what these are to the reader."""
    # Events of data have weight one, unless they are weighted themselves: only the reference is "effective" then.
    if result.effective_sizes[1] > (1 - 1e-9) * result.sizes[1]:
        words = words.replace(" effective events of B where ", " events of B where ")
    words = words.replace(" events of B where ", f" events of {roles.b} where ")
    return words.replace(" are expected from A", " are expected")
