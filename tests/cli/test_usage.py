"""Wrong usage ends with exit code 2 and says what to do; what needs no computing answers without JAX."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nplm.cli.commands.test_options import Options
from nplm.cli.errors import DOCTOR_MEANINGS, MEANINGS
from nplm.cli.main import main
from nplm.cli.types import ReferenceFile, feature_names, layers, reference_file

USUAL = ("test", "data.npz", "--reference", "ref.npz", "-o", "out")


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("test",), ("DATA is missing", "put it first")),
        (("test", "--reference", "ref.npz", "data.npz", "-o", "out"), ("DATA", "'data.npz'", "put it first")),
        (("test", "data.npz", "-o", "out"), ("--reference",)),
        (("test", "data.npz", "--reference", "ref.npz"), ("-o",)),
        ((*USUAL, "--clip", "0"), ("--clip", "positive", "'0'")),
        ((*USUAL, "--clip", "-1"), ("--clip", "'-1'")),
        ((*USUAL, "--clip", "nan"), ("--clip", "'nan'")),
        ((*USUAL, "--toys", "-1"), ("--toys", "-1")),
        ((*USUAL, "--toys", "2.5"), ("--toys", "'2.5'")),
        ((*USUAL, "--toys", "20"), ("--toys 20", "99 or more")),
        ((*USUAL, "--model", "histogram", "--bins", "0"), ("--bins", "0")),
        ((*USUAL, "--seed", "-1"), ("--seed", "-1")),
        ((*USUAL, "--seed", str(2**32)), ("--seed", str(2**32))),
        ((*USUAL, "--expected-yield", "0"), ("--expected-yield", "'0'")),
        ((*USUAL, "--expected-yield", "inf"), ("--expected-yield", "'inf'")),
        ((*USUAL, "--hidden", "4x0"), ("--hidden", "'4x0'")),
        ((*USUAL, "--hidden", "4,4"), ("--hidden", "'4,4'")),
        ((*USUAL, "--bins", "5"), ("--bins", "histogram")),
        ((*USUAL, "--model", "histogram", "--clip", "9"), ("--clip", "network")),
        ((*USUAL, "--model", "histogram", "--hidden", "4"), ("--hidden", "network")),
        ((*USUAL, "--model", "kernal"), ("--model", "'kernal'", "network")),
        ((*USUAL, "--features", "x,,y"), ("--features", "x,,y")),
        ((*USUAL, "--features", "x", "y", "x"), ("--features", "'x' twice")),
        ((*USUAL, "--features", "x", "--weights", "x"), ("'x'", "weight")),
        ((*USUAL, "--weights", ""), ("--weights", "empty")),
        ((*USUAL, "--frobnicate"), ("--frobnicate",)),
        ((*USUAL, "--tr", "events"), ("--tr",)),
        (("test", "data.npz", "--reference", "ref.npz=-5", "-o", "out"), ("ref.npz", "-5")),
        (("test", "data.npz", "--reference", "ref.npz=inf", "-o", "out"), ("ref.npz", "inf")),
        (
            ("test", "data.npz", "--reference", "ref.npz=400", "--expected-yield", "400", "-o", "out"),
            ("--expected-yield", "ref.npz"),
        ),
        ((*USUAL, "--shape-only", "--expected-yield", "400"), ("--shape-only", "--expected-yield")),
        ((*USUAL, "--null", "store", "--toys", "40"), ("--toys", "--null")),
        ((*USUAL, "--null", "store", "--pool", "pool.npz"), ("--pool", "--null")),
        (("tset", "data.npz"), ("tset",)),
    ],
)
def test_wrong_usage_is_refused_by_name(folder: Path, nplm, words, culprits) -> None:
    outcome = nplm(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    for culprit in culprits:
        assert culprit in outcome.err.splitlines()[0]
    assert not (folder / "out").exists()


def test_no_command_shows_the_help(nplm) -> None:
    outcome = nplm()
    assert outcome.code == 2
    assert "doctor" in outcome.out


def test_help_documents_every_exit_code(nplm) -> None:
    outcome = nplm("test", "--help")
    assert outcome.code == 0
    for code, meaning in MEANINGS.items():
        assert f"  {code:<5}{meaning}" in outcome.out


def test_help_of_the_doctor_documents_its_exit_codes(nplm) -> None:
    out = nplm("doctor", "--help").out
    for code, meaning in DOCTOR_MEANINGS.items():
        assert f"  {code:<5}{meaning}" in out


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["--cite"],
        ["test", "--help"],
        ["test", "data.npz", "--reference", "ref.npz", "--clip", "0"],
        ["test", "missing.npz", "--reference", "missing-too.npz", "-o", "out"],
    ],
)
def test_answers_that_need_no_computing_import_nothing_large(tmp_path: Path, words: list[str]) -> None:
    script = (
        "import sys; from nplm.cli.main import main; main(sys.argv[1:]);"
        " sys.exit(bool({'jax', 'jinja2', 'matplotlib'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr != ""


def test_version_is_that_of_the_distribution(nplm) -> None:
    from importlib.metadata import version

    assert nplm("--version") == (0, f"nplm {version('nplm-jax')}\n", "")


def test_the_main_function_takes_its_words_from_the_program(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["nplm", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("nplm ")


def test_a_yield_is_split_off_at_the_last_equals_sign(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mu=125").touch()
    assert reference_file("A.root=1200") == ReferenceFile("A.root", 1200.0)
    assert reference_file("run=3/A.root=1.5e3") == ReferenceFile("run=3/A.root", 1500.0)
    assert reference_file("run=3/A.root") == ReferenceFile("run=3/A.root", None)
    assert reference_file("mu=125") == ReferenceFile("mu=125", None)
    assert reference_file("mu=125=20") == ReferenceFile("mu=125", 20.0)


def test_hidden_layers() -> None:
    assert layers("4") == (4,)
    assert layers("5x5x5x5") == (5, 5, 5, 5)


def test_defaults_are_those_of_the_manual() -> None:
    options = Options.of({"data": "d", "reference": (ReferenceFile("r", None),), "json": True})
    assert (options.model, options.hidden, options.clip, options.bins) == ("family", (4,), 9.0, 10)
    assert (options.toys, options.seed, options.coordinates, options.shape_only) == (999, 1, "standardized", False)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("pt,mll", ("pt", "mll")),
        ("hypot(px, py),eta", ("hypot(px, py)", "eta")),
        ("`m (j, j)`,`it's` + 1", ("`m (j, j)`", "`it's` + 1")),
        ("max(`m, (`[`a'` > 1]),x", ("max(`m, (`[`a'` > 1])", "x")),
        ('col("a, (b"),x', ('col("a, (b")', "x")),
    ],
)
def test_commas_in_brackets_and_quotes_part_no_features(word: str, names: tuple[str, ...]) -> None:
    assert feature_names(word) == names
