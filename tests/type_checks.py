"""Arrays of nplm held against their annotations while tests run: `pytest -p tests.type_checks`, for `make test-types`.

An annotation of an array is a promise that mypy does not read: a dtype, and lengths of which those of one name are the
same in a call. Classes, Protocols and Literals mypy does read, and tests give wrong ones to see what is said; they are
left to it. So is, as jaxtyping cannot see it, an annotation with a name that its module has not got when the function
is made: one imported for type checkers alone, or a class further down.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, get_args

import jax
import numpy as np
import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, install_import_hook

# An int may be given where there may be a float beside an array, as mypy has it.
_AS_MYPY_HAS_IT = BeartypeConf(is_pep484_tower=True)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Check all that is imported of nplm; files of fixtures import it too."""
    if early := sorted(name for name in sys.modules if name.partition(".")[0] == "nplm"):
        raise RuntimeError(f"imported before arrays could be checked: {', '.join(early)}")
    install_import_hook("nplm", f"{__name__}.checked")


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """What jaxtyping's hook makes of a function that has the annotations of one of nplm."""
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if _holds_arrays(hint)}
    return beartype(function, conf=_AS_MYPY_HAS_IT) if function.__annotations__ else function


def _holds_arrays(hint: object) -> bool:
    if inspect.isclass(hint) and not get_args(hint):
        return issubclass(hint, (AbstractArray, np.ndarray, jax.Array))
    return any(_holds_arrays(part) for part in get_args(hint))
