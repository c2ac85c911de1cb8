"""What a reader of a result must know beside its numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nplm.calibration.words import why_unchecked
from nplm.wording.numbers import count

if TYPE_CHECKING:
    from nplm.hypotest.result import Result

# If the toys are right, that all of so many exceed the data happens once in as many tests.
ENOUGH_TO_DOUBT = 20


def cautions(result: Result) -> list[str]:
    """The result's own notes, and what its fields imply."""
    calibration = result.calibration
    found = [*result.notes, *(result.nuisances.cautions() if result.nuisances is not None else [])]
    if not result.complete:
        found.append(
            f"interrupted after {calibration.toys} of {calibration.toys_requested} toys: the p-value uses those done"
        )
    if not result.converged and not math.isnan(result.t):
        found.append(
            "the fit of the data stopped before it converged: t is what the fixed budget of the fit reaches, in data"
            " and toys alike"
        )
    if result.starts > 1 and result.starts_agreeing == 1:
        counted = ". Toys are searched in the same way, so the p-value counted from them holds"
        found.append(
            f"only one of {result.starts} independent searches reached this t (the lowest ended"
            f" {result.start_spread:.2f} below): there may be a higher maximum{counted * calibration.counted}"
        )
    toys = count(calibration.toys, "toy")
    if calibration.toys_failed:
        found.append(f"{calibration.toys_failed} of {toys} failed to fit; they count as exceeding the observed t")
    elif calibration.toys_exceeding == calibration.toys >= ENOUGH_TO_DOUBT and result.n_data:
        found.append(
            f"all {toys} differ from the reference at least as much as the data do: make sure that what the toys are"
            " drawn from follows the reference"
        )
    unfinished = int((result.toys.succeeded & ~result.toys.converged).sum())
    if unfinished:
        found.append(
            f"{unfinished} of {toys} stopped before their fit converged: their t is what the fixed budget reaches"
        )
    asymptotic = calibration.asymptotic_for_toys.name
    if calibration.asymptotic_accepted is False:
        taken = "no p-value is taken from it" if calibration.counted else "its scale was fitted to them"
        found.append(f"the toys do not follow {asymptotic}, so {taken}")
    elif calibration.counted and calibration.asymptotic_check is None:
        found.append(f"{asymptotic} is unchecked: {why_unchecked(calibration)}")
    return found
