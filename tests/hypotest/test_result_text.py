"""A result on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nplm.hypotest.cautions import cautions
from nplm.hypotest.result_text import result_line, result_text
from tests.hypotest.as_if import checked, counted


@pytest.mark.parametrize(("check", "shown"), [(0.4, True), (0.001, False)])
def test_chi2_gives_a_number_only_if_its_check_accepts_it(check: float, shown: bool, run: Callable[..., Any]) -> None:
    result = run(toys=60).result
    result = replace(result, calibration=replace(checked(result, check), asymptotic_p_value=1.2345e-5))
    text = " ".join(result_text(result).split())
    assert ("1.2e-05" in text) == shown
    assert ("refused" in text) == (not shown)


def test_agreement_of_the_searches_is_stated(run: Callable[..., Any]) -> None:
    result = run().result
    assert "found by 6 of 8 independent searches (lowest t: 0.50 below)" in " ".join(result_text(result).split())
    assert "only one of" not in "\n".join(cautions(result))
    lonely = replace(result, starts_agreeing=1, start_spread=1.375)
    (caution,) = (text for text in cautions(lonely) if text.startswith("only one of 8 independent searches"))
    assert "1.38 below" in caution
    assert "the p-value counted from them holds" in caution
    asymptotic = replace(run(toys=0).result, starts_agreeing=1)
    assert "holds" not in "\n".join(cautions(asymptotic))
    assert "searches" not in result_text(replace(result, starts=1, starts_agreeing=1))


def test_chi2_is_unchecked_for_fewer_than_fifty_toys(run: Callable[..., Any]) -> None:
    for toys, failing, reason in ((49, 0, "49 toys are too few"), (50, 1, "49 toys are too few"), (9, 9, "all toys")):
        result = run(toys=toys, failing=failing).result
        assert result.calibration.asymptotic_check is None
        assert f"chi2(5) is unchecked: {reason}" in "\n".join(cautions(result))
        assert "chi2(5) is unchecked" in result_text(result)
    enough = run(toys=50).result
    assert enough.calibration.asymptotic_check is not None
    assert "unchecked" not in "\n".join([*cautions(enough), result_text(enough)])


def test_the_answer_fits_on_a_line(run: Callable[..., Any]) -> None:
    assert (
        result_line(counted(run(toys=5).result, 0, 200))
        == "t = 12.50, p = 0.00498, Z = 2.58 (empirical; a limit of the toys: none exceeds t)"
    )
    assert result_line(counted(run(toys=5).result, 2, 200)) == "t = 12.50, p = 0.0149, Z = 2.17 (empirical)"
    assert result_line(run(toys=0).result).endswith("(chi2 given; not calibrated)")


def test_repr_is_compact_and_safe_for_a_terminal(run: Callable[..., Any]) -> None:
    result = run(features=("x\x1b[31m", "y")).result
    text = repr(result)
    assert text == result_text(result)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.isascii()
    assert "\x1b" not in text
    assert "12.50" in text
