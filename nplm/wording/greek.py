"""Greek letters, where a page can show them."""

from __future__ import annotations


def chi(text: str) -> str:
    """Our own words with chi2 in Greek."""
    return text.replace("chi2", "χ²")
