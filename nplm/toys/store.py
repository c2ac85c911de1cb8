"""The store of a campaign: a folder with its plan and its toys.

    campaign.json      the plan with its hash, which toys are wanted, remarks, versions, devices, and a digest of all
    part-*.parquet     toys; each part is written whole and renamed into place

Several processes may write into one store: each has parts of its own, so nothing needs a lock.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from nplm._util.files import atomic_path, write_new
from nplm._util.versions import versions
from nplm.data.fingerprint import Plan
from nplm.toys.table import ToyTable

SCHEMA = "nplm-campaign/2"
# Without a digest of its contents, as earlier versions wrote it.
_OLDER_SCHEMA = "nplm-campaign/1"
CAMPAIGN_FILE = "campaign.json"
PARTS = "part-*.parquet"
# A part grows until it has so many rows, or bytes: few files, and each is quickly written again.
ROWS_OF_A_PART = 10_000
_BYTES_OF_A_PART = 1 << 22
# Values of one toy that two machines computed may differ by rounding, relative to 1 + t; and by more, which is said
# but matters to no p-value. Another maximum is farther away.
_ROUNDING, _TOLERATED = 1e-8, 1e-5
# Unfinished files of killed processes older than this are removed, in seconds.
_STALE = 3600.0


class StoreError(ValueError):
    """Raised when a store cannot be used: it is none, is of another plan, or holds toys that contradict each other."""


@dataclass
class Store:
    """The toys of one campaign in a folder.

    Arguments:
        path: the folder.
        plan: of the campaign.
        first: number of the first toy that is wanted.
        count: how many are wanted.
        about: remarks that do not change the toys' values: where they come from, the command.
        warn: told what is wrong with a part that is set aside.
    """

    path: Path
    plan: Plan
    first: int = 0
    count: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    warn: Callable[[str], None] = lambda message: None
    _growing: ToyTable | None = field(default=None, repr=False)
    _part: Path | None = field(default=None, repr=False)
    _told: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def open(cls, path: Path | str, warn: Callable[[str], None] = lambda message: None) -> Store:
        """The store that a folder holds.

        Raises:
            StoreError: if it holds none.
        """
        path = Path(path)
        file = path / CAMPAIGN_FILE
        if not path.is_dir():
            raise StoreError(f"{path} is not a folder: give the folder of a toy store, as `nplm toys run -o` makes it")
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(f"{path} is not a toy store: it has no {CAMPAIGN_FILE}") from None
        except (OSError, ValueError) as error:
            raise StoreError(f"{file} cannot be read: {error}; restore it from the store of another shard") from error
        if not isinstance(document, dict) or document.get("schema") not in (SCHEMA, _OLDER_SCHEMA):
            raise StoreError(f"{file} is not of the schema {SCHEMA}, so {path} is no toy store of this nplm")
        try:
            changed = document["schema"] == SCHEMA and document["digest"] != _digest(document)
            plan, toys = Plan(document["plan"]), document["toys"]
            store = cls(path, plan, int(toys["first"]), int(toys["count"]), dict(document["about"]), warn)
            intact = document["plan_hash"] == plan.hash
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{file} lacks {error}; restore it from the store of another shard") from error
        if not intact:
            raise StoreError(f"{file} was changed: its plan does not have the hash that is written beside it")
        if changed or ({"reference", "problem"} & store.about.keys() and "signal" not in store.about):
            raise StoreError(
                f"{file} was changed: its remarks, such as that on a signal, are not those that were written; restore"
                " it from the store of another shard"
            )
        return store

    @classmethod
    def create(
        cls,
        path: Path | str,
        plan: Plan,
        toys: range,
        about: dict[str, Any] | None = None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> Store:
        """The store in a folder for a plan: a new one, or the one that is there, of which more toys may be wanted now.

        Arguments:
            path: the folder; made if it does not exist.
            plan: of the campaign.
            toys: numbers of the toys that are wanted, step 1.
            about: remarks to keep.
            warn: told what is wrong with a part that is set aside.

        Raises:
            ValueError: if the toys have gaps.
            StoreError: if the folder holds the store of another plan, or other files.
        """
        path = Path(path)
        if toys.step != 1:
            raise ValueError(f"the toys of a store are wanted without gaps, not every {toys.step}th: use shards")
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is not a folder: choose another place for the toys")
        if (path / CAMPAIGN_FILE).exists():
            store = cls.open(path, warn).require_plan(plan)
            if len(store._with(toys)) > store.count + len(toys):
                raise StoreError(
                    f"{path} is for toys {store.first} to {store.wanted.stop - 1}; with toys {toys.start} to"
                    f" {toys.stop - 1} those between would be missing: let them follow each other"
                )
            store._extend(toys)
        else:
            others = sorted(p.name for p in path.iterdir() if not p.name.startswith(".")) if path.exists() else []
            if CAMPAIGN_FILE in others:  # another process, such as that of another shard, was quicker
                return cls.create(path, plan, toys, about, warn)
            if others:
                raise StoreError(
                    f"{path} holds other files ({', '.join(others[:3])}) and no {CAMPAIGN_FILE}: choose an empty"
                    " folder for the toys"
                )
            path.mkdir(parents=True, exist_ok=True)
            store = cls(path, plan, toys.start, len(toys), about or {}, warn)
            try:
                _insist(lambda: write_new(path / CAMPAIGN_FILE, store._text()))
            except FileExistsError:  # another process, perhaps with another plan, was quicker
                return cls.create(path, plan, toys, about, warn)
        store._remove_unfinished(_STALE)
        return store

    def require_plan(self, plan: Plan) -> Store:
        """The store itself, once it is known to be of the given plan.

        Raises:
            StoreError: saying where the plans differ.
        """
        if plan.hash != self.plan.hash:
            different = "; ".join(plan.differences(self.plan)[:4])
            raise StoreError(f"the toys in {self.path} are of another plan ({different}): choose another folder")
        return self

    @property
    def wanted(self) -> range:
        """Numbers of the toys that are wanted."""
        return range(self.first, self.first + self.count)

    def add(self, table: ToyTable) -> None:
        """Writes toys: into the part that this object writes to, or into the next one if that is full.

        A part is replaced as a whole, so a reader sees each toy once, and a killed process keeps what it has added.
        Another process that extended the store at the same instant may have overwritten which toys are wanted: what
        this one wants is written again then.
        """
        if not len(table):
            return
        # Whoever was interrupted here may add the same toys again.
        growing = table if self._growing is None else unique([self._growing, table], [str(self._part), "what is added"])
        if self._part is None:
            self._part = self.path / f"part-{int(table.index.min()):08d}-{secrets.token_hex(4)}.parquet"
        # Remembered before they are written: whatever interrupts the writing, the next part that is written has them.
        self._growing = growing
        part, texts = self._part, {"plan_hash": self.plan.hash}
        _insist(lambda: growing.write(part, texts))
        if len(growing) >= ROWS_OF_A_PART or self._part.stat().st_size >= _BYTES_OF_A_PART:
            self._growing = self._part = None
        with suppress(StoreError):  # toys are stored, and what is wrong with the store is said to whoever opens it
            there = Store.open(self.path).require_plan(self.plan)
            there._extend(self.wanted)
            self.first, self.count = there.first, there.count

    def read(self) -> ToyTable:
        """All toys, each once, in the order of their numbers.

        A part that cannot be read is named and set aside (with .corrupt behind its name); its toys are missing then.

        Raises:
            StoreError: if a part is of another plan, or two parts have different values for one toy.
        """
        parts = [(path, table) for path in sorted(self.path.glob(PARTS)) if (table := self._read_part(path))]
        return unique([table for _, table in parts], [str(path) for path, _ in parts], self._tell)

    def _tell(self, message: str) -> None:
        """Warns of what was found in the whole store, once."""
        if message not in self._told:
            self._told.add(message)
            self.warn(message)

    def finish(self, table: ToyTable) -> None:
        """Removes what processes that were killed have left, if all wanted toys are there and so nobody writes.

        Arguments:
            table: all toys of the store.
        """
        if not self.missing(table):
            self._remove_unfinished(0.0)

    def missing(self, table: ToyTable) -> list[range]:
        """Numbers of the wanted toys that are not in the table, run by run: a plan may want any number."""
        last = self.first + self.count
        there = np.unique(table.index[(table.index >= self.first) & (table.index < last)])
        begin, end = np.concatenate([[self.first], there + 1]), np.concatenate([there, [last]])
        return [range(i, j) for i, j in zip(begin.tolist(), end.tolist(), strict=True) if i < j]

    def _read_part(self, path: Path) -> ToyTable | None:
        try:
            table, texts = ToyTable.read_with_metadata(path)
        except FileNotFoundError:  # another process has just set it aside
            return None
        except (OSError, KeyError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
            # The system's own errors (permissions, too many open files, a lost network disk) say nothing of the part.
            if isinstance(error, OSError) and error.errno is not None:
                raise StoreError(f"{path} cannot be read: {error.strerror}") from error
            aside = path.with_name(f"{path.name}.corrupt")
            with suppress(OSError):  # a store that cannot be written stays as it is
                path.replace(aside)
            reason = " ".join(str(error).split())[:120]
            self.warn(f"{path} is damaged and is set aside as {aside.name}; its toys are missing now ({reason})")
            return None
        if texts.get("plan_hash") != self.plan.hash:
            raise StoreError(
                f"{path} holds toys of another plan than {self.path / CAMPAIGN_FILE}: remove it from there"
            )
        return table

    def _with(self, toys: range) -> range:
        """The toys that are wanted if these are wanted too, and those between."""
        return range(min(self.first, toys.start), max(self.first + self.count, toys.stop))

    def _extend(self, toys: range) -> None:
        wanted = self._with(toys)
        if wanted != self.wanted:
            self.first, self.count = wanted.start, len(wanted)
            self._describe()

    def _describe(self) -> None:
        def write() -> None:
            with atomic_path(self.path / CAMPAIGN_FILE) as temporary:
                temporary.write_text(self._text(), encoding="utf-8")

        _insist(write)

    def _text(self) -> str:
        import jax

        document = {
            "schema": SCHEMA,
            "plan_hash": self.plan.hash,
            "plan": self.plan.document,
            "toys": {"first": self.first, "count": self.count},
            "about": self.about,
            "versions": versions(),
            "devices": [f"{d.platform}: {d.device_kind}" for d in jax.devices()],
        }
        return json.dumps({**document, "digest": _digest(document)}, indent=2, allow_nan=False) + "\n"

    def _remove_unfinished(self, age: float) -> None:
        """Removes files that nobody has written to for so many seconds, and that are not whole."""
        for pattern in (".part-*.parquet", ".campaign-*.json"):
            for file in self.path.glob(pattern):
                with suppress(OSError):  # another process may have been quicker
                    if time.time() - file.stat().st_mtime >= age:
                        file.unlink()


def _digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a description without its digest, as hexadecimal digits."""
    content = {name: value for name, value in document.items() if name != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _insist(write: Callable[[], None]) -> None:
    """Writes a file, once more if another process that found all its toys took it for left over; see `Store.finish`."""
    try:
        write()
    except FileNotFoundError:
        write()


def unique(
    tables: Sequence[ToyTable], names: Sequence[str], tell: Callable[[str], None] = lambda message: None
) -> ToyTable:
    """The rows of all tables, each toy once.

    Arguments:
        tables: toys of one plan; a toy may be in several, of which the first counts.
        names: what to call each table in a message.
        tell: told how far values of one toy differ, if it is more than rounding and still too little to matter.

    Raises:
        StoreError: if two tables have different values for one toy.
    """
    everything = ToyTable.concatenate(tables)
    if not len(everything):
        return everything
    again = np.flatnonzero(np.diff(everything.index) == 0) + 1
    apart = _apart(everything, again - 1, again)
    different = again[apart > _TOLERATED]

    def values_of(index: int) -> str:
        pairs = zip(tables, names, strict=True)
        return "; ".join(f"t = {t:.10g} in {name}" for table, name in pairs for t in table.t[table.index == index])

    if not len(different) and (apart > _ROUNDING).any():
        farthest = int(everything.index[again[np.argmax(apart)]])
        tell(
            f"{(apart > _ROUNDING).sum()} of {len(again)} toys that were run twice differ by {apart.max():.1g} of 1 + t"
            f" or less, as other machines make it (toy {farthest}: {values_of(farthest)}); the first value of each is"
            " taken"
        )
    if len(different):
        index = int(everything.index[different[0]])
        raise StoreError(
            f"toy {index} has different values ({values_of(index)}). Of {len(again)} toys that were run twice"
            f" {len(different)} ({100 * len(different) / len(again):.2g}%) ended in another maximum: they were not"
            " fitted in the same way (number of threads, device, versions); run them again in one way"
        )
    return everything.select(np.setdiff1d(np.arange(len(everything)), again))


def _apart(table: ToyTable, one: Int64[np.ndarray, " m"], two: Int64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
    """How far the values of pairs of rows of one toy are apart, relative to 1 + t or 1 + the yield."""
    apart: Float64[np.ndarray, " m"] = np.zeros(len(one))
    for column in (table.t, table.total_weight):
        a, b = column[one], column[two]
        distance = np.where(np.isnan(a) & np.isnan(b), 0.0, np.abs(a - b) / (1 + np.abs(a)))
        apart = np.maximum(apart, np.where(np.isnan(distance), np.inf, distance))
    return apart


def merge_stores(sources: Sequence[Store], target: Path | str) -> tuple[Store, ToyTable]:
    """Puts the toys of several stores of one plan, such as the shards of a campaign, into one.

    Arguments:
        sources: at least one store.
        target: the folder of the new store; it may hold a store of the same plan already, such as one of the sources.

    Returns:
        The store and its toys; `Store.missing` says which are not there.

    Raises:
        StoreError: if the plans differ, or two stores have different values for one toy. Nothing is written then.
    """
    first = sources[0]
    for other in sources[1:]:
        other.require_plan(first.plan)
    low, high = min(s.first for s in sources), max(s.first + s.count for s in sources)
    tables = [source.read() for source in sources]
    toys = unique(tables, [str(source.path) for source in sources], first.warn)
    if (Path(target) / CAMPAIGN_FILE).exists():
        there = Store.open(target, first.warn).require_plan(first.plan)
        unique([toys, there.read()], ["the sources", str(target)])
    store = Store.create(target, first.plan, range(low, high), first.about, first.warn)
    present = store.read()
    new = toys.select(~np.isin(toys.index, present.index))
    for start in range(0, len(new), ROWS_OF_A_PART):
        store.add(new.select(slice(start, start + ROWS_OF_A_PART)))
    merged = store.read()
    store.finish(merged)
    return store, merged
