"""What a p-value stands on, in words: toys that were counted, or an asymptotic null with what toys say of it."""

from __future__ import annotations

from nplm.calibration.record import Calibration
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.wording.numbers import SMALLEST_P, check_words, count, format_p, p_text, z_text
from nplm.wording.standing import kind_text


def stands_on(calibration: Calibration) -> str:
    """What the p-value was read or counted from."""
    if calibration.importance is not None:
        effective, error = calibration.importance["effective_toys"], calibration.importance["relative_error"]
        beyond = f"{calibration.toys_exceeding:,} with t at least the observed one"
        known = f"{beyond}, which know p to {100 * error:.0f}% ({effective:.0f} effective ones)"
        return f"{kind_text(calibration.kind)}: {calibration.null}; {known}"
    if not calibration.counted:
        checked = "" if calibration.ensemble is None else _checked(calibration)
        return f"{kind_text(calibration.kind)}: {calibration.null}{checked}{_none_reaches(calibration)}"
    exceeding = calibration.toys_exceeding - calibration.toys_failed
    counted = f"{exceeding or 'none'} of {count(calibration.toys, 'toy')} with t at least the observed one"
    if calibration.toys_failed:
        counted += f", and {calibration.toys_failed} failed ones counted with them"
    return f"{kind_text(calibration.kind)}: {counted}, (1 + {calibration.toys_exceeding}) / (1 + {calibration.toys})"


def _checked(calibration: Calibration) -> str:
    given = None if calibration.ensemble is None else calibration.ensemble.given
    if given is None:
        return ""
    return f"; {check_words(given)} by toys" if given.accepted else "; refused by toys as computed"


def _none_reaches(calibration: Calibration) -> str:
    """That toys alone would show less, where none is as far out as the data."""
    if not calibration.toys or calibration.toys_exceeding:
        return ""
    return f", of which none of {calibration.toys:,} reaches the observed t"


def why_unchecked(calibration: Calibration) -> str:
    """Why no toys were compared with the asymptotic null; empty if they were."""
    if calibration.asymptotic_check is not None:
        return ""
    if not calibration.toys:
        return "no toys were run"
    compared = calibration.toys - calibration.toys_failed
    if compared == 0:
        return "all toys failed"
    return (
        f"{count(compared, 'toy')} {'is' if compared == 1 else 'are'} too few to check it ({LEAST_TOYS_FOR_CHECK} are"
        " needed)"
    )


def asymptotic_comparison(calibration: Calibration, p_value: float) -> str:
    """The asymptotic null's p-value is shown only where its check allows; empty where it is all that p stands on.

    Arguments:
        calibration: that the asymptotic null is of.
        p_value: of the result.
    """
    if not calibration.toys and not calibration.counted:
        return ""
    name = calibration.asymptotic_for_toys.name
    if not calibration.counted and name != calibration.asymptotic.name:
        name = f"that of toys, whose reference is always the same one, {name}:"
    if calibration.importance is not None:
        agreement = _ratio_to_asymptotic(calibration, p_value)
        return f"{calibration.asymptotic.name}: {asymptotic_answer(calibration)}; the toys {agreement}"
    if calibration.asymptotic_check is None:
        return f"{name} is unchecked: nothing shows that t follows it"
    compared = count(calibration.toys - calibration.toys_failed, "toy")
    check = f"by {compared} (p = {format_p(calibration.asymptotic_check)} of the tests of bulk, tail and width)"
    if not calibration.asymptotic_accepted:
        return f"{name} refused {check}, so it gives no p-value here"
    assert calibration.ensemble is not None
    assert calibration.ensemble.given is not None
    said = f"{name} {check_words(calibration.ensemble.given)} {check}"
    return (
        f"{said}; from the asymptotic null, not counted: {asymptotic_answer(calibration)}"
        if calibration.counted
        else said
    )


def asymptotic_answer(calibration: Calibration) -> str:
    """p and Z of the asymptotic null, for the data."""
    return f"{p_text(calibration.asymptotic_p_value)}, {z_text(calibration.asymptotic_z)}"


def _ratio_to_asymptotic(calibration: Calibration, p_value: float) -> str:
    """How far weighted toys agree with the asymptotic null at the observed t."""
    asymptotic = calibration.asymptotic_p_value
    if calibration.importance is None or asymptotic < SMALLEST_P:
        return "are beyond its digits"
    ratio = p_value / asymptotic
    return f"give {ratio:.2f} +- {ratio * calibration.importance['relative_error']:.2f} times this p"
