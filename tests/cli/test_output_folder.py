"""The output folder: nothing is overwritten unasked, and nothing but a run of nplm is ever removed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from nplm.toys.table import ToyTable

RUN = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "histogram", "--quiet", "-o", "out")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run of `out` is kept once there is one: none of these tests is about how it was made."""
    return tmp_path_factory.mktemp("finished") / "out"


@pytest.fixture
def out(folder: Path, finished: Path, nplm) -> Path:
    """A folder with a run of 70 toys."""
    if finished.exists():
        shutil.copytree(finished, folder / "out")
    else:
        assert nplm(*RUN, "--toys", "70").code == 0
        shutil.copytree(folder / "out", finished)
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
    others = ("notes.txt", "plots/mine.png", "plots/null-mine.png", "plots/feature-01-mine.pdf", "sub/result.json")
    (out / "sub").mkdir()
    for name in others:
        (out / name).write_text("mine")
    (part,) = out.glob("toys/part-*.parquet")
    (out / "toys" / f".{part.stem}-{'0' * 16}.parquet").write_text("half of a killed run")
    (out / "plots" / f".null-{'0' * 16}.png").write_text("half of a killed run")
    outcome = nplm(*RUN, "--toys", "10", "--force")
    assert outcome.code == 0, outcome.err
    assert all((out / name).read_text() == "mine" for name in others)
    (part,) = out.glob("toys/part-*.parquet")
    assert sorted(p.name for p in (out / "toys").iterdir()) == ["campaign.json", part.name]
    assert len(ToyTable.read(part)) == 10
    assert not list((out / "plots").glob(".*"))
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

    monkeypatch.setattr(
        "nplm.report.run_folder.tempfile.TemporaryFile", refuse
    )  # root, as in a container, may write anywhere
    monkeypatch.setattr("nplm.hypotest.test.NPLMTest.fit", refuse)
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
    monkeypatch.setattr("nplm.models.histogram.fit._LARGEST_BATCH", 100)


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

    with monkeypatch.context() as patch:
        patch.setattr("nplm.report.write_run.write_pictures", full)
        outcome = nplm(*RUN, "--toys", "20")
    assert outcome.code == 4
    assert "out cannot be written: No space left on device; 20 toys and result.json kept in out" in outcome.err
    assert json.loads((folder / "out" / "result.json").read_text())["calibration"]["toys"] == 20
    assert nplm(*RUN, "--toys", "20").code == 0  # there is room again
    assert (folder / "out" / "report.html").is_file()


def test_a_disk_that_is_full_from_the_start_keeps_nothing(folder: Path, nplm, monkeypatch) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ToyTable, "write", full)
        outcome = nplm(*RUN, "--toys", "20")
    assert outcome.code == 4
    assert "nothing of this run kept in out" in outcome.err
    assert nplm(*RUN, "--toys", "20").code == 0  # there is room again


def test_what_a_run_wrote_is_listed(out: Path, nplm) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["complete"] is True
    assert set(manifest["files"]) == set(snapshot(out)) - {"manifest.json"}
    assert manifest["command"].startswith("nplm test data.npz --reference ref.npz=400")


def put_in_place_of(out: Path, name: str) -> None:
    """Somebody's own file where the run had one of its own, which is no longer listed."""
    listed = json.loads((out / "manifest.json").read_text())
    listed["files"].remove(name)
    (out / "manifest.json").write_text(json.dumps(listed))
    (out / name).write_text("mine")


@pytest.mark.parametrize("name", ["events.csv", "result.json"])
def test_a_file_of_somebody_else_is_not_replaced_by_a_run(out: Path, nplm, name: str) -> None:
    put_in_place_of(out, name)
    before = snapshot(out)
    outcome = nplm(*RUN, "--toys", "10", "--force")
    assert outcome.code == 4
    assert f"out/{name} is not replaced" in outcome.err
    assert snapshot(out) == before


def test_a_picture_of_somebody_else_is_not_replaced_by_a_run(out: Path, nplm) -> None:
    put_in_place_of(out, "plots/feature-01-x.png")
    outcome = nplm(*RUN, "--toys", "0", "--force")
    assert outcome.code == 4
    assert "plots/feature-01-x.png is not replaced" in outcome.err
    assert (out / "plots" / "feature-01-x.png").read_text() == "mine"
    (out / "plots" / "feature-01-x.png").unlink()
    assert nplm(*RUN, "--toys", "0").code == 0  # which finishes it


@pytest.mark.parametrize(
    "document",
    ["[]", "{}", '{"schema": "mine"}', "\x00", '{"schema": "nplm-manifest/1", "files": ["../data.npz"]}'],
)
def test_a_list_that_is_none_frees_nothing(folder: Path, nplm, document: str) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "manifest.json").write_text(document)
    before = snapshot(folder)
    outcome = nplm(*RUN, "--force")
    assert outcome.code == 4
    assert "out/manifest.json does not say what nplm wrote there" in outcome.err
    assert snapshot(folder) == before


def test_a_run_without_a_list_is_not_replaced(out: Path, nplm) -> None:
    (out / "manifest.json").unlink()
    before = snapshot(out)
    outcome = nplm(*RUN, "--force")
    assert outcome.code == 4
    assert "out holds a run without manifest.json" in outcome.err
    assert snapshot(out) == before


@pytest.mark.parametrize("command", [RUN, (*RUN[:4], "--quiet", "-o", "out")], ids=["one model", "family"])
def test_a_run_that_was_killed_while_it_wrote_is_finished_by_the_same_command(
    folder: Path, nplm, monkeypatch, command: tuple[str, ...]
) -> None:
    def killed(*arguments: object, **settings: object) -> None:
        raise SystemExit(137)

    words = (*command, "--toys", "100")
    with monkeypatch.context() as patch:
        patch.setattr("nplm.report.leading.localize", killed)
        patch.setattr("nplm.report.two_sample.localize_samples", killed)
        with pytest.raises(SystemExit):
            nplm(*words)
    out = folder / "out"
    assert (out / "result.json").is_file()
    assert not (out / "report.html").exists()
    first = json.loads((out / "result.json").read_text())
    outcome = nplm(*words[:-1], "101")
    if command == RUN:
        assert outcome.code == 0  # more toys of the same run
        assert json.loads((out / "result.json").read_text())["calibration"]["toys"] == 101
    else:
        assert outcome.code == 4
        assert "holds another run" in outcome.err
        outcome = nplm(*words)
        assert outcome.code == 0, outcome.err
        assert json.loads((out / "result.json").read_text())["p_value"] == first["p_value"]
    assert (out / "report.html").is_file()
    assert json.loads((out / "manifest.json").read_text())["complete"] is True
    assert nplm(*words).code == 4


def test_of_two_runs_that_begin_at_once_the_second_leaves_nothing(folder: Path, nplm, monkeypatch) -> None:
    from nplm.hypotest.test import NPLMTest

    run = NPLMTest.run
    before: list[dict[str, bytes]] = []

    def overtaken(*arguments: object, **settings: object) -> object:
        if not before:
            before.append({})
            assert nplm(*RUN, "--toys", "10").code == 0
            before[0] = snapshot(folder / "out")
        return run(*arguments, **settings)

    monkeypatch.setattr(NPLMTest, "run", overtaken)
    outcome = nplm(*RUN, "--toys", "20", "--seed", "3")
    assert outcome.code == 4
    assert "another run has begun in out meanwhile" in outcome.err
    assert snapshot(folder / "out") == before[0]
