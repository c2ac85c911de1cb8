"""How numbers are written: p-values, Z-scores, their intervals and limits."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nplm.hypotest.result import Calibration, Result
from nplm.report.nuisances import decomposition
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK, Compatibility

# Below this a p-value from a formula has lost its meaning, and soon its digits.
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


def is_limit(result: Result) -> bool:
    """Whether no toy reaches the observed t: p is then the least that so many toys can give, and Z the largest."""
    return result.calibration.counted and result.calibration.toys_exceeding == 0


def why_unchecked(result: Result) -> str:
    """Why no toys were compared with the formula; empty if they were."""
    calibration = result.calibration
    if calibration.formula_check is not None:
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


def format_p_value(result: Result) -> str:
    """The result's p-value with its relation: p = 0.0149, or p < 1e-300 beyond all digits."""
    return p_text(result.p_value)


def format_z_score(result: Result) -> str:
    """The result's Z-score with its relation: Z = 2.17, or Z > 37 beyond all digits."""
    return z_text(result.z)


def p_text(p: float) -> str:
    """A p-value with its relation: p = 0.0149, or p < 1e-300 beyond all digits."""
    text = format_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def z_text(z: float) -> str:
    """A Z-score with its relation: Z = 2.17, Z > 37 beyond all digits, or Z < 0 where p is 1."""
    text = format_z(z)
    return f"Z {text}" if text.startswith((">", "<")) else f"Z = {text}"


def format_p_interval(result: Result) -> str:
    """The 68% interval of p: 0.0072 to 0.0224, or below 0.0057; empty if there is none."""
    return "" if result.p_interval is None else p_interval_text(result.p_interval)


def format_z_interval(result: Result) -> str:
    """The 68% interval of Z: 2.01 to 2.45, or above 2.53; empty if there is none."""
    return "" if result.z_interval is None else z_interval_text(result.z_interval)


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


def count(number: int, thing: str) -> str:
    """1 toy, 20,000 toys."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def key_numbers(result: Result) -> Mapping[str, str]:
    """What was found and what it stands on, by name, for screen, notebook and report; holds no text from files."""
    rate, shape = result.rate, result.shape
    rows = {} if result.configuration.get("shape_only") else {"yield": _yields(result)}
    of_rate = "" if rate is None else f" ({rate.of_t:.2f} of the yield alone)"
    rows["t"] = "none: the fit failed" if math.isnan(result.t) else f"{result.t:.2f}{of_rate}"
    if not math.isnan(result.t):
        if result.nuisances is not None:
            rows["tau, Delta"] = decomposition(result.nuisances)
        toys = count(result.calibration.toys, "toy")
        limit = is_limit(result)
        least, largest = (f", the {word} that {toys} can give" if limit else "" for word in ("least", "largest"))
        rows["p-value"] = _with_interval(
            format_p_value(result).removeprefix("p ").removeprefix("= "), format_p_interval(result), least
        )
        rows["Z"] = _with_interval(
            format_z_score(result).removeprefix("Z ").removeprefix("= "), format_z_interval(result), largest
        )
        if shape is not None:
            rows["shape"] = f"{p_text(shape.p_value)}, {z_text(shape.z)}, t = {shape.t:.2f}, from {shape.law}"
        elif rate is not None:
            rows["shape"] = "not known apart from the yield: --shape-only tests it"
        rows["stands on"] = _stands_on(result)
        if comparison := _formula_comparison(result):
            rows["formula"] = comparison
    rows["data"] = f"{count(result.n_data, 'event')}, yield {result.observed_yield:,.6g}"
    rows["expected"] = f"{result.expected_yield:,.6g}, from {count(result.n_reference, 'event')} of the reference"
    freedom = result.calibration.degrees_of_freedom
    converged = "converged" if result.converged else "not converged"
    rows["model"] = f"{result.model}, {freedom:.4g} degrees of freedom; fit {converged}{_agreement(result)}"
    rows["time"] = format_duration(sum(result.seconds.values()))
    return rows


def _yields(result: Result) -> str:
    """Observed over expected, and what the yield says on its own."""
    own = "" if result.nuisances is None else "; nuisances may move it"
    if result.rate is not None:
        own = f"; {p_text(result.rate.p_value)} (both sides)"
    return yields_text(result.observed_yield, result.expected_yield) + own


def yields_text(observed: float, expected: float) -> str:
    """2,123 observed / 3,000 expected = 0.708."""
    return f"{observed:,.6g} observed / {expected:,.6g} expected = {round(observed / expected, 12):.3g}"


def _agreement(result: Result) -> str:
    """How many of the independent searches found the largest t, and how far below it the others ended."""
    if result.starts == 1:
        return ""
    found = f", found by {result.starts_agreeing} of {result.starts} independent searches"
    return found if result.starts_agreeing == result.starts else f"{found} (lowest t: {result.start_spread:.2f} below)"


def _with_interval(value: str, interval: str, remark: str) -> str:
    return f"{value}{remark} ({INTERVAL}: {interval})" if interval else value


def _stands_on(result: Result) -> str:
    calibration = result.calibration
    if calibration.rare is not None:
        effective, error = calibration.rare["effective_toys"], calibration.rare["relative_error"]
        beyond = f"{calibration.toys_exceeding:,} with t at least the observed one"
        known = f"{beyond}, which know p to {100 * error:.0f}% ({effective:.0f} effective ones)"
        return f"{calibration.kind}: {calibration.null}; {known}"
    if not calibration.counted:
        checked = "" if calibration.ensemble is None else _checked(calibration)
        return f"{calibration.kind}: {calibration.null}{checked}{_none_reaches(calibration)}"
    exceeding = calibration.toys_exceeding - calibration.toys_failed
    counted = f"{exceeding or 'none'} of {count(calibration.toys, 'toy')} with t at least the observed one"
    if calibration.toys_failed:
        counted += f", and {calibration.toys_failed} failed ones counted with them"
    return f"{calibration.kind}: {counted}, (1 + {calibration.toys_exceeding}) / (1 + {calibration.toys})"


def check_words(check: Compatibility) -> str:
    """What toys say of a formula in one word, or in a few where one of the tests alone would refuse it."""
    if not check.accepted:
        return "refused"
    name, p = check.weakest
    return "accepted" if check.unanimous else f"not refuted ({name} alone: {p_text(p)})"


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


def _formula_comparison(result: Result) -> str:
    """The formula's p-value is shown only where its check allows; empty where it is all that p stands on."""
    calibration = result.calibration
    if not calibration.toys and not calibration.counted:
        return ""
    name = calibration.formula_for_toys.name
    if not calibration.counted and name != calibration.formula.name:
        name = f"that of toys, whose reference is always the same one, {name}:"
    if calibration.rare is not None:
        return f"{calibration.formula.name}: {formula_answer(calibration)}; the toys {_ratio_to_formula(result)}"
    if calibration.formula_check is None:
        return f"{name} is unchecked: nothing shows that t follows it"
    compared = count(calibration.toys - calibration.toys_failed, "toy")
    check = f"by {compared} (p = {format_p(calibration.formula_check)} of the tests of bulk, tail and width)"
    if not calibration.formula_accepted:
        return f"{name} refused {check}, so it gives no p-value here"
    assert calibration.ensemble is not None
    assert calibration.ensemble.given is not None
    said = f"{name} {check_words(calibration.ensemble.given)} {check}"
    return f"{said}; from the formula, not counted: {formula_answer(calibration)}" if calibration.counted else said


def formula_answer(calibration: Calibration) -> str:
    """p and Z of the formula, for the data."""
    return f"{p_text(calibration.formula_p_value)}, {z_text(calibration.formula_z)}"


def _ratio_to_formula(result: Result) -> str:
    """How far weighted toys agree with the formula at the observed t."""
    formula = result.calibration.formula_p_value
    if result.calibration.rare is None or formula < SMALLEST_P:
        return "are beyond its digits"
    ratio = result.p_value / formula
    return f"give {ratio:.2f} +- {ratio * result.calibration.rare['relative_error']:.2f} times this p"


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
