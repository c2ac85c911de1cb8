"""A matrix of comparisons in words."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from nplm.two_sample.result_text import plain_words, two_sample_line
from nplm.wording.numbers import count, format_p, format_z, printable
from nplm.wording.tables import WIDTH, aligned
from nplm.wording.verdict_levels import MILD

if TYPE_CHECKING:
    from nplm.two_sample.matrix import TwoSampleMatrix

MATRIX_HEAD = ("samples", "p", "adjusted p", "adjusted Z", "most in")
NO_LIMIT = "no limit"


def matrix_rows(matrix: TwoSampleMatrix) -> list[tuple[str, ...]]:
    """A row for each pair, with the columns of `MATRIX_HEAD`."""
    rows: list[tuple[str, ...]] = []
    for (first, second), result in matrix.results.items():
        i, j = matrix.names.index(first), matrix.names.index(second)
        rows.append(
            (
                f"{printable(first)} - {printable(second)}",
                format_p(result.p_value),
                format_p(float(matrix.adjusted[i, j])),
                adjusted_z_text(float(matrix.z[i, j]), result.calibration.limit),
                result.names[result.leading],
            )
        )
    return rows


def adjusted_z_text(z: float, limit: bool) -> str:
    """An adjusted Z, which may be a lower limit: where the number of pairs takes p to 1, that says nothing."""
    if limit and math.isinf(z) and z < 0:
        return NO_LIMIT
    return f"at least {format_z(z)}" if limit else format_z(z)


def different_pairs(matrix: TwoSampleMatrix) -> int:
    """How many pairs differ once their number is accounted for."""
    return sum(bool(z >= MILD) for z in matrix.z[~np.isnan(matrix.z)]) // 2


def matrix_sentence(matrix: TwoSampleMatrix) -> str:
    """How many pairs differ, and which differs most, and where."""
    pairs, different = len(matrix.results), different_pairs(matrix)
    first, second = (printable(name) for name in matrix.leading)
    found = matrix.results[matrix.leading]
    leading = plain_words(found) if different else ""
    where = f", {leading}" if leading else ""
    # In the words for a pair A and B are its samples.
    where = where.replace(" of B where ", f" of {second} where ").replace(" from A", f" from {first}")
    words = {"holm": "Holm", "bonferroni": "Bonferroni", "false-discovery": "Benjamini and Hochberg"}
    return (
        f"{different or 'None'} of {count(pairs, 'pair')} {'differs' if different == 1 else 'differ'} at Z = {MILD:g}"
        f" or more once their number is accounted for ({words[matrix.correction]}). {first} and {second} differ"
        f" most: {two_sample_line(found)} by themselves{where}."
    )


def matrix_text(matrix: TwoSampleMatrix) -> str:
    """The sentence and the table in at most 100 columns where names allow."""
    cautions = [f"{first} - {second}: {note}" for (first, second), r in matrix.results.items() for note in r.notes]
    return "\n".join(
        [
            f"NPLM, {count(len(matrix.names), 'sample')}, each compared with each",
            *textwrap.wrap(matrix_sentence(matrix), WIDTH, initial_indent="  ", subsequent_indent="  "),
            *aligned([MATRIX_HEAD, *matrix_rows(matrix)]),
            *(f"  caution    {printable(text)}" for text in cautions),
        ]
    )
