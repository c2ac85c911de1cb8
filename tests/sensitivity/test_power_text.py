"""The power of a test in words and as a table."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.sensitivity.power_text import power_markdown, power_text
from nplm.stats.chi2 import Chi2Null
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.power import signal_power


def test_words_and_table_of_the_power(rng: np.random.Generator) -> None:
    null = EmpiricalNull(rng.chisquare(5, 200))
    t = rng.noncentral_chisquare(5, 15, 100)
    found = signal_power(null, t, (2.0, 3.0), ideal_z=3.25)
    text = power_text(found)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.isascii()
    for words in (
        "empirical: 200 toys",
        "3.25, of a test that knows",
        "unknown: needs at least 740 null toys",
        "from the null",
    ):
        assert words in text
    assert "from the null" not in power_text(signal_power(Chi2Null(5), t, (2.0,)))
    head, rule, first, second = power_markdown({"a|b": found, "c": signal_power(null, t + 50, (2.0, 3.0))}).splitlines()
    assert head.startswith("| signal | toys | median Z |")
    assert rule.count("---") == head.count("|") - 1
    assert first.startswith("| a\\|b | 100 |")
    assert "| 3.25 |" in first
    assert second.startswith("| c | 100 | at least 2.58 |")
    assert first.endswith("| empirical |")
    with pytest.raises(ValueError, match="same thresholds"):
        power_markdown({"a": found, "b": signal_power(null, t, (2.0,))})


def test_a_median_that_is_a_limit_is_said_to_be() -> None:
    toys = np.concatenate([np.full(4, 50.0), np.full(10, 1000.0)])
    assert "at least 2.33" in power_text(signal_power(EmpiricalNull(np.arange(99.0)), toys, (2.0,)))
