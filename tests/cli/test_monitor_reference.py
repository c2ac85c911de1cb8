"""The reference of a monitor while its file is written anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nplm import Sample
from nplm.cli.commands import monitor_reference
from nplm.cli.commands.monitor_options import Options
from nplm.cli.commands.monitor_reference import WatchedReference
from nplm.cli.types import reference_file


def _text(seed: int) -> str:
    rows = np.random.default_rng(seed).normal(size=(50, 2))
    return "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows)


@pytest.mark.parametrize("suffix", ["ref.csv", "ref.npz:data"])
def test_a_reference_is_read_again_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(monitor_reference, "_REFERENCE_SECONDS", 0.0)
    path = tmp_path / suffix.partition(":")[0]

    def write(seed: int) -> None:
        if path.suffix == ".csv":
            path.write_text(_text(seed))
        else:
            np.savez(path, data=np.random.default_rng(seed).normal(size=(50 + seed, 2)))

    write(1)
    options = Options(reference=(reference_file(str(tmp_path / suffix)),), output=tmp_path / "out")
    notes: list[str] = []
    used: list[Sample] = []
    monitor = SimpleNamespace(replace_reference=lambda sample: used.append(sample) or True, fingerprint="f")
    watched = WatchedReference(options, notes.append)
    watched.read()
    notes.clear()
    for _ in range(3):
        watched.renew(monitor)  # type: ignore[arg-type]
    assert (used, notes) == ([], [])
    write(2)
    watched.renew(monitor)  # type: ignore[arg-type]
    assert used == []  # it may still be written
    for _ in range(3):
        watched.renew(monitor)  # type: ignore[arg-type]
    assert len(used) == 1


def test_half_a_reference_is_named_and_the_former_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_reference, "_REFERENCE_SECONDS", 0.0)
    path = tmp_path / "ref.csv"
    path.write_text(_text(1))
    options = Options(reference=(reference_file(str(path)),), output=tmp_path / "out")
    notes: list[str] = []
    used: list[Sample] = []
    monitor = SimpleNamespace(replace_reference=lambda sample: used.append(sample) or True, fingerprint="f")
    watched = WatchedReference(options, notes.append)
    watched.read()
    path.write_text(_text(2)[:-3])
    for _ in range(4):
        watched.renew(monitor)  # type: ignore[arg-type]
    assert used == []
    (note,) = notes
    assert "the former one stays" in note
    assert "its last line has no end" in note
    path.write_text(_text(2))
    for _ in range(2):
        watched.renew(monitor)  # type: ignore[arg-type]
    assert len(used) == 1
