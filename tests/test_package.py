"""The public face of the package, and the rule that JAX's deprecation warnings are errors."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import version
from pathlib import Path

import pytest

import nplm

FOLDERS = sorted(path.parent.name for path in Path(nplm.__file__).parent.glob("*/__init__.pyi"))


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_public_names_resolve(folder: str) -> None:
    module = getattr(nplm, folder) if folder else nplm
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_the_public_names_are_few() -> None:
    assert len(nplm.__all__) <= 45
    assert {*FOLDERS} < {*nplm.__all__}


@pytest.mark.parametrize("name", [*nplm.__all__])
def test_what_is_public_in_a_folder_is_the_same_at_the_top(name: str) -> None:
    for folder in FOLDERS:
        module = getattr(nplm, folder)
        assert name not in module.__all__ or getattr(module, name) is getattr(nplm, name)


def test_lazy_name_is_the_one_of_its_module() -> None:
    from nplm.data.sample import Sample

    assert nplm.Sample is Sample


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No nplm attribute Nonesuch"):
        _ = nplm.Nonesuch


def test_version_is_the_installed_one() -> None:
    assert nplm.__version__ == version("nplm-jax")


def test_import_does_not_start_jax() -> None:
    # A fresh interpreter: in this one the other tests have imported JAX.
    code = "import sys, nplm; print('jax' in sys.modules); nplm.NPLMTest; print('jax' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "True"]


def test_import_does_not_load_templates() -> None:
    code = "import sys, nplm, nplm.report.write_report, nplm.monitor.page; print('jinja2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False"]


def test_files_that_are_no_modules_are_packaged() -> None:
    root = Path(nplm.__file__).parent
    with (root.parent / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["nplm"]
    packaged = {path for pattern in patterns for path in root.glob(pattern)}
    others = {path for path in root.rglob("*.*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others <= packaged
    assert {path.suffix for path in others} == {".css", ".html", ".json", ".pyi", ".typed"}


# A deprecation is attributed to JAX itself or, with stacklevel, to the code that called it.
@pytest.mark.parametrize("module", ["jax", "jax._src.core", "jaxlib.xla_client", "nplm.models", "toys.demo", __name__])
def test_deprecation_warnings_are_errors(module: str) -> None:
    with pytest.raises(DeprecationWarning, match="jax is changing"):
        warnings.warn_explicit("jax is changing", DeprecationWarning, "file.py", 1, module=module)


def test_deprecation_warnings_of_others_are_not_errors() -> None:
    with pytest.warns(DeprecationWarning, match="another library"):
        warnings.warn_explicit("another library", DeprecationWarning, "file.py", 1, module="matplotlib.pyplot")
