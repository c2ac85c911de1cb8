"""How many toys a test runs: none where they cannot be drawn and the asymptotic null needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm.cli.commands.test_options import Options
from nplm.cli.errors import InputError
from nplm.cli.reading import refusing_bad_input

if TYPE_CHECKING:
    from nplm.cli.commands.test_input import Samples


def toys_of(options: Options, samples: Samples) -> int:
    """The toys to run, once it is known that they can be drawn; 0 for kernels whose toys nobody has asked for if not.

    Raises:
        InputError: if toys are needed that cannot be drawn; before anything is prepared.
    """
    from nplm.data.support import require_toys_of_such_yields
    from nplm.toys.no_toys import why_no_toys

    if not options.toys or options.null is not None or options.calibrate == "importance":
        return options.toys
    if not options.shape_only:
        with refusing_bad_input():
            expected = options.expected_yield or samples.reference.total_weight
            require_toys_of_such_yields(expected, samples.data.total_weight)
    why = why_no_toys(samples.reference, samples.data, samples.pool, shape_only=options.shape_only)
    if not why:
        return options.toys
    known = options.model == "kernel" and not (options.widths and options.nuisances)
    wanted = options.calibrate is not None or options.toys != Options.toys or options.reference_per_toy
    if known and not wanted and options.pool is None:
        return 0
    other = "leave the toys to the kernel model, whose p-value needs none (--toys 0)"
    if not known:
        other = "take the family or one kernel (--model kernel --width W), which need none"
    raise InputError(
        f"{why}. Give a pool of unweighted (or positively weighted) events drawn from the same distribution (--pool),"
        f" or {other}"
    )
