"""A result on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.verdict import verdict
from nplm.wording.numbers import p_text, printable, z_text
from nplm.wording.standing import kind_text
from nplm.wording.tables import labelled

if TYPE_CHECKING:
    from nplm.hypotest.result import Result


def result_text(result: Result) -> str:
    """Verdict, key numbers and cautions in at most 100 columns of ASCII (names from files excepted)."""
    features = f"{len(result.features)}: {', '.join(printable(f) for f in result.features)}"
    rows = [*key_numbers(result).items(), ("features", features)]
    rows += [("caution", printable(text)) for text in cautions(result)]
    return "\n".join([f"NPLM test: {verdict(result).title}", *labelled(rows)])


def result_line(result: Result) -> str:
    """The answer on one line: t = 36.62, p = 0.0196, Z = 2.06 (empirical; a limit of the toys: none exceeds t)."""
    remark = "; not calibrated" if result.calibration.kind == "chi2 given" and not result.calibration.toys else ""
    if result.calibration.limit:
        remark = "; a limit of the toys: none exceeds t"
    stands_on = f"{kind_text(result.calibration.kind)}{remark}"
    return f"t = {result.t:.2f}, {p_text(result.p_value)}, {z_text(result.z)} ({stands_on})"
