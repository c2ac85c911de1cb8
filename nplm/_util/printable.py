"""Names from outside, as a terminal, a page or a file of text can show them."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, with escapes for what cannot be printed.

    The names of files and columns may hold anything: commands to the terminal, ends of lines, and bytes that are no
    UTF-8, which no file of text can hold.
    """
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    # So Python keeps a byte that is no UTF-8.
    byte = ord(character) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]
