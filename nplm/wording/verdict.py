"""The answer in one sentence, for a reader who does not know the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nplm.data.support import Outside
from nplm.hypotest.result import Calibration, Result
from nplm.hypotest.yields import where_apart
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.stats.significance import z_score
from nplm.wording.numbers import (
    count,
    format_p_value,
    format_z,
    format_z_score,
    formula_answer,
    is_limit,
    p_text,
    share_of,
    why_unchecked,
    yields_text,
)

# One-sided Z: below the first, chance alone does this more than once in 44 tests; above the second, once in 741.
MILD = 2.0
STRONG = 3.0
# If the toys are right, that all of so many exceed the data happens once in as many tests.
ENOUGH_TO_DOUBT = 20
# Above this widening of t by a fluctuation that data and toys do not share, toys do not say what chance does.
LARGEST_INFLATION = 1.25
_SAMPLES = "samples drawn from the reference"

Level = Literal["agreement", "watch", "mild", "strong", "undecided", "uncalibrated", "failed"]


@dataclass(frozen=True)
class Verdict:
    """What the numbers say.

    Arguments:
        level: for colours and programs.
        title: a few words.
        sentence: the answer with its p-value and Z.
    """

    level: Level
    title: str
    sentence: str


def verdict(result: Result) -> Verdict:
    """Agreement below Z = 2, a mild discrepancy up to 3, a strong one above; nothing is called a discovery.

    Too many events where the reference has none are a strong discrepancy, whatever t says of the others. Undecided if
    the toys were drawn from too small a sample, or if Z < 2 only because they are too few or because failed ones count
    as exceeding; uncalibrated without toys.
    """
    return with_outside(_of_t(result), result.outside)


def with_outside(of_t: Verdict, outside: Sequence[Outside]) -> Verdict:
    """A verdict that is not contradicted by events which t hardly sees.

    Arguments:
        of_t: what the test says.
        outside: of the data, see `nplm.data.support.Support`.
    """
    if not outside or of_t.level == "strong":
        return of_t
    most = min(outside, key=lambda found: found.log_p_value)
    return Verdict(
        "strong",
        "Strong discrepancy: events where the reference has none",
        f"{most.words}{'' if most.words.endswith('?') else '.'} Counted on their own they have"
        f" {p_text(most.p_value)} at most, Z at least {format_z(most.z)}. The test, which hardly sees such events,"
        f" says: {of_t.sentence}",
    )


def _of_t(result: Result) -> Verdict:
    if math.isnan(result.t):
        sentence = "The fit to the data failed, so there is no test statistic and no statement about agreement."
        return Verdict("failed", "No answer", sentence)
    numbers = f"{format_p_value(result)}, {format_z_score(result)}, {result.calibration.kind}"
    calibration = result.calibration
    if calibration.kind == "chi2 given" and not calibration.toys:
        return Verdict(
            "uncalibrated",
            "Not calibrated",
            "No toys were run, so this result is not calibrated: only if t followed a chi2 with"
            f" {calibration.degrees_of_freedom:g} degrees of freedom would it mean {numbers}. Run with toys"
            f"{f' from a pool ({calibration.no_toys})' * bool(calibration.no_toys)} before concluding anything.",
        )
    # The law of a kernel model has the fluctuation of the reference in it; a chi2 knows no more than the toys.
    if calibration.inflation > LARGEST_INFLATION and (calibration.counted or calibration.kind.startswith("chi2")):
        return Verdict(
            "undecided",
            "Undecided: toys from too small a sample",
            "The sample that the toys were drawn from is too small: its own fluctuation, which data and toys do not"
            f" share, widens t by a factor of about {calibration.inflation:.3g}, so these toys do not calibrate"
            f" the test ({numbers}). Give a larger reference, or a larger pool to draw the toys from.",
        )
    if result.z < MILD:
        sentence = (
            "The data agree with the reference: differences at least this large occur in"
            f" {share_of(result.p_value, _SAMPLES)} ({numbers}).{_unchecked(calibration)}"
        )
        return _undecided(result, numbers) or Verdict("agreement", f"Agreement{_but(result)}", sentence)
    level: Level = "mild" if result.z < STRONG else "strong"
    limit = is_limit(result)
    least = "at least a" if limit else "a"
    sentence = (
        f"The data show {least} {level} discrepancy with the reference: differences at least this large occur in"
        f" {share_of(result.p_value, _SAMPLES, limit=limit)} ({numbers}).{_unchecked(calibration)}"
    )
    if limit:
        toys = count(calibration.toys, "toy")
        sentence += f" None of the {toys} differs as much, so Z is limited by their number; more toys may raise it."
        if calibration.formula_accepted:
            sentence += f" {calibration.formula.name}, which they follow, says {formula_answer(calibration)}."
    elif calibration.toys and not calibration.toys_exceeding and calibration.rare is None:
        toys = count(calibration.toys, "toy")
        sentence += f" None of the {toys} differs as much: p is read from {_standing(calibration)}, which they follow."
    if level == "strong":
        sentence += " Check both samples before reading physics into it."
    elif not limit:
        sentence += " It may be chance."
    apart = ""
    if result.rate is not None:
        apart = where_apart(result.rate.z, None if result.shape is None else result.shape.z, MILD)
        sentence += f" {_apart(result)}"
    title = (f"{least} {level} discrepancy" if limit else f"{level} discrepancy") + apart
    return Verdict(level, title[0].upper() + title[1:], sentence)


def _undecided(result: Result, numbers: str) -> Verdict | None:
    """The verdict if the toys cannot tell agreement from a discrepancy; weighted toys that cannot give no result."""
    calibration = result.calibration
    if calibration.rare is not None:
        return None
    exceeding = calibration.toys_exceeding - calibration.toys_failed
    without_failures = z_score((1 + exceeding) / (1 + calibration.toys))
    if calibration.toys_failed and without_failures >= MILD:
        return Verdict(
            "undecided",
            "Undecided: failed toys",
            f"{calibration.toys_failed} of {count(calibration.toys, 'toy')} failed and count as exceeding the data"
            f" ({numbers}); had none failed and none of them exceeded, Z would be {format_z(without_failures)}. The"
            " toys' fits must be repaired first.",
        )
    toys = count(calibration.toys, "toy")
    if not calibration.toys and calibration.no_toys:
        return None
    if not calibration.toys:
        return Verdict(
            "undecided",
            "Undecided: no toys",
            f"No toys were run, so nothing has checked the formula that p is read from ({numbers}). Run at least 200.",
        )
    if exceeding == 0 and calibration.counted:
        return Verdict(
            "undecided",
            "Undecided: too few toys",
            f"No toy differs from the reference as much as the data do, but {toys} cannot"
            f" show more than Z = {format_z(max(without_failures, 0.0))} ({numbers}). Run at least 200.",
        )
    few = calibration.toys < LEAST_TOYS_FOR_CHECK
    if few and not result.complete:
        return interrupted(toys, numbers)
    if few and calibration.counted and result.z_interval is not None and result.z_interval[1] >= MILD:
        return Verdict(
            "undecided",
            "Undecided: too few toys",
            f"{calibration.toys_exceeding} of {toys} differ from the reference at least as much as the data do, which"
            f" leaves open whether Z is above {MILD:g} ({numbers}). Run at least 200.",
        )
    return None


def _but(result: Result) -> str:
    """That the yield alone is far off, which many degrees of freedom may hide."""
    far = result.rate is not None and result.rate.z >= STRONG
    return ", but the yield alone differs" if far else ""


def _apart(result: Result) -> str:
    """Yield and shape on their own, as a sentence."""
    assert result.rate is not None
    shape = "not known without toys of its own" if result.shape is None else p_text(result.shape.p_value)
    observed = yields_text(result.rate.observed, result.rate.expected)
    return f"Apart: yield {observed}, {p_text(result.rate.p_value)}; shape {shape}."


def _unchecked(calibration: Calibration) -> str:
    """That the formula stands alone, where there can be no toys."""
    return f" The formula is unchecked: {calibration.no_toys}." if calibration.no_toys else ""


def _standing(calibration: Calibration) -> str:
    """The formula that p is read from, shortly."""
    return f"{calibration.formula.name}{', fitted to them' * calibration.kind.endswith('fitted')}"


def interrupted(toys: str, numbers: str) -> Verdict:
    """The verdict of a run that was interrupted before its toys could tell.

    Arguments:
        toys: that were done, counted in words.
        numbers: what they give.
    """
    return Verdict(
        "undecided",
        "Undecided: interrupted",
        f"The run was interrupted after {toys}, which is too few for an answer ({numbers}). The same command goes on"
        " with them where it writes a folder (-o).",
    )


def cautions(result: Result) -> list[str]:
    """What a reader must know beside the numbers: the result's own notes, and what its fields imply."""
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
    formula = calibration.formula_for_toys.name
    if calibration.formula_accepted is False:
        taken = "no p-value is taken from it" if calibration.counted else "its scale was fitted to them"
        found.append(f"the toys do not follow {formula}, so {taken}")
    elif calibration.counted and calibration.formula_check is None:
        found.append(f"{formula} is unchecked: {why_unchecked(result)}")
    return found
