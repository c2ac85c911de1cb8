"""Names from outside on one line of text."""

from __future__ import annotations

import os

from nplm._util.printable import printable


def test_what_can_be_printed_stays_and_all_else_is_escaped() -> None:
    assert printable("run 7, é 漢 'x'") == "run 7, é 漢 'x'"
    assert printable("a\nb\x1b[2J\tc") == r"a\nb\x1b[2J\tc"
    assert printable(os.fsdecode(b"r\xff\x80.npz")) == r"r\xff\x80.npz"
    assert printable("\ud800\udc7f").encode() == rb"\ud800\udc7f"
