"""The public face of the package, and the rule that JAX's deprecation warnings are errors."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib.metadata import version

import pytest

import nplm


@pytest.mark.parametrize("name", nplm.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(nplm, name) is not None
    assert name in dir(nplm)


def test_every_lazy_name_is_public() -> None:
    assert {*nplm._HOME, "__version__"} == set(nplm.__all__)


def test_lazy_name_is_the_one_of_its_module() -> None:
    from nplm.data.sample import Sample

    assert nplm.Sample is Sample


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'nplm' has no attribute 'Nonesuch'"):
        _ = nplm.Nonesuch


def test_version_is_the_installed_one() -> None:
    assert nplm.__version__ == version("nplm-jax")


def test_import_does_not_start_jax() -> None:
    # A fresh interpreter: in this one the other tests have imported JAX.
    code = "import sys, nplm; print('jax' in sys.modules); nplm.NPLMTest; print('jax' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "True"]


# A deprecation is attributed to JAX itself or, with stacklevel, to the code that called it.
@pytest.mark.parametrize("module", ["jax", "jax._src.core", "jaxlib.xla_client", "nplm.models", "toys.demo", __name__])
def test_deprecation_warnings_are_errors(module: str) -> None:
    with pytest.raises(DeprecationWarning, match="jax is changing"):
        warnings.warn_explicit("jax is changing", DeprecationWarning, "file.py", 1, module=module)


def test_deprecation_warnings_of_others_are_not_errors() -> None:
    with pytest.warns(DeprecationWarning, match="another library"):
        warnings.warn_explicit("another library", DeprecationWarning, "file.py", 1, module="matplotlib.pyplot")
