"""The answer of one test in a sentence, for a reader who does not know the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nplm.calibration.record import Calibration
from nplm.calibration.words import asymptotic_answer
from nplm.data.support import Outside
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.stats.significance import z_score
from nplm.wording.numbers import count, format_z, p_text, share_of, yields_text, z_text
from nplm.wording.standing import kind_text
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict, interrupted, where_apart

if TYPE_CHECKING:
    from nplm.hypotest.result import Result

# Above this widening of t by a fluctuation that data and toys do not share, toys do not say what chance does.
LARGEST_INFLATION = 1.25
_SAMPLES = "samples drawn from the reference"


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
    numbers = f"{p_text(result.p_value)}, {z_text(result.z)}, {kind_text(result.calibration.kind)}"
    calibration = result.calibration
    if calibration.kind == "chi2 given" and not calibration.toys:
        return Verdict(
            "uncalibrated",
            "Not calibrated",
            "No toys were run, so this result is not calibrated: only if t followed a chi2 with"
            f" {calibration.degrees_of_freedom:g} degrees of freedom would it mean {numbers}. Run with toys"
            f"{f' from a pool ({calibration.no_toys})' * bool(calibration.no_toys)} before concluding anything.",
        )
    # The asymptotic null of a kernel model has the fluctuation of the reference in it; a chi2 knows no more than the
    # toys.
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
    limit = calibration.limit
    least = "at least a" if limit else "a"
    sentence = (
        f"The data show {least} {level} discrepancy with the reference: differences at least this large occur in"
        f" {share_of(result.p_value, _SAMPLES, limit=limit)} ({numbers}).{_unchecked(calibration)}"
    )
    if limit:
        toys = count(calibration.toys, "toy")
        sentence += f" None of the {toys} differs as much, so Z is limited by their number; more toys may raise it."
        if calibration.asymptotic_accepted:
            sentence += f" {calibration.asymptotic.name}, which they follow, says {asymptotic_answer(calibration)}."
    elif calibration.toys and not calibration.toys_exceeding and calibration.importance is None:
        toys = count(calibration.toys, "toy")
        sentence += f" None of the {toys} differs as much: p is read from {_standing(calibration)}, which they follow."
    if level == "strong":
        sentence += " Check both samples before reading physics into it."
    elif not limit:
        sentence += " It may be chance."
    apart = ""
    if result.rate is not None:
        apart = where_apart(result.rate.z, None if result.shape is None else result.shape.z)
        sentence += f" {_apart(result)}"
    title = (f"{least} {level} discrepancy" if limit else f"{level} discrepancy") + apart
    return Verdict(level, title[0].upper() + title[1:], sentence)


def _undecided(result: Result, numbers: str) -> Verdict | None:
    """The verdict if the toys cannot tell agreement from a discrepancy; weighted toys that cannot give no result."""
    calibration = result.calibration
    if calibration.importance is not None:
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
            f"No toys were run, so nothing has checked the asymptotic null that p is read from ({numbers}). Run at"
            " least 200.",
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
    """That the asymptotic null stands alone, where there can be no toys."""
    return f" The asymptotic null is unchecked: {calibration.no_toys}." if calibration.no_toys else ""


def _standing(calibration: Calibration) -> str:
    """The asymptotic null that p is read from, shortly."""
    return f"{calibration.asymptotic.name}{', fitted to them' * calibration.kind.endswith('fitted')}"
