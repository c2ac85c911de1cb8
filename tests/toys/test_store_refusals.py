"""Stores that are refused: of another plan, changed, garbled, or none at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nplm.data.fingerprint import Plan
from nplm.toys.run import run_campaign
from nplm.toys.store import CAMPAIGN_FILE, PARTS, Store, StoreError
from tests.toys.programs import exponential_campaign
from tests.toys.test_store import PLAN


def test_a_store_of_another_plan_is_refused(tmp_path: Path) -> None:
    Store.create(tmp_path, PLAN, range(3))
    with pytest.raises(
        StoreError, match=rf"{tmp_path} are of another plan \(test.clip: 7 here, 9 there\): choose another"
    ):
        Store.create(tmp_path, Plan.of({"seed": 1, "test": {"clip": 7}}), range(3))


def test_a_part_of_another_plan_is_refused(filled: Store, tmp_path: Path) -> None:
    run_campaign(exponential_campaign(seed=2), 3, store=tmp_path / "other")
    part = next((tmp_path / "other").glob(PARTS))
    (filled.path / part.name).write_bytes(part.read_bytes())
    with pytest.raises(StoreError, match=rf"{part.name} holds toys of another plan than .*{CAMPAIGN_FILE}: remove it"):
        filled.read()
    assert (filled.path / part.name).exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read: Expecting value"),
        ("{", "cannot be read: Expecting property name"),
        ("\xff\xfe", "cannot be read"),
        ("[]", "not of the schema nplm-campaign/2"),
        ('{"schema": "nplm-campaign/3"}', "not of the schema nplm-campaign/2"),
        ('{"schema": "nplm-campaign/2"}', "lacks 'digest'"),
        ('{"schema": "nplm-campaign/1"}', "lacks 'plan'"),
    ],
)
def test_a_garbled_description_is_refused(filled: Store, text: str, message: str) -> None:
    (filled.path / CAMPAIGN_FILE).write_bytes(text.encode("latin-1"))
    for use in (Store.open, lambda path: Store.create(path, filled.plan, range(3))):
        with pytest.raises(StoreError, match=rf"{re.escape(str(filled.path))}.*{message}"):
            use(filled.path)
    assert len(list(filled.path.glob(PARTS))) == 1


def test_an_edited_plan_is_refused(filled: Store) -> None:
    file = filled.path / CAMPAIGN_FILE
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 2'))
    with pytest.raises(StoreError, match=r"campaign.json was changed: its plan does not have the hash"):
        Store.open(filled.path)


def test_edited_remarks_are_refused(tmp_path: Path) -> None:
    Store.create(tmp_path, PLAN, range(3), {"toys": "invented", "signal": "peak.npz"})
    file = tmp_path / CAMPAIGN_FILE
    whole = file.read_text()
    for old, new in (
        ('"peak.npz"', "null"),
        ('    "signal": "peak.npz"\n', '    "other": 1\n'),
        ('"count": 3', '"count": 2'),
    ):
        assert old in whole
        file.write_text(whole.replace(old, new))
        with pytest.raises(StoreError, match=r"campaign.json was changed: its remarks, such as that on a signal"):
            Store.open(tmp_path)


@pytest.mark.parametrize("toys", [None, {"first": 0}, {"first": "a", "count": 3}, {"first": 0, "count": float("inf")}])
def test_wrong_numbers_of_toys_are_refused(filled: Store, toys: object) -> None:
    file = filled.path / CAMPAIGN_FILE
    document = json.loads(file.read_text()) | {"schema": "nplm-campaign/1", "toys": toys}
    file.write_text(json.dumps(document))
    with pytest.raises(StoreError, match=r"campaign\.json lacks"):
        Store.open(filled.path)


def test_a_missing_description_is_refused(filled: Store) -> None:
    (filled.path / CAMPAIGN_FILE).unlink()
    with pytest.raises(StoreError, match=r"is not a toy store: it has no campaign\.json"):
        Store.open(filled.path)
    with pytest.raises(StoreError, match=r"holds other files \(part-.*\) and no campaign.json"):
        Store.create(filled.path, filled.plan, range(3))


def test_other_folders_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"holds other files \(thesis.tex\) and no campaign.json: choose an empty"):
        Store.create(tmp_path, PLAN, range(3))
    with pytest.raises(StoreError, match=r"thesis.tex is not a folder"):
        Store.create(tmp_path / "thesis.tex", PLAN, range(3))
    for path in (tmp_path / "thesis.tex", tmp_path / "nowhere"):
        with pytest.raises(StoreError, match=f"{path.name} is not a folder"):
            Store.open(path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
