"""Strange inputs for all commands: an exit code, one line that says what is wrong, no traceback, no hang."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nplm.cli.errors import MEANINGS, ExitCode
from nplm.cli.main import main

EXAMPLES = 150
# Seconds that one command may take, on a machine that does other things too, and bytes by which the process may grow.
SECONDS, BYTES = 60.0, 1 << 30
EVENTS = 80

VALUES = {
    "usual": lambda rng, n: rng.exponential(size=n),
    "constant": lambda rng, n: np.full(n, 3.0),
    "counts": lambda rng, n: rng.poisson(3, n),
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "far": lambda rng, n: np.append(rng.normal(size=n - 1), 1e200),
    "with NaN": lambda rng, n: np.where(np.arange(n) == 5, np.nan, rng.normal(size=n)),
    "with inf": lambda rng, n: np.where(np.arange(n) == 7, np.inf, rng.normal(size=n)),
    "whole": lambda rng, n: rng.integers(2**62, 2**63 - 1, n),
    "truth": lambda rng, n: rng.random(n) < 0.5,
    "single": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "one far default": lambda rng, n: np.where(rng.random(n) < 0.3, -999.0, rng.normal(size=n)),
}
WEIGHTS = {
    "none": None,
    "one": lambda rng, n: np.ones(n),
    "negative": lambda rng, n: np.where(rng.random(n) < 0.3, -1.0, 1.0),
    "all negative": lambda rng, n: -np.ones(n),
    "zero": lambda rng, n: np.zeros(n),
    "huge": lambda rng, n: np.full(n, 1e300),
    "tiny": lambda rng, n: np.full(n, 1e-300),
    "one large": lambda rng, n: np.append(np.ones(n - 1), 1e90),
    "with NaN": lambda rng, n: np.append(np.ones(n - 1), np.nan),
}
FORMATS = ("npz", "csv", "parquet", "h5")
NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "1e-300",
    "1e300",
    "0.5",
    "nan",
    "inf",
    "1e9",
    "three",
    "",
    "5,2",
    "9" * 20,
)
# Each kind of command with options that take a number.
COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("test", "--model", "histogram", "--toys", "20"): ("--bins", "--toys", "--seed", "--expected-yield"),
    ("test", "--model", "histogram", "--shape-only", "--toys", "0"): ("--bins", "--seed"),
    ("test", "--model", "kernel", "--width", "1", "--toys", "0"): (
        "--width",
        "--centers",
        "--penalty",
        "--expected-yield",
    ),
    ("test", "--widths", "0.5,2", "--toys", "0"): ("--widths", "--centers"),
    ("test", "--family", "one"): ("--toys", "--seed", "--expected-yield"),
    ("validate", "--family", "one"): ("--seed",),
    ("prepare", "--width", "1", "-o", "prepared.npz"): ("--width", "--centers", "--penalty"),
    ("power", "--width", "1", "--n", "5,10"): ("--n", "--width", "--expected-yield"),
    ("toys", "run", "--model", "histogram", "--toys", "20", "-o", "toys"): ("--toys", "--bins", "--seed"),
    ("toys", "status"): (),
    ("monitor", "--family", "one"): ("--alpha", "--window", "--least-events", "--expected-rate"),
    ("monitor", "--width", "1", "--least-events", "20"): ("--width", "--window", "--exposure"),
    ("learn",): ("--seed",),
}
TEXTS = {
    "--where": (
        "x > 0",
        "x >",
        "y == 'a'",
        "__import__('os')",
        "x > 1e400",
        "0 < x < 1",
        "x ** 9 ** 9",
        "(" * 200,
    ),
    "--features": ("x", "x,y", "nothing", "x x", "weight", ""),
    "--weights": ("weight", "x", "nothing", ""),
    "--coordinates": ("normal-scores", "raw", "nothing"),
    "--circular": ("x", "x=0", "x=1e-300", "x=inf", "nothing"),
}


class File(NamedTuple):
    """What a file holds, and what has happened to it."""

    kind: str
    features: tuple[str, ...]
    weights: str
    events: int
    damage: str


def mostly(usual: str, others: Sequence[str], times: int) -> st.SearchStrategy[str]:
    """Hardly anything is strange at once, so that commands get far enough."""
    return st.sampled_from([*[usual] * times, *others])


FILES = st.builds(
    File,
    st.sampled_from(FORMATS),
    st.lists(mostly("usual", list(VALUES), 12), min_size=1, max_size=2).map(tuple),
    mostly("none", list(WEIGHTS), 18),
    st.sampled_from([*[EVENTS] * 18, 1, 0]),
    mostly("none", ("cut", "bytes", "renamed", "empty"), 36),
)


def write(folder: Path, name: str, file: File, seed: int) -> str:
    """The file, and its name."""
    rng, n = np.random.default_rng(seed), file.events
    columns = {"xy"[i]: VALUES[v](rng, n) if n else np.zeros(0) for i, v in enumerate(file.features)}
    weigh = WEIGHTS[file.weights]
    if weigh is not None:
        columns["weight"] = weigh(rng, n) if n else np.zeros(0)
    path = folder / f"{name}.{file.kind}"
    if file.kind == "npz":
        np.savez(path, **columns)
    elif file.kind == "h5":
        with h5py.File(path, "w") as out:
            for key, values in columns.items():
                out[key] = values
    else:
        table = pa.table(columns)
        (pyarrow.csv.write_csv if file.kind == "csv" else pyarrow.parquet.write_table)(table, str(path))
    whole = path.read_bytes()
    if file.damage == "cut":
        path.write_bytes(whole[: len(whole) * 2 // 3])
    elif file.damage == "bytes":
        path.write_bytes(whole[:20] + bytes(rng.integers(0, 256, 40, dtype=np.uint8)) + whole[60:])
    elif file.damage == "empty":
        path.write_bytes(b"")
    elif file.damage == "renamed":
        path = path.rename(path.with_suffix(".root" if file.kind != "csv" else ".parquet"))
    return path.name


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[str], File, File]:
    """The words of a command, its data and its reference."""
    command = draw(st.sampled_from(list(COMMANDS)))
    words = list(command)
    if COMMANDS[command] and draw(st.booleans()):
        words += [draw(st.sampled_from(COMMANDS[command])), draw(st.sampled_from(NUMBERS))]
    if draw(st.sampled_from((False, False, True))):
        option = draw(st.sampled_from(list(TEXTS)))
        words += [option, draw(st.sampled_from(TEXTS[option]))]
    return words, draw(FILES), draw(FILES)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, and a process that has run each kind of command, so that growth is that of one example."""
    return tmp_path_factory.mktemp("fuzz")


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(call=calls(), seed=st.integers(0, 2**16))
def test_any_input_ends_in_an_answer_or_in_one_line(
    call: tuple[list[str], File, File],
    seed: int,
    started: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, data, reference = call
    folder = started / f"{seed}-{abs(hash((tuple(words), data, reference)))}"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    names = [write(folder, "data", data, seed), write(folder, "ref", reference, seed + 1)]
    words = _with_files(words, names, folder)
    capfd.readouterr()
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(words)
    seconds, grown = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    err = capfd.readouterr().err
    assert code in MEANINGS, (words, code)
    assert "Traceback" not in err, (words, err)
    assert seconds < SECONDS, (words, seconds)
    assert grown * 1024 < BYTES, (words, grown)
    if code not in (ExitCode.DONE, ExitCode.ALARM, ExitCode.UNTESTED):
        lines = [line for line in err.splitlines() if line.startswith("nplm: error: ")]
        assert len(lines) == 1, (words, err)
        assert len(lines[0]) < 600, (words, lines)
        # The culprit is a file, an option, its value or a feature.
        named = [*names, "data", "ref", *words, "'x'", "'y'", "weight", "--", "feature", "events", "-o"]
        assert any(word and word in lines[0] for word in named), (words, lines)


def _with_files(words: list[str], names: list[str], folder: Path) -> list[str]:
    """The command with data and reference where it takes them, and JSON in the place of a report."""
    data, reference = names
    if words[:1] == ["monitor"]:
        (folder / "runs").mkdir(exist_ok=True)
        (folder / data).rename(folder / "runs" / data)
        return ["monitor", reference, "--folder", "runs", *words[1:], "-o", "watch", "--quiet"]
    if words[:1] == ["learn"]:
        files = f"central: {reference}\nnuisances: {{s: {{sigma: 1, files: {{-1: {data}, 1: {data}}}}}}}\n"
        (folder / "learn.yaml").write_text(files)
        return ["learn", "learn.yaml", *words[1:], "-o", "learned"]
    if words[:2] == ["toys", "status"]:
        return ["toys", "status", data]
    if words[:1] == ["validate"]:
        return ["validate", data, reference, *words[1:], "--json"]
    if words[:1] == ["prepare"]:
        return ["prepare", "--reference", reference, *words[1:]]
    if words[:1] == ["power"]:
        return ["power", "--signal", data, "--reference", reference, *words[1:], "--json"]
    if words[:2] == ["toys", "run"]:
        return ["toys", "run", "--reference", reference, *words[2:]]
    return ["test", data, "--reference", reference, *words[1:], "--json"]
