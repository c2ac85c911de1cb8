"""What is said beside the numbers of a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nplm.hypotest.cautions import cautions
from tests.hypotest.as_if import checked


def test_cautions_name_what_is_wrong(run: Callable[..., Any]) -> None:
    result = run(toys=60, failing=4).result
    result = replace(
        result,
        converged=False,
        complete=False,
        notes=("mind the gap",),
        calibration=replace(checked(result, 0.01), toys_requested=100),
    )
    text = "\n".join(cautions(result))
    for words in (
        "mind the gap",
        "interrupted after 60 of 100 toys",
        "stopped before it converged",
        "4 of 60 toys failed",
        "do not follow chi2(5)",
    ):
        assert words in text
    assert "20 toys are too few to check" in "\n".join(cautions(run(toys=20).result))


def test_toys_that_all_exceed_the_data_are_doubted(run: Callable[..., Any]) -> None:
    for toys, doubted in ((19, False), (20, True)):
        assert ("all 20 toys differ" in "\n".join(cautions(run(toys=toys, t=1e-3).result))) == doubted
    assert "differ from" not in "\n".join(cautions(run(toys=20, failing=20).result))
