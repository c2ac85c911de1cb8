"""The output folder: nothing is overwritten unasked, and nothing but a run of nplm is ever removed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nplm.ensemble.table import ToyTable

RUN = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "histogram", "--quiet", "-o", "out")
# In the name of a file that is being written.
NUMBER = "0" * 16


@pytest.fixture
def out(folder: Path, nplm) -> Path:
    """A folder with a run of 70 toys."""
    assert nplm(*RUN, "--toys", "70").code == 0
    return folder / "out"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_run_is_not_overwritten(out: Path, nplm) -> None:
    before = snapshot(out)
    outcome = nplm(*RUN, "--toys", "0")
    assert outcome.code == 4
    assert "out holds another run" in outcome.err
    assert "--force" in outcome.err
    assert snapshot(out) == before


def test_force_replaces_the_run_and_keeps_everything_else(out: Path, nplm) -> None:
    others = ("notes.txt", "plots/mine.png", "sub/result.json")
    (out / "sub").mkdir()
    for name in others:
        (out / name).write_text("mine")
    older = ("null-old.png", "nuisances.png", "learned-01-scale.pdf")
    for name in older:
        (out / "plots" / name).write_text("of another run")
    (out / "toys" / f".part-00009-{NUMBER}.parquet").write_text("half of a killed run")
    outcome = nplm(*RUN, "--toys", "10", "--force")
    assert outcome.code == 0, outcome.err
    assert all((out / name).read_text() == "mine" for name in others)
    (part,) = out.glob("toys/part-*.parquet")
    assert sorted(p.name for p in (out / "toys").iterdir()) == ["campaign.json", part.name]
    assert len(ToyTable.read(part)) == 10
    assert not {path.name for path in (out / "plots").iterdir()} & {*older}
    assert json.loads((out / "result.json").read_text())["calibration"]["toys"] == 10


def test_force_leaves_the_old_run_when_the_new_input_is_bad(out: Path, nplm) -> None:
    before = snapshot(out)
    assert nplm("test", "nowhere.npz", *RUN[2:], "--force").code == 3
    assert nplm(*RUN, "--force", "--weights", "w").code == 3
    assert snapshot(out) == before


def test_a_folder_of_other_things_is_refused_even_with_force(folder: Path, nplm) -> None:
    for name in ("report.html", "result.json"):
        (folder / "out").mkdir(exist_ok=True)
        (folder / "out" / name).write_text('{"schema": "something else"}')
        for force in ((), ("--force",)):
            outcome = nplm(*RUN, *force)
            assert outcome.code == 4
            assert name in outcome.err
    assert snapshot(folder / "out").keys() == {"report.html", "result.json"}


def test_the_toys_of_a_killed_run_are_a_run(out: Path, nplm) -> None:
    (out / "result.json").unlink()
    (out / "report.html").unlink()
    assert nplm(*RUN, "--toys", "0").code == 4
    assert nplm(*RUN, "--toys", "0", "--force").code == 0
    assert not list(out.glob("toys/*"))


def test_a_run_that_was_killed_while_it_wrote_its_report_goes_on(out: Path, nplm) -> None:
    before = snapshot(out)
    (out / "report.html").unlink()
    (out / "toys" / f".part-00000009-{NUMBER}.parquet").write_text("half")
    (out / "plots" / f".null-{NUMBER}.png").write_text("half")
    assert nplm(*RUN, "--toys", "70").code == 0
    after = snapshot(out)
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in after if name.startswith(("toys/part-", "plots/")))


def test_a_run_without_toys_that_was_killed_while_it_wrote_its_report_begins_again(folder: Path, nplm) -> None:
    assert nplm(*RUN, "--toys", "0").code == 0
    before = snapshot(folder / "out").keys()
    (folder / "out" / "report.html").unlink()
    assert nplm(*RUN, "--toys", "0").code == 0
    assert snapshot(folder / "out").keys() == before


@pytest.mark.parametrize("left", [f".result-{NUMBER}.json", f"toys/.campaign-{NUMBER}.json", "toys", "plots"])
def test_what_a_run_leaves_that_is_killed_before_its_first_file_is_no_hindrance(folder: Path, nplm, left: str) -> None:
    path = folder / "out" / left
    (path.parent if path.suffix else path).mkdir(parents=True)
    if path.suffix:
        path.write_text("{")
    assert nplm(*RUN, "--toys", "20").code == 0
    assert not list((folder / "out").rglob(".*"))


def test_a_run_that_is_killed_while_it_removes_the_older_one_begins_again(folder: Path, nplm, monkeypatch) -> None:
    assert nplm(*RUN, "--toys", "0").code == 0
    unlink, whole = Path.unlink, snapshot(folder / "out")

    def killed(path: Path, missing_ok: bool = False) -> None:
        if len(snapshot(folder / "out")) == 1:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        assert nplm(*RUN, "--toys", "0", "--force").code == 130
    assert list(snapshot(folder / "out")) == ["result.json"]
    assert nplm(*RUN, "--toys", "0", "--force").code == 0
    assert snapshot(folder / "out").keys() == whole.keys()


def test_toys_are_not_mixed_with_other_files(out: Path, nplm) -> None:
    (out / "toys" / "mine.parquet").write_text("mine")
    before = snapshot(out)
    outcome = nplm(*RUN, "--force")
    assert outcome.code == 4
    assert "mine.parquet" in outcome.err
    assert snapshot(out) == before


def test_an_empty_folder_is_used(folder: Path, nplm) -> None:
    (folder / "out").mkdir()
    assert nplm(*RUN, "--toys", "0").code == 0


def test_an_empty_folder_that_was_there_stays_when_the_test_fails(folder: Path, nplm) -> None:
    (folder / "out").mkdir()
    words = ("test", "data.npz", "--reference", "nref.npz", "--weights", "w", *RUN[4:])
    assert nplm(*words).code == 3
    assert (folder / "out").is_dir()


def test_a_file_is_no_folder(folder: Path, nplm) -> None:
    (folder / "out").write_text("mine")
    outcome = nplm(*RUN, "--force")
    assert outcome.code == 4
    assert "out is not a folder" in outcome.err
    assert (folder / "out").read_text() == "mine"


def test_a_folder_below_a_file_cannot_be_made(folder: Path, nplm) -> None:
    outcome = nplm(*RUN[:-1], "data.npz/out")
    assert outcome.code == 4
    assert "data.npz/out" in outcome.err


def test_a_folder_that_cannot_be_written_is_refused_before_the_fit(folder: Path, nplm, monkeypatch) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nplm.cli.output.tempfile.TemporaryFile", refuse)  # root, as in a container, may write anywhere
    monkeypatch.setattr("nplm.hypothesis_test.NPLMTest.fit", refuse)
    outcome = nplm(*RUN)
    assert outcome.code == 4
    assert "out cannot be written: Permission denied" in outcome.err
    assert not (folder / "out").exists()


def test_linked_folders_are_not_followed(out: Path, folder: Path, nplm) -> None:
    (out / "toys").rename(folder / "elsewhere")
    (out / "toys").symlink_to(folder / "elsewhere")
    before = snapshot(folder / "elsewhere")
    outcome = nplm(*RUN, "--force")
    assert outcome.code == 4
    assert "toys is a link" in outcome.err
    assert snapshot(folder / "elsewhere") == before


def test_other_files_beside_the_folder_are_never_touched(out: Path, folder: Path, nplm) -> None:
    before = {k: v for k, v in snapshot(folder).items() if not k.startswith("out")}
    assert nplm(*RUN, "--toys", "0", "--force").code == 0
    assert {k: v for k, v in snapshot(folder).items() if not k.startswith("out")} == before


def toys_in(out: Path) -> list[int]:
    """The toys' numbers, as a reader of all parts finds them."""
    return [i for part in sorted(out.glob("toys/*.parquet")) for i in ToyTable.read(part).index.tolist()]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toys in batches of 100."""
    monkeypatch.setattr("nplm.models.histogram._LARGEST_BATCH", 100)


def test_a_run_of_usual_length_has_one_file_of_toys(out: Path, nplm, small_batches) -> None:
    assert nplm(*RUN, "--toys", "250", "--force").code == 0
    assert len(list(out.glob("toys/part-*.parquet"))) == 1
    assert toys_in(out) == list(range(250))
    assert nplm("toys", "status", "out/toys").out.startswith("out/toys: 250 of 250 toys done")


def test_a_disk_that_fills_up_during_the_toys_ends_the_run(folder: Path, nplm, monkeypatch, small_batches) -> None:
    write, sizes = ToyTable.write, []

    def full(table: ToyTable, path: Path, metadata: dict[str, str] | None = None) -> None:
        sizes.append(len(table))
        if len(sizes) > 1:
            raise OSError(28, "No space left on device", str(path))
        write(table, path, metadata)

    monkeypatch.setattr(ToyTable, "write", full)
    outcome = nplm(*RUN, "--toys", "250")
    assert outcome.code == 4
    assert re.search(r"part-\S+ cannot be written: No space left on device; 100 toys kept in out", outcome.err)
    assert "Traceback" not in outcome.err
    assert toys_in(folder / "out") == list(range(100))


def test_a_disk_that_fills_up_during_the_report_keeps_the_result(folder: Path, nplm, monkeypatch) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nplm.report.pictures.write_pictures", full)
    outcome = nplm(*RUN, "--toys", "20")
    assert outcome.code == 4
    assert "out cannot be written: No space left on device; 20 toys and result.json kept in out" in outcome.err
    assert json.loads((folder / "out" / "result.json").read_text())["calibration"]["toys"] == 20


def test_a_disk_that_is_full_from_the_start_keeps_nothing(folder: Path, nplm, monkeypatch) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ToyTable, "write", full)
    outcome = nplm(*RUN, "--toys", "20")
    assert outcome.code == 4
    assert "nothing of this run kept in out" in outcome.err
