"""A damaged part is named and set aside, never read; its toys are missing until they are run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nplm.toys.campaign import Campaign
from nplm.toys.run import run_campaign
from nplm.toys.store import PARTS, Store
from nplm.toys.table import ToyTable
from tests.toys.programs import numbers


def flip_in_the_middle(raw: bytes) -> bytes:
    middle = len(raw) // 3
    return raw[:middle] + bytes([raw[middle] ^ 0x10]) + raw[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "truncated": lambda raw: raw[: len(raw) // 2],
    "without its end": lambda raw: raw[:-1],
    "garbage": lambda raw: b"garbage" * 100,
    "zeros": lambda raw: bytes(len(raw)),
    "one flipped bit": flip_in_the_middle,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_set_aside_and_run_again(
    filled: Store, campaign: Campaign, damage: str, assert_same: Callable[..., None]
) -> None:
    before = filled.read()
    extra = Store.open(filled.path)
    extra.add(campaign.run([20, 21]))
    part = min(filled.path.glob(PARTS))
    part.write_bytes(DAMAGES[damage](part.read_bytes()))
    damaged = part.read_bytes()

    heard: list[str] = []
    store = Store.open(filled.path, heard.append)
    left = store.read()
    assert left.index.tolist() == [20, 21]
    assert numbers(store.missing(left)) == list(range(12))
    assert len(heard) == 1
    assert f"{part} is damaged and is set aside as {part.name}.corrupt; its toys are missing now" in heard[0]
    assert (part.parent / f"{part.name}.corrupt").read_bytes() == damaged
    assert not part.exists()

    store.read()
    assert len(heard) == 1, "what was set aside is not read again"
    assert_same(run_campaign(campaign, 12, store=filled.path, batch=5).select(slice(12)), before)


def test_whoever_runs_a_campaign_hears_of_the_damage(filled: Store, campaign: Campaign) -> None:
    part = next(filled.path.glob(PARTS))
    part.write_bytes(b"")
    with pytest.warns(UserWarning, match=f"{part.name} is damaged"):
        assert len(run_campaign(campaign, 12, store=filled.path)) == 12


@pytest.mark.parametrize("change", ["a column less", "another type", "another number of rows"])
def test_a_part_of_other_columns_is_set_aside(filled: Store, change: str) -> None:
    part = next(filled.path.glob(PARTS))
    table = pq.read_table(part)
    if change == "a column less":
        table = table.drop_columns(["seconds"])
    elif change == "another type":
        table = table.set_column(table.column_names.index("t"), "t", pa.array(["5.0"] * 12))
    else:
        table = table.slice(0, 11)
    pq.write_table(table, part)
    heard: list[str] = []
    assert len(Store.open(filled.path, heard.append).read()) == 0
    assert len(heard) == 1


def test_no_flipped_bit_goes_unnoticed(filled: Store, rng: np.random.Generator) -> None:
    """Wherever a bit flips (pages, their headers, the footer), the toys are those that were written, or none."""
    part = next(filled.path.glob(PARTS))
    raw, before = part.read_bytes(), filled.read()
    heard: list[str] = []
    store = Store.open(filled.path, heard.append)
    noticed = 0
    for place in rng.choice(len(raw), 700, replace=False):
        flipped = bytearray(raw)
        flipped[place] ^= 1 << int(rng.integers(8))
        part.write_bytes(flipped)
        heard.clear()
        table = store.read()
        if heard:
            noticed += 1
            assert len(table) == 0
        else:
            for f in fields(ToyTable):
                np.testing.assert_array_equal(getattr(table, f.name), getattr(before, f.name), err_msg=f"byte {place}")
    # The rest are bits that carry nothing, such as statistics and padding.
    assert noticed > 350


def test_a_store_without_permission_to_write_keeps_the_damaged_part(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = next(filled.path.glob(PARTS))
    part.write_bytes(b"")

    def refused(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)
    heard: list[str] = []
    assert len(Store.open(filled.path, heard.append).read()) == 0
    assert len(heard) == 1
    assert part.exists()
