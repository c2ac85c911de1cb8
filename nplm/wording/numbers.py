"""How numbers are written: p-values, Z-scores, their intervals and limits."""

from __future__ import annotations

import math

from nplm.stats.goodness_of_fit import Compatibility

# Below this a p-value from an asymptotic null has lost its meaning, and soon its digits.
SMALLEST_P = 1e-300
LARGEST_Z = 37.0
INTERVAL = "68% interval"


def printable(text: str) -> str:
    """Text from a file without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def format_p(p: float) -> str:
    """A p-value with two or three significant digits: 0.0149, 0.60, 3.1e-07."""
    if math.isnan(p):
        return "undefined"
    if p < SMALLEST_P:
        return f"< {SMALLEST_P:g}"
    if 0.1 <= p < 1:
        return f"{p:.2f}"
    return f"{p:.3g}" if 1e-3 <= p < 0.1 else f"{p:.2g}"


def format_z(z: float) -> str:
    """A Z-score with two decimals; that of p = 1, which is below all numbers, is < 0."""
    if math.isnan(z):
        return "undefined"
    if math.isinf(z):
        return f"> {LARGEST_Z:g}" if z > 0 else "< 0"
    return f"{z:.2f}"


def p_text(p: float) -> str:
    """A p-value with its relation: p = 0.0149, or p < 1e-300 beyond all digits."""
    text = format_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def z_text(z: float) -> str:
    """A Z-score with its relation: Z = 2.17, Z > 37 beyond all digits, or Z < 0 where p is 1."""
    text = format_z(z)
    return f"Z {text}" if text.startswith((">", "<")) else f"Z = {text}"


def p_interval_text(interval: tuple[float, float]) -> str:
    """An interval of p-values; an end at 0 or 1 makes it a limit."""
    low, high = interval
    if low == 0:
        return f"below {format_p(high)}"
    return f"above {format_p(low)}" if high == 1 else f"{format_p(low)} to {format_p(high)}"


def z_interval_text(interval: tuple[float, float]) -> str:
    """An interval of Z-scores; an infinite end makes it a limit."""
    low, high = interval
    if math.isinf(high):
        return f"above {format_z(low)}"
    return f"below {format_z(high)}" if math.isinf(low) else f"{format_z(low)} to {format_z(high)}"


def format_duration(seconds: float) -> str:
    """A time that was measured: 0.03 s, 12.3 s, 4.2 min."""
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count(number: int, thing: str, things: str | None = None) -> str:
    """1 toy, 20,000 toys; of what is not more with an s, the plural is given."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def yields_text(observed: float, expected: float) -> str:
    """2,123 observed / 3,000 expected = 0.708."""
    return f"{observed:,.6g} observed / {expected:,.6g} expected = {round(observed / expected, 12):.3g}"


def check_words(check: Compatibility) -> str:
    """What toys say of an asymptotic null in one word, or in a few where one of the tests alone would refuse it."""
    if not check.accepted:
        return "refused"
    name, p = check.weakest
    return "accepted" if check.unanimous else f"not refuted ({name} alone: {p_text(p)})"


def format_share(p: float) -> str:
    """A probability in percent, or as one in so many; one below 1e-300 has no digits left."""
    if p >= 1e-3:
        return f"{100 * p:.2g}%" if p < 0.995 else f"{100 * p:.0f}%"
    if p >= 1e-9:
        return f"one in {float(f'{1 / p:.2g}'):,.0f}"
    return f"one in 10^{-math.log10(max(p, SMALLEST_P)):.0f}"


def share_of(p: float, samples: str, *, limit: bool = False) -> str:
    """How often chance does something: about 2.3% of samples, no more than about one in 200 samples.

    Arguments:
        p: the probability.
        samples: in which it happens, in the plural.
        limit: whether p is an upper limit.
    """
    share = format_share(p)
    counted = f"{share} of {samples}" if share.endswith("%") else f"{share} {samples}"
    if p < SMALLEST_P:
        return f"fewer than {counted}"
    return f"{'no more than ' * limit}about {counted}"
