"""`nplm doctor` finds what is wrong with an installation."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

import nplm as package
from nplm.cli.commands import doctor
from nplm.cli.commands.doctor import name_clashes

OURS = Path(package.__path__[0])


def test_all_is_well_here(nplm, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "ENOUGH_MEMORY", 0)  # whatever machine the tests run on
    outcome = nplm("doctor")
    lines = outcome.out.splitlines()
    assert outcome.code == 0, outcome.out
    assert all(line.split()[0] in ("ok", "info") for line in lines)
    for part in (
        f"nplm-jax {package.__version__}",
        f"jax {metadata.version('jax')}",
        "JAX device 0: ",
        "float64 works",
    ):
        assert part in outcome.out
    for extra in ("root", "keops", "onnx", "hep", "cluster"):
        assert f"extra {extra}: " in outcome.out
    assert "cores" in outcome.out
    assert "GiB memory" in outcome.out


def test_this_package_does_not_clash_with_itself(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nplm").write_text("#!/usr/bin/env python")  # the command, in a folder of commands
    (tmp_path / "nplm").mkdir()  # a folder without Python in it, such as a clone of the repository
    assert list(name_clashes([str(OURS.parent), str(OURS.parent), str(tmp_path), str(tmp_path / "bin")], OURS)) == []


@pytest.mark.parametrize("name", ["NPLM", "nplm"])
def test_another_package_of_that_name_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (clash,) = name_clashes([str(OURS.parent), str(tmp_path)], OURS)
    assert str(tmp_path / name) in clash


def test_a_script_of_that_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "nplm.py").touch()
    (clash,) = name_clashes([str(tmp_path)], OURS)
    assert str(tmp_path / "nplm.py") in clash


def test_the_older_package_is_found(tmp_path: Path, nplm, monkeypatch) -> None:
    information = tmp_path / "NPLM-0.0.6.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: NPLM\nVersion: 0.0.6\n")
    monkeypatch.syspath_prepend(tmp_path)
    outcome = nplm("doctor")
    assert outcome.code == 1
    (warning,) = [line for line in outcome.out.splitlines() if line.startswith("warn")]
    assert "NPLM 0.0.6" in warning
    assert "pip uninstall NPLM" in warning


def test_a_missing_requirement_is_a_warning(nplm, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", ("numpy", "no-such-package"))
    outcome = nplm("doctor")
    assert outcome.code == 1
    assert 'warn  no-such-package is missing; run pip install "." in a clone of nplm' in outcome.out


def test_a_missing_extra_is_none(nplm, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"magic": ("no_such_module",)})
    outcome = nplm("doctor")
    assert outcome.code == 0
    assert "info  extra magic: no_such_module not there" in outcome.out
    assert 'run pip install ".[magic]" in a clone of nplm' in outcome.out


@pytest.mark.parametrize(
    ("version", "status"), [("0.9.2", "warn"), ("0.10.2", "ok"), ("0.12.0", "ok"), ("0.13.0", "warn")]
)
def test_versions_of_jax(nplm, monkeypatch, version: str, status: str) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", ("jax",))
    monkeypatch.setattr(doctor, "_version", lambda distribution: version)
    assert f"{status:<5} jax {version}" in nplm("doctor").out


def test_little_memory_is_a_warning(nplm, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "ENOUGH_MEMORY", 2**60)
    outcome = nplm("doctor")
    assert outcome.code == 1
    assert "GiB memory; large samples need" in outcome.out


def test_a_machine_without_devices_is_reported(nplm, monkeypatch) -> None:
    def devices() -> None:
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setattr("jax.devices", devices)
    outcome = nplm("doctor")
    assert outcome.code == 1
    assert "warn  JAX finds no device to compute on: Unable to initialize backend 'cuda'" in outcome.out
