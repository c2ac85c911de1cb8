"""Results as if toys had shown something else."""

from __future__ import annotations

from dataclasses import replace

from nplm.calibration.record import Calibration
from nplm.hypotest.result import Result
from nplm.stats.significance import z_score


def checked(result: Result, p: float) -> Calibration:
    """The calibration as if all tests of the toys together had this p-value."""
    ensemble = result.calibration.ensemble
    if ensemble is None or ensemble.given is None:
        return result.calibration
    return replace(result.calibration, ensemble=replace(ensemble, given=replace(ensemble.given, p_value=p)))


def counted(result: Result, exceeding: int, toys: int, failed: int = 0) -> Result:
    """The result as if counted with these toys."""
    p = (1 + exceeding) / (1 + toys)
    calibration = replace(
        checked(result, 0.5), kind="empirical", toys=toys, toys_exceeding=exceeding, toys_failed=failed
    )
    return replace(result, p_value=p, z=z_score(p), calibration=calibration)
