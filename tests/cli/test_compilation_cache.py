"""What a command compiled is kept for the next one, and nothing depends on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from nplm.cli import compilation_cache
from nplm.cli.compilation_cache import keep_compilations, remove_oldest
from nplm.cli.main import main

VARIABLE, LEAST = "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
RUN = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "histogram", "--toys", "0", "--quiet", "--json")

# The command, which says at last how many programs it read.
COUNTED = """
import sys
from nplm.cli.compilation_cache import keep_compilations
from nplm.cli.main import main

keep_compilations()
from jax import monitoring

read = []
monitoring.register_event_listener(lambda event, **_: read.append(event) if event.endswith("/cache_hits") else None)
code = main()
print(len(read), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, and an environment that says nothing of JAX's."""
    for name in (VARIABLE, LEAST):
        monkeypatch.setenv(name, "")  # so that what is set below is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(compilation_cache.platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "nplm"


def test_the_folder_is_the_users(cache: Path) -> None:
    with warnings.catch_warnings():
        keep_compilations()
    assert Path(os.environ[VARIABLE]).parent == cache
    assert Path(os.environ[VARIABLE]).is_dir()
    assert float(os.environ[LEAST]) < 1


def test_a_folder_that_the_user_has_chosen_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "elsewhere")
    keep_compilations()
    assert os.environ[VARIABLE] == "elsewhere"
    assert not cache.exists()


def test_without_a_folder_all_is_compiled_anew(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in its place")
    keep_compilations()
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("option", [True, False])
def test_an_option_does_without(option: bool, cache: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        assert main([*["--no-compilation-cache"] * option, *RUN]) == 0
    assert (VARIABLE in os.environ) != option
    assert json.loads(capsys.readouterr().out)["p_value"] > 0


def test_the_oldest_files_go_first(tmp_path: Path) -> None:
    for age, name in enumerate("abcd"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    remove_oldest(tmp_path, 400)
    assert len(list(tmp_path.iterdir())) == 4
    remove_oldest(tmp_path, 399)
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def test_a_command_reads_what_another_compiled_and_compiles_what_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    words = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "kernel", "--width", "0.7", "--toys", "0")

    def run() -> tuple[float, int]:
        """t, and the number of programs that were read."""
        command = [sys.executable, "-c", COUNTED, *words, "--quiet", "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "persistent" not in done.stderr
        return json.loads(done.stdout)["t"], int(done.stderr.split()[-1])

    # A program that a busy machine takes long for may be compiled twice by one command, and read the second time.
    t, own = run()
    again, read = run()
    assert again == pytest.approx(t, rel=1e-9)
    assert read > own
    for path in home.glob("**/*-cache"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again, left = run()
    assert again == pytest.approx(t, rel=1e-9)
    assert left < read
