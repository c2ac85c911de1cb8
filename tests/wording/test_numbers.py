"""Numbers as a verdict says them."""

from __future__ import annotations

import pytest

from nplm.wording.numbers import format_share


@pytest.mark.parametrize(
    ("p", "words"),
    [
        *[(1.0, "100%"), (0.996, "100%"), (0.994, "99%"), (0.45, "45%"), (0.0123, "1.2%"), (1e-3, "0.1%")],
        *[(4e-4, "one in 2,500"), (1e-6, "one in 1,000,000"), (1e-12, "one in 10^12"), (0.0, "one in 10^300")],
    ],
)
def test_shares(p: float, words: str) -> None:
    assert format_share(p) == words
