"""Which of yield and shape a verdict names."""

from __future__ import annotations

import pytest

from nplm.wording.verdict_levels import where_apart


@pytest.mark.parametrize(
    ("rate", "shape", "words"),
    [
        (3.0, None, " in the yield; the shape is not known apart"),
        (1.0, None, ""),
        (1.0, 1.0, ""),
    ],
)
def test_words_where_little_is_known(rate: float, shape: float | None, words: str) -> None:
    assert where_apart(rate, shape) == words
