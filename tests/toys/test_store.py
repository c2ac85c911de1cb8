"""The store keeps each toy once, says what is missing, and refuses what is not its own."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm.data.fingerprint import Plan
from nplm.toys import store as store_module
from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store, StoreError, merge_stores
from nplm.toys.table import ToyTable
from tests.toys.programs import numbers

PLAN = Plan.of({"seed": 1, "test": {"clip": 9}})


def table_of(index: range | list[int], seed: int = 0) -> ToyTable:
    """Toys with invented values."""
    number = np.array(index, dtype=np.int64)
    t = np.random.default_rng(seed).chisquare(13, 200_000)[number]
    n = len(number)
    yes: np.ndarray = np.ones(n, dtype=bool)
    return ToyTable(number, t, 300 + t, yes, yes.astype(np.int64), np.full(n, "", dtype=object), np.full(n, 0.1))


def test_a_store_is_opened_as_it_was_made(tmp_path: Path, assert_same: Callable[..., None]) -> None:
    made = Store.create(tmp_path / "new" / "store", PLAN, range(5, 25), {"toys": "invented", "command": "nplm"})
    made.add(table_of([7, 5, 20]))
    made.add(table_of([]))
    made.add(table_of([6]))
    opened = Store.open(str(tmp_path / "new" / "store"))
    assert opened.plan.hash == PLAN.hash
    assert opened.wanted == range(5, 25)
    assert opened.about == {"toys": "invented", "command": "nplm"}
    assert_same(opened.read(), table_of([5, 6, 7, 20]))
    assert numbers(opened.missing(opened.read())) == [*range(8, 20), *range(21, 25)]
    document = json.loads((opened.path / CAMPAIGN_FILE).read_text())
    assert document["plan_hash"] == PLAN.hash
    assert {"nplm", "jax", "numpy"} <= set(document["versions"])
    assert document["devices"]


def test_an_empty_store_has_no_toys(tmp_path: Path) -> None:
    store = Store.create(tmp_path, PLAN, range(3))
    assert len(store.read()) == 0
    assert numbers(store.missing(store.read())) == [0, 1, 2]


def test_a_plan_of_a_billion_toys_is_read_at_once(tmp_path: Path) -> None:
    store = Store.create(tmp_path, PLAN, range(10**9))
    store.add(table_of([3, 199_999]))
    assert store.missing(store.read()) == [range(3), range(4, 199_999), range(200_000, 10**9)]


def test_more_toys_extend_a_store(tmp_path: Path) -> None:
    Store.create(tmp_path, PLAN, range(10, 20), {"toys": "first"}).add(table_of(range(10, 20)))
    assert Store.create(tmp_path, PLAN, range(10, 15)).wanted == range(10, 20)
    assert Store.create(tmp_path, PLAN, range(15, 40)).wanted == range(10, 40)
    assert Store.create(tmp_path, PLAN, range(12), {"toys": "second"}).wanted == range(40)
    opened = Store.open(tmp_path)
    assert opened.wanted == range(40)
    assert opened.about == {"toys": "first"}
    assert len(numbers(opened.missing(opened.read()))) == 30


def test_a_range_that_another_process_overwrote_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process has read which toys are wanted, and writes more; the other one does both in between."""
    Store.create(tmp_path, PLAN, range(100), {"toys": "first"})
    describe = Store._describe
    others: list[Store] = []

    def overtaken(store: Store) -> None:
        monkeypatch.setattr(Store, "_describe", describe)
        others.append(Store.create(tmp_path, PLAN, range(100, 300)))
        describe(store)

    monkeypatch.setattr(Store, "_describe", overtaken)
    slow = Store.create(tmp_path, PLAN, range(100, 150))
    (other,) = others
    assert Store.open(tmp_path).wanted == range(150), "the larger range is lost"
    other.add(table_of([299]))
    assert Store.open(tmp_path).wanted == range(300)
    slow.add(table_of([149]))
    assert Store.open(tmp_path).wanted == slow.wanted == other.wanted == range(300)
    assert Store.open(tmp_path).about == {"toys": "first"}
    assert Store.open(tmp_path).read().index.tolist() == [149, 299]


def overtake(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Store]) -> list[Store]:
    """Makes a store just before the next one is written, which has seen none; it appears in the list."""
    write, others = store_module.write_new, []

    def overtaken(target: Path, text: str) -> None:
        monkeypatch.setattr(store_module, "write_new", write)
        others.append(make())
        write(target, text)

    monkeypatch.setattr(store_module, "write_new", overtaken)
    return others


def test_stores_that_are_made_at_the_same_instant_want_the_toys_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = overtake(monkeypatch, lambda: Store.create(tmp_path, PLAN, range(100, 200)))
    slow = Store.create(tmp_path, PLAN, range(100))
    assert len(others) == 1
    others[0].add(table_of([100]))
    slow.add(table_of([0]))
    assert Store.open(tmp_path).wanted == range(200)


def test_of_two_plans_at_the_same_instant_the_second_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = overtake(monkeypatch, lambda: Store.create(tmp_path / "new", Plan.of({"seed": 2}), range(3)))
    with pytest.raises(StoreError, match=r"new are of another plan \(seed: 1 here, 2 there"):
        Store.create(tmp_path / "new", PLAN, range(3))
    others[0].add(table_of([1]))
    assert Store.open(tmp_path / "new").read().index.tolist() == [1]
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize("damage", ["missing", "cut", "of another plan"])
def test_toys_are_stored_even_if_the_description_is_lost(tmp_path: Path, damage: str) -> None:
    """Who opens the store hears of it; hours of toys are not lost for that."""
    store = Store.create(tmp_path / "store", PLAN, range(10))
    file = store.path / CAMPAIGN_FILE
    whole = file.read_text()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_text(whole[:50])
    else:
        other = Store.create(tmp_path / "other", Plan.of({"seed": 2}), range(10))
        (other.path / CAMPAIGN_FILE).replace(file)
    store.add(table_of([3]))
    file.write_text(whole)
    assert Store.open(store.path).read().index.tolist() == [3]


def test_toys_are_kept_in_few_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ROWS_OF_A_PART", 10)
    store = Store.create(tmp_path, PLAN, range(50))
    for i in range(0, 48, 3):
        store.add(table_of(range(i, i + 3)))
        assert Store.open(tmp_path).read().index.tolist() == list(range(i + 3))
    # A part is full with its fourth batch of three toys.
    assert len(list(tmp_path.glob(PARTS))) == 4
    # Another process does not write into the parts of the first.
    Store.open(tmp_path).add(table_of([48, 49]))
    assert len(list(tmp_path.glob(PARTS))) == 5


def test_parts_with_many_parameters_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BYTES_OF_A_PART", 3000)
    store = Store.create(tmp_path, PLAN, range(40))
    for i in range(40):
        store.add(table_of([i]))
    parts = list(tmp_path.glob(PARTS))
    assert len(parts) > 1
    assert max(p.stat().st_size for p in parts) < 4000


def test_a_hundred_thousand_toys(tmp_path: Path, assert_same: Callable[..., None]) -> None:
    n = 100_000
    halves = []
    for half in (0, 1):
        store = Store.create(tmp_path / str(half), PLAN, range(n))
        for start in range(half, n, 8000):
            store.add(table_of(range(start, min(start + 8000, n), 2)))
        halves.append(Store.open(store.path))
        assert len(list(store.path.glob(PARTS))) <= 6
    assert numbers(halves[0].missing(halves[0].read())) == list(range(1, n, 2))
    merged, toys = merge_stores(halves, tmp_path / "merged")
    assert_same(toys, table_of(range(n)))
    assert len(merged.missing(toys)) == 0
    assert len(list(merged.path.glob(PARTS))) == 10
    assert sum(p.stat().st_size for p in merged.path.iterdir()) < 10e6


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_toys_survive_a_write_that_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, again: bool
) -> None:
    store = Store.create(tmp_path, PLAN, range(9))
    store.add(table_of(range(3)))
    write = ToyTable.write

    def interrupted(self: ToyTable, path: Path, metadata: dict[str, str] | None = None) -> None:
        if moment == "after":
            write(self, path, metadata)
        raise KeyboardInterrupt

    monkeypatch.setattr(ToyTable, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.add(table_of(range(3, 6)))
    monkeypatch.undo()
    assert len(store.read()) == (6 if moment == "after" else 3)
    # Whoever goes on with the same object must not write the part again without what it has by now, nor with it twice.
    store.add(table_of(range(3 if again else 6, 9)))
    assert ToyTable.read(next(tmp_path.glob(PARTS))).index.tolist() == list(range(9))


def test_a_store_of_an_earlier_version_is_read_and_goes_on(tmp_path: Path) -> None:
    """It has no digest; only that remarks of the command line are missing is noticed."""
    Store.create(tmp_path, PLAN, range(3), {"reference": ["ref.npz"], "signal": None}).add(table_of([0]))
    file = tmp_path / CAMPAIGN_FILE
    older = json.loads(file.read_text()) | {"schema": "nplm-campaign/1"}
    del older["digest"]
    file.write_text(json.dumps(older))
    assert Store.open(tmp_path).read().index.tolist() == [0]
    del older["about"]["signal"]
    file.write_text(json.dumps(older))
    with pytest.raises(StoreError, match=r"campaign.json was changed: its remarks"):
        Store.open(tmp_path)
    file.write_text(json.dumps(older | {"about": {"toys": "invented"}}))
    Store.create(tmp_path, PLAN, range(9))
    document = json.loads(file.read_text())
    assert document["schema"] == "nplm-campaign/2"
    assert document["about"] == {"toys": "invented"}
    assert Store.open(tmp_path).wanted == range(9)


def test_two_processes_may_make_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looks for a description just before the first writes one, and into the folder just after."""
    Store.create(tmp_path, PLAN, range(3)).add(table_of([1]))
    exists, looks = Path.exists, 0

    def late(self: Path) -> bool:
        nonlocal looks
        looks += self.name == CAMPAIGN_FILE
        return exists(self) and not (self.name == CAMPAIGN_FILE and looks == 1)

    monkeypatch.setattr(Path, "exists", late)
    assert Store.create(tmp_path, PLAN, range(5)).read().index.tolist() == [1]
    assert Store.open(tmp_path).wanted == range(5)


def test_leftovers_of_killed_processes_are_removed_once_they_are_old(tmp_path: Path) -> None:
    Store.create(tmp_path, PLAN, range(3))
    old, new, other = (tmp_path / name for name in (".part-0-a.parquet", ".part-0-b.parquet", ".keep"))
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (time.time() - 7200,) * 2)
    Store.create(tmp_path, PLAN, range(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".keep", ".part-0-b.parquet", CAMPAIGN_FILE]


def test_a_store_that_cannot_be_read_is_left_alone(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files, or a network disk that is away, do not make a part a damaged one."""

    def away(path: Path) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(ToyTable, "read_with_metadata", away)
    with pytest.raises(StoreError, match=r"part-.*\.parquet cannot be read: Too many open files"):
        filled.read()
    assert len(list(filled.path.glob(PARTS))) == 1


@pytest.mark.parametrize(("difference", "said"), [(1e-9, 0), (6e-7, 1), (-4e-6, 1), (1e-4, None)])
def test_toys_that_were_run_twice_may_differ_a_little(tmp_path: Path, difference: float, said: int | None) -> None:
    """By rounding, of which nothing is said; by what other threads or machines make of it, once; and by no more."""
    first, told = table_of(range(6)), []
    second = replace(first, t=first.t + difference * (1 + first.t) * (first.index == 4))
    for table in (first, second):
        Store.create(tmp_path, PLAN, range(6)).add(table)
    store = Store.open(tmp_path, told.append)
    if said is None:
        with pytest.raises(StoreError, match="toy 4 has different values"):
            store.read()
        return
    for _ in range(2):
        assert store.read().index.tolist() == list(range(6))
    assert len(told) == said
    if said:
        pattern = rf"1 of 6 toys that were run twice differ by {abs(difference):.1g} of 1 \+ t or less.*\(toy 4: t = "
        assert re.match(pattern, told[0])
        assert told[0].count("part-") == 2
    others = [Store.create(tmp_path / name, PLAN, range(6)) for name in ("a", "b")]
    for other, table in zip(others, (first, second), strict=True):
        other.add(table)
    others[0].warn = told.append
    merged, toys = merge_stores(others, tmp_path / "merged")
    assert len(told) == 2 * said
    assert toys.t.tolist() == merged.read().t.tolist() == first.t.tolist()


def test_what_killed_processes_left_is_removed_once_no_toy_is_missing(tmp_path: Path) -> None:
    store = Store.create(tmp_path, PLAN, range(10))
    left = [tmp_path / f".part-00000003-{'0' * 16}.parquet", tmp_path / f".campaign-{'0' * 16}.json"]
    for file in left:
        file.write_text("half")
    store.add(table_of(range(9)))
    store.finish(store.read())
    assert all(file.exists() for file in left), "another process may be writing"
    store.add(table_of([9]))
    store.finish(store.read())
    assert sorted(file.name for file in tmp_path.iterdir())[0] == CAMPAIGN_FILE
    assert len(store.read()) == 10


def test_a_file_that_another_process_takes_for_left_over_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, replace, removed = Store.create(tmp_path, PLAN, range(10)), Path.replace, set()

    def removed_once(path: Path, target: Path) -> Path:
        if target not in removed:
            removed.add(target)
            path.unlink()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", removed_once)
    store.add(table_of(range(10)))
    assert Store.create(tmp_path, PLAN, range(20)).count == 20
    assert len(removed) == 2
    assert Store.open(tmp_path).read().index.tolist() == list(range(10))
