"""The command `nplm power`: the Z that a signal would have, before there are data."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nplm.cli.commands.power_options import Options
from nplm.cli.errors import ExitCode
from nplm.cli.models import test_of
from nplm.cli.output import say
from nplm.cli.reading import Reader, known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter

if TYPE_CHECKING:
    from nplm.family.operator_power import FamilyOperatorPower
    from nplm.sensitivity.asymptotic_power import ExpectedPower


def run_power(options: Options) -> int:
    """Runs `nplm power`.

    Raises:
        InputError: if a file is bad, or no such test can be made.
    """
    if options.ratio is not None:
        return _run_operator(options, options.ratio)
    from nplm.sensitivity.asymptotic_power import expected_power

    reporter = Reporter(options.quiet)
    reference, (data, signal) = Reader(options, reporter.note).read(options.data, options.signal)
    assert signal is not None
    found: dict[float, tuple[ExpectedPower, ...]] = {}
    for width in options.widths or (options.width,):
        with refusing_bad_input():
            test = test_of(replace(options, width=width), reference, known_yield(options, reference))
            powers = expected_power(test, signal, options.n, options.z, data=data)
        assert test.prepared.linear is not None  # else there is no such power
        found[test.prepared.linear.modes.width] = powers
    say(_json(found) if options.json else _text(found))
    return ExitCode.DONE


def _run_operator(options: Options, path: str) -> int:
    """What the test sees of an operator, beside the test that is made for it."""
    from nplm.learning.store import read_ratio
    from nplm.sensitivity.operator_power import OperatorPower, operator_power, operator_power_text

    reporter = Reporter(options.quiet)
    reference, _ = Reader(options, reporter.note).read()
    with refusing_bad_input():
        ratio = read_ratio(path, reference, allow_failed=options.allow_failed)
    found: dict[float, tuple[OperatorPower, ...]] = {}
    for width in options.widths or (options.width,):
        with refusing_bad_input():
            test = test_of(replace(options, width=width), reference, known_yield(options, reference))
            powers = operator_power(test, ratio, options.at, options.z, allow_failed=options.allow_failed)
        assert test.prepared.linear is not None  # else there is no such power
        found[test.prepared.linear.modes.width] = powers
    of_family: tuple[FamilyOperatorPower, ...] = ()
    if options.toys:
        from nplm.family.operator_power import family_operator_power, family_operator_text

        with refusing_bad_input(), reporter.expect(options.toys * len(options.at)):
            of_family = family_operator_power(
                test.reference,
                ratio,
                options.at,
                options.toys,
                seed=options.seed,
                allow_failed=options.allow_failed,
                on_sample=partial(reporter.advance_by, 1),
            )
    if options.json:
        rows = [{"width": width, **power.to_dict()} for width, powers in found.items() for power in powers]
        document = {"schema": "nplm-power/1", "kind": "operator", "power": rows}
        if of_family:
            document["family"] = [power.to_dict() for power in of_family]
        say(json.dumps(document, indent=2, allow_nan=False))
        return ExitCode.DONE
    for width, powers in found.items():
        say(f"width {width:.4g}")
        say(operator_power_text(powers))
    say("\n  this test: from its asymptotic null, no toys were run; dedicated: of 0 against this value alone")
    if of_family:
        say(f"\nthe default family of tests, on {options.toys} samples at each value")
        say(family_operator_text(of_family))
    return ExitCode.DONE


def _json(found: dict[float, tuple[ExpectedPower, ...]]) -> str:
    rows = [{"width": width, **power.to_dict()} for width, powers in found.items() for power in powers]
    return json.dumps({"schema": "nplm-power/1", "kind": "analytic", "power": rows}, indent=2, allow_nan=False)


def _text(found: dict[float, tuple[ExpectedPower, ...]]) -> str:
    """A table, and what it stands on."""
    from nplm.wording.tables import aligned

    thresholds = list(next(iter(found.values()))[0].power)
    head = ("width", "events", "median Z", "16% to 84%", *(f"P(Z >= {z:g})" for z in thresholds))
    rows = [
        (
            f"{width:.4g}",
            f"{power.events:g}",
            f"{power.median_z:.2f}",
            f"{power.band[0]:.2f} to {power.band[1]:.2f}",
            *(f"{100 * p:.3g}%" for p in power.power.values()),
        )
        for width, powers in found.items()
        for power in powers
    ]
    lines = aligned([head, *rows])
    return "\n".join([*lines, "", "  Z of one width each, read from its asymptotic null; no toys were run"])
