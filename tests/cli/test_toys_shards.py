"""Toys in shards, in batches and from any number on; and what `nplm toys status` says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_toys import FILES, about, same, stored

pytestmark = pytest.mark.usefixtures("folder")


def test_shards_meet_in_one_store(nplm) -> None:
    words = (*FILES, "--toys", "21")
    outcome = nplm(*words, "--shard", "1/2", "-o", "null")
    assert "11 of 21 toys done, 10 missing" in outcome.out
    assert stored("null").index.tolist() == list(range(0, 21, 2))
    assert "21 of 21 toys done" in nplm(*words, "--shard", "2/2", "-o", "null").out
    nplm(*words, "-o", "whole")
    same(stored("null"), stored("whole"))
    assert about("null")["command"] == about("whole")["command"].replace("whole", "null")  # type: ignore[attr-defined]


def test_shards_of_several_stores_are_merged(nplm) -> None:
    words = (*FILES, "--toys", "30")
    for i in (1, 2, 3):
        assert nplm(*words, "--shard", f"{i}/3", "-o", f"part{i}").code == 0
    outcome = nplm("toys", "merge", "part1", "part3", "-o", "merged")
    assert outcome.code == 0, outcome.err
    assert "20 of 30 toys done, 10 missing" in outcome.out
    outcome = nplm("toys", "merge", "part2", "merged", "-o", "merged", "--json")
    assert json.loads(outcome.out)["missing"] == 0
    nplm(*words, "-o", "whole")
    same(stored("merged"), stored("whole"))
    assert len(stored("part2")) == 10, "the sources stay as they are"


def test_the_first_toy_may_be_any(nplm) -> None:
    nplm(*FILES, "--first", "10", "--toys", "5", "-o", "later")
    nplm(*FILES, "--toys", "15", "-o", "whole")
    assert stored("later").index.tolist() == [10, 11, 12, 13, 14]
    same(stored("later"), stored("whole").select(slice(10, 15)))


def test_toys_do_not_depend_on_the_batch(nplm) -> None:
    nplm(*FILES, "--toys", "20", "--batch", "7", "-o", "sevens")
    nplm(*FILES, "--toys", "20", "-o", "whole")
    same(stored("sevens"), stored("whole"))


def test_status_counts_what_is_there_and_what_is_not(nplm) -> None:
    nplm(*FILES, "--toys", "4", "--first", "2", "-o", "a")
    nplm(*FILES, "--toys", "12", "--shard", "1/4", "-o", "b")
    outcome = nplm("toys", "status", "a", "b", "--json")
    assert outcome.code == 0
    a, b = json.loads(outcome.out)
    assert (a["store"], a["first"], a["wanted"], a["done"], a["missing"], a["missing_toys"]) == ("a", 2, 4, 4, 0, [])
    assert (b["done"], b["missing"], b["missing_toys"]) == (3, 9, ["1-3", "5-7", "9-11"])
    assert (b["failed"], b["failures"], b["not_converged"]) == (0, {}, 0)
    assert b["seconds_left"] == pytest.approx(9 * b["seconds_per_toy"])
    assert a["plan_hash"] == b["plan_hash"]
    assert b["command"].startswith("nplm toys run --reference wref.npz --weights w --model histogram")
    text = nplm("toys", "status", "b").out
    assert text.startswith("b: 3 of 12 toys done, 9 missing\n")
    assert "missing    1-3, 5-7, 9-11; about" in text
    # The command that is written there runs what is missing.
    assert nplm(*b["command"].split()[1:]).code == 0
    assert len(stored("b")) == 12


def test_failed_fits_are_counted_with_their_reasons(nplm) -> None:
    Path("either_sign.py").write_text(
        "from nplm.data.sample import Sample\n"
        "def draw(rng):\n"
        "    return Sample([[0.5, 0.0], [1.0, 0.3]], [5.0, rng.choice([-1.0, 1.0])], ('x', 'y'))\n"
    )
    outcome = nplm(*FILES, "--generator", "either_sign:draw", "--toys", "20", "-o", "bad")
    assert outcome.code == 0, outcome.err
    failed = int((~stored("bad").succeeded).sum())
    assert 0 < failed < 20
    assert f"failed     {failed}; they count as exceeding any t:" in outcome.out
    assert f"{failed} x the data's weights in bin" in outcome.out
    (document,) = json.loads(nplm("toys", "status", "bad", "--json").out)
    assert sum(document["failures"].values()) == document["failed"] == failed
