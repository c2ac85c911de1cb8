"""Bad input is refused before any fit, at once, with exit code 3 and a message that names the culprit."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import uproot

GOOD = ("--reference", "ref.npz")
ENDING = ("--model", "histogram", "--toys", "20", "-o", "out")


@pytest.fixture
def refused(folder: Path, nplm, monkeypatch):
    """Runs `nplm test`, demands that it is refused without a fit or a trace, and returns the message."""

    def fit(*arguments: object, **settings: object) -> None:
        raise AssertionError("a fit was started on bad input")

    monkeypatch.setattr("nplm.hypotest.test.NPLMTest.fit", fit)

    def run(*words: str) -> str:
        before = set(folder.rglob("*"))
        outcome = nplm("test", *words, *ENDING)
        assert outcome.code == 3, outcome.err
        assert outcome.out == ""
        assert set(folder.rglob("*")) == before, "something was left behind"
        return next(line for line in outcome.err.splitlines() if line.startswith("nplm: error: "))

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("nowhere.npz", "--reference", "ref.npz"),
        ("data.npz", "--reference", "ref.npz", "nowhere.npz"),
        ("data.npz", "--reference", "nowhere.npz=1200"),
        ("data.npz", "--reference", "ref.npz", "--pool", "nowhere.npz"),
    ],
)
def test_missing_file(refused, words) -> None:
    assert "nowhere.npz does not exist" in refused(*words)


def test_unreadable_file(refused, folder: Path) -> None:
    (folder / "bad.npz").write_text("this is no archive")
    assert "bad.npz" in refused("bad.npz", *GOOD)


def test_unknown_format(refused, folder: Path) -> None:
    (folder / "data.xlsx").write_text("x,y\n1,2\n")
    message = refused("data.xlsx", *GOOD)
    assert "data.xlsx" in message
    assert ".parquet" in message


def test_missing_feature(refused) -> None:
    message = refused("data.npz", *GOOD, "--features", "x", "mll")
    assert "ref.npz" in message
    assert "'mll'" in message


def test_missing_weight_column_of_the_reference(refused) -> None:
    message = refused("data.npz", *GOOD, "--weights", "w")
    assert "ref.npz" in message
    assert "'w'" in message


@pytest.mark.parametrize("as_pool", [False, True])
def test_mismatched_columns_of_data_and_reference(refused, folder: Path, as_pool: bool) -> None:
    np.savez(folder / "other.npz", x=np.arange(5.0), z=np.arange(5.0))
    message = refused("data.npz", *GOOD, "--pool", "other.npz") if as_pool else refused("other.npz", *GOOD)
    assert "other.npz lacks y" in message
    assert "the reference lacks z" in message
    assert "--features" in message


def test_mismatched_columns_of_two_reference_files(refused, folder: Path) -> None:
    np.savez(folder / "other.npz", x=np.arange(5.0))
    message = refused("data.npz", *GOOD, "other.npz")
    assert "other.npz" in message
    assert "y" in message


def test_a_yield_for_only_some_files(refused, folder: Path) -> None:
    assert "wref.npz" in refused("data.npz", "--reference", "ref.npz=1200", "wref.npz", "--features", "x")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(refused, folder: Path, value: float) -> None:
    np.savez(folder / "bad.npz", x=np.array([1.0, 2.0, value]), y=np.arange(3.0))
    message = refused("bad.npz", *GOOD)
    assert "bad.npz" in message
    assert "'x'" in message
    assert "row 2" in message


def test_empty_sample(refused, folder: Path) -> None:
    np.savez(folder / "empty.npz", x=np.zeros(0), y=np.zeros(0))
    assert "empty.npz" in refused("empty.npz", *GOOD, "--shape-only")  # where yields are compared it is data
    assert "empty.npz" in refused("data.npz", *GOOD, "--pool", "empty.npz")
    assert "empty.npz" in refused("data.npz", "--reference", "empty.npz")


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_total_weight_that_is_not_positive(refused, folder: Path, weight: float) -> None:
    x = np.arange(5.0)
    np.savez(folder / "bad.npz", x=x, y=x, w=np.full(5, weight))
    assert "bad.npz" in refused("data.npz", "--reference", "bad.npz", "--weights", "w")
    assert "bad.npz" in refused("bad.npz", "--reference", "wref.npz", "--weights", "w")


def test_constant_feature(refused, folder: Path) -> None:
    np.savez(folder / "flat.npz", x=np.arange(5.0), y=np.full(5, 2.0))
    message = refused("data.npz", "--reference", "flat.npz")
    assert "flat.npz" in message
    assert "'y'" in message


def test_jagged_column(refused, folder: Path) -> None:
    import awkward as ak

    with uproot.recreate(folder / "jets.root") as file:
        file["events"] = {"x": np.arange(3.0), "pt": ak.Array([[1.0], [2.0, 3.0], []])}
    message = refused("jets.root", *GOOD, "--features", "pt")
    assert "ref.npz" in message  # the reference is read first, and has no pt either
    message = refused("data.npz", "--reference", "jets.root", "--features", "pt")
    assert "jets.root" in message
    assert "'pt'" in message
    assert "jagged" in message


def test_no_data_after_the_cut(refused) -> None:
    message = refused("data.npz", *GOOD, "--where", "x > 9 and x < 9.0001")
    assert "passes the cut" in message
    assert "x > 9" in message


def test_unknown_column_in_the_cut(refused) -> None:
    assert "mll" in refused("data.npz", *GOOD, "--where", "mll > 60")


def test_cut_that_is_code(refused) -> None:
    refused("data.npz", *GOOD, "--where", "__import__('os').system('touch hacked')")


def test_negative_weights_need_a_pool(refused) -> None:
    message = refused("data.npz", "--reference", "nref.npz", "--weights", "w")
    assert "nref.npz" in message
    assert "negative weights" in message
    assert "pool" in message


def test_remote_address_and_the_option_that_allows_it(refused) -> None:
    message = refused("root://host//data.root", *GOOD)
    assert "root://host//data.root" in message
    assert "--allow-remote" in message


def test_names_of_files_are_not_reworded(refused) -> None:
    assert "tree=1.root does not exist" in refused("tree=1.root", *GOOD)
    assert "allow_remote=True.npz does not exist" in refused("allow_remote=True.npz", *GOOD)


def test_external_link_and_the_option_that_allows_it(refused, folder: Path) -> None:
    with h5py.File(folder / "real.h5", "w") as file:
        file["x"] = np.arange(5.0)
    with h5py.File(folder / "link.h5", "w") as file:
        file["x"] = h5py.ExternalLink("real.h5", "x")
    message = refused("link.h5", *GOOD)
    assert "link.h5" in message
    assert "--allow-external-links" in message


def test_names_from_a_file_do_not_command_the_terminal(refused, folder: Path) -> None:
    np.savez(folder / "bad.npz", **{"x": np.arange(5.0), "y": np.arange(5.0), "\x1b[2J\n": np.arange(5.0)})
    message = refused("bad.npz", *GOOD)
    assert "\x1b" not in message
    assert "the reference lacks \\x1b[2J\\n." in message


def test_a_misspelt_name_does_not_wait_for_other_files(refused, folder: Path, monkeypatch) -> None:
    def read(*arguments: object, **settings: object) -> None:
        raise AssertionError("a file was read although another is missing")

    monkeypatch.setattr("nplm.cli.reading.read_reference", read)
    assert "nowhere.npz" in refused("data.npz", *GOOD, "--pool", "nowhere.npz")


def test_a_bug_is_not_mistaken_for_bad_input(folder: Path, nplm, monkeypatch) -> None:
    def fit(*arguments: object, **settings: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr("nplm.models.histogram.model.PreparedHistogram.fit", fit)
    with pytest.raises(ValueError, match="broadcast"):
        nplm("test", "data.npz", *GOOD, *ENDING)
    assert not (folder / "out").exists()


def test_a_reference_that_nobody_scaled_is_refused_before_toys_take_all_memory(
    refused, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.cli.commands.test._prepare", None)
    np.savez(folder / "large.npz", x=np.arange(100.0), w=np.full(100, 1e6))
    message = refused("data.npz", "--reference", "large.npz", "--features", "x", "--weights", "w")
    assert "expects 1e+08 events, but the data have 400" in message
    assert "--expected-yield" in message
